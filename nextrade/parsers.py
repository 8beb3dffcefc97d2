"""JSON as the API reads it: not nested without end, and every key once."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

MAX_DEPTH = 32
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class StrictJSONParser(JSONParser):
    """Raises ParseError (400) for what is not JSON, is nested deeper than MAX_DEPTH or says a key twice, which two
    readers may read differently."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read()
        _check_depth(body)
        try:
            return json.loads(
                body.decode((parser_context or {}).get("encoding", settings.DEFAULT_CHARSET)),
                parse_constant=_not_json,
                object_pairs_hook=_once,
            )
        except (ValueError, LookupError) as error:
            raise ParseError(f"JSON parse error - {error}") from error


def _check_depth(body: bytes) -> None:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", body)):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_DEPTH:
            raise ParseError(f"JSON is nested deeper than {MAX_DEPTH}")


def _not_json(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return read

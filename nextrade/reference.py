"""`/docs`: the API's reference, made of its own schema: a page of our own that is light, and strict about scripts.

Context: Swagger UI is a megabyte of script, seconds on a small machine, styles inline and buttons in buttons. Choice:
one template over the same OpenAPI document, with a form to try each operation. Cost: its models are samples, not trees.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

Schema = Mapping[str, Any]
DEPTH = 5
"""Samples are not nested deeper: a schema may hold itself."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter, or a field of a body. where: path, query or header; "" in a body."""

    name: str
    kind: str
    words: str
    is_required: bool
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: str
    kind: str
    words: str
    sample: str


@dataclass(frozen=True, kw_only=True)
class Operation:
    """tag: what it is about. body: a sample of what is sent, "" for nothing."""

    tag: str
    method: str
    path: str
    anchor: str
    words: str
    is_open: bool
    fields: list[Field]
    body_fields: list[Field]
    body: str
    answers: list[Answer]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "reference.html", {"tags": _tags(), "about": settings.SPECTACULAR_SETTINGS})


@cache
def _tags() -> list[tuple[str, list[Operation]]]:
    """Operations by what they are about; the code decides, so once a process."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    found = sorted(_operations(document), key=_place)
    return [(tag, list(group)) for tag, group in groupby(found, lambda operation: operation.tag)]


def _place(operation: Operation) -> tuple[bool, str, str]:
    """A token first, which all the others take."""
    return operation.tag != "auth", operation.tag, operation.path


def _operations(document: Schema) -> Iterator[Operation]:
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            shape = _content(told.get("requestBody", {}))[1]
            body = _resolved(shape, schemas)
            yield Operation(
                tag=told["tags"][0],
                method=method.upper(),
                path=path,
                anchor=f"{method}-{path.removeprefix('/api/v1').strip('/')}".translate(UNBRACED),
                words=told.get("description", ""),
                is_open={} in told.get("security", []),
                fields=[_parameter(each, schemas) for each in told.get("parameters", [])],
                body_fields=list(_fields(body, schemas)),
                body=_written(_sample(_required(body), schemas)) if shape else "",
                answers=[_answer(status, each, schemas) for status, each in told["responses"].items()],
            )


UNBRACED = str.maketrans({"/": "-", "{": None, "}": None})


def _answer(status: str, told: Schema, schemas: Schema) -> Answer:
    kind, shape = _content(told)
    is_error = status[0] in "45"
    return Answer(
        status=status,
        kind=kind,
        words=told.get("description", ""),
        sample=_written(_sample(shape, schemas)) if shape and not is_error else "",
    )


def _content(told: Schema) -> tuple[str, Schema]:
    return next(((kind, each.get("schema", {})) for kind, each in told.get("content", {}).items()), ("", {}))


def _parameter(told: Schema, schemas: Schema) -> Field:
    return Field(
        name=told["name"],
        kind=_kind(told["schema"], schemas),
        words=told.get("description", ""),
        is_required=told.get("required", False),
        where=told["in"],
    )


def _fields(shape: Schema, schemas: Schema) -> Iterator[Field]:
    for name, told in shape.get("properties", {}).items():
        words = told.get("description", "")
        yield Field(name=name, kind=_kind(told, schemas), words=words, is_required=name in shape.get("required", ()))


def _required(shape: Schema) -> Schema:
    wanted = shape.get("required", ())
    return {**shape, "properties": {name: told for name, told in shape.get("properties", {}).items() if name in wanted}}


def _resolved(shape: Schema, schemas: Schema) -> Schema:
    """The schema itself, where it is a reference or one of several the first that says something."""
    if "$ref" in shape:
        return _resolved(schemas[shape["$ref"].rsplit("/", 1)[1]], schemas)
    choices = [each for key in ("oneOf", "anyOf", "allOf") for each in shape.get(key, ()) if each != {"type": "null"}]
    return _resolved(choices[0], schemas) if choices else shape


def _kind(shape: Schema, schemas: Schema) -> str:
    known = _resolved(shape, schemas)
    if "enum" in known:
        return " | ".join(json.dumps(value) for value in known["enum"])
    kinds = known.get("type", "anything")
    named = [kinds] if isinstance(kinds, str) else [kind for kind in kinds if kind != "null"]
    return " | ".join(known.get("format", kind) if kind == "string" else kind for kind in named)


def _sample(shape: Schema, schemas: Schema, depth: int = 0) -> Any:
    """A value that says what stands where: names of types as strings."""
    known = _resolved(shape, schemas)
    if depth > DEPTH:
        return "…"
    if "properties" in known:
        return {name: _sample(told, schemas, depth + 1) for name, told in known["properties"].items()}
    if known.get("type") == "array":
        return [_sample(known.get("items", {}), schemas, depth + 1)]
    if "enum" in known:
        return known["enum"][0]
    kind = _kind(known, schemas)
    return {"boolean": True, "integer": 1, "number": 1.5}.get(kind, kind)


def _written(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)

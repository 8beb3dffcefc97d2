"""What a source of outside text promises. To add one, copy wikipedia.py and name it in `agents.sources`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from nextrade.errors import Unavailable

MOST_ARTICLES = 5
MOST_BYTES = 1_000_000
TIMEOUT_S = 5.0


class SourceMissing(Unavailable):
    code = "source_unavailable"


@dataclass(frozen=True, kw_only=True)
class Article:
    """A stranger's words. published_at: aware UTC, where the source says it."""

    title: str
    url: str
    text: str
    published_at: datetime | None = None


class Source(Protocol):
    name: str

    def search(self, query: str) -> tuple[Article, ...]:
        """At most MOST_ARTICLES, the best first. Raises SourceMissing."""


def fetch(method: str, url: str, **wanted: Any) -> Any:
    """The JSON at an address of ours, of at most MOST_BYTES, without following it elsewhere. Raises SourceMissing."""
    import httpx  # a tenth of a second, for whoever never searches

    host = httpx.URL(url).host
    try:
        with httpx.stream(method, url, timeout=TIMEOUT_S, follow_redirects=False, **wanted) as reply:
            reply.raise_for_status()
            body = bytearray()
            for part in reply.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    raise SourceMissing(f"the answer of {host} is too large")
        return json.loads(body)
    except (httpx.HTTPError, ValueError, RecursionError) as error:
        raise SourceMissing(f"{host} gives no usable answer ({type(error).__name__})") from error


def articles(rows: Any, *, title: str, url: str, text: str, published: str) -> tuple[Article, ...]:
    """Rows of a source as articles, by the names of its fields; what has not the form of one is left out."""
    found = [row for row in rows if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return tuple(
        Article(
            title=str(row.get(title) or ""),
            url=str(row.get(url) or ""),
            text=str(row.get(text) or ""),
            published_at=moment(row.get(published)),
        )
        for row in found[:MOST_ARTICLES]
    )


def moment(said: Any) -> datetime | None:
    """A date as ISO 8601 or as mail has it (RFC 5322), in UTC; None for anything else."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(str(said))
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):
            continue
    return None

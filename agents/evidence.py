"""What one turn's tools gave, so that every number of the answer can be traced to a source, or is named as one that
cannot.

Whole numbers up to a dozen without a unit ("two orders", "3 shares") count as words.
"""

import bisect
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from agents import guard
from agents.sources.base import Article

LONGEST_TEXT = 280
MOST_CITATIONS = 30
SMALL = 12
ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
MOMENT = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?|\b\d\d:\d\d(?::\d\d)?\b|\[\d{1,2}\]")
NUMBER = re.compile(
    r"(?<![\w.,])(?P<unit>[-+]?\$?)(?P<digits>\d[\d,]{0,19}(?:\.\d{1,10})?)(?P<percent>\s?%)?"
    r"(?P<scale>\s?(?:thousand|million|billion|trillion|[kKmMbB])\b)?"
)
SCALE = {"t": 3, "k": 3, "m": 6, "b": 9, "r": 12}


@dataclass(frozen=True, kw_only=True)
class Citation:
    """n: as the answer may name it, [n]. as_of: ISO 8601, or "" where the source has no moment. about: what was asked.

    title, url, text: a stranger's, for the person alone; no model is shown them.
    """

    n: int
    source: str
    as_of: str
    about: str
    title: str = ""
    url: str = ""
    text: str = ""


@dataclass(kw_only=True)
class Evidence:
    """has_outside: some text of this turn came from outside; no order after it is the person's plan."""

    citations: list[Citation] = field(default_factory=list)
    numbers: list[Decimal] = field(default_factory=list)
    has_outside: bool = False

    def note(self, result: str) -> None:
        """Keep a tool result's numbers, and a citation for each of its facts that names a source."""
        self.numbers += _magnitudes(result)
        try:
            facts = json.loads(result)
        except ValueError:
            return
        for fact in _sourced(facts):
            self._cite(source=fact["source"], as_of=str(fact.get("as_of") or ""), about=str(fact.get("symbol") or ""))

    def cite(self, article: Article, *, source: str, about: str) -> int:
        """Keep an article for the person; its number."""
        self.has_outside = True
        published = article.published_at.isoformat() if article.published_at else ""
        return self._cite(
            source=source,
            as_of=published,
            about=about[:60],
            title=_line(article.title),
            url=article.url[:500] if urlsplit(article.url).scheme in ("http", "https") else "",
            text=_line(article.text),
        )

    def unsupported(self, answer: str, *, known: str) -> tuple[str, ...]:
        """The numbers of an answer that neither a tool of this turn gave nor `known` has, as written. A rounded one is
        supported."""
        numbers = sorted([*self.numbers, *_magnitudes(known)])
        plain = MOMENT.sub(" ", ID.sub(" ", answer))
        wanted = {match[0].strip(): match for match in NUMBER.finditer(plain)}
        return tuple(text for text, match in wanted.items() if not _is_word(match) and not _is_given(match, numbers))

    def _cite(self, *, source: str, as_of: str, about: str, **more: str) -> int:
        for known in self.citations:
            if (known.source, known.as_of, known.about, known.url) == (source, as_of, about, more.get("url", "")):
                return known.n
        number = len(self.citations) + 1
        if number <= MOST_CITATIONS:
            self.citations.append(Citation(n=number, source=source, as_of=as_of, about=about, **more))
        return number


def _sourced(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    if depth > 4:
        return
    if isinstance(value, dict):
        if isinstance(value.get("source"), str):
            yield value
        for inner in value.values():
            yield from _sourced(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _sourced(inner, depth + 1)


def _line(text: str) -> str:
    """A stranger's text as one short line without secrets."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text[: 4 * LONGEST_TEXT])
    return guard.redact(" ".join(seen.split()))[:LONGEST_TEXT]


def _magnitudes(text: str) -> list[Decimal]:
    return [_magnitude(match) for match in NUMBER.finditer(ID.sub(" ", text))]


def _magnitude(match: re.Match[str]) -> Decimal:
    return Decimal(match["digits"].replace(",", "") or "0").scaleb(_exponent(match))


def _exponent(match: re.Match[str]) -> int:
    scale = (match["scale"] or "").strip().lower()
    return SCALE["r" if scale == "trillion" else scale[0]] if scale else 0


def _is_word(match: re.Match[str]) -> bool:
    has_unit = "$" in match["unit"] or match["percent"] or match["scale"]
    return not has_unit and "." not in match["digits"] and _magnitude(match) <= SMALL


def _is_given(match: re.Match[str], numbers: list[Decimal]) -> bool:
    """Whether some given number is this one at the decimals that it is written with."""
    value = _magnitude(match)
    decimals = len(match["digits"].partition(".")[2])
    slack = Decimal("0.5").scaleb(_exponent(match) - decimals)
    place = bisect.bisect_left(numbers, value - slack)
    return place < len(numbers) and numbers[place] <= value + slack

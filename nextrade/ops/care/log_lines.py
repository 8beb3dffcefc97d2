"""Reading the application log, text or JSON, from a file, its rotated brothers or stdin. Needs no database.

A text line is split on " - " (time - logger - LEVEL - message), never on ":", of which the time has two; what does not
begin that way, such as a traceback, belongs to the line before it.
"""

import argparse
import gzip
import json
import re
import shutil
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

STARTS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - ")
TIME = "%Y-%m-%d %H:%M:%S,%f"
TOOK = re.compile(r"Function (?P<function>\S+) (?:completed in|failed after) (?P<seconds>\d+\.\d+)s")
VARYING = re.compile(
    r"\b[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}\b|\b[0-9a-f]{12,}\b|\d+(?:\.\d+)?", re.IGNORECASE
)
ENDPOINT = re.compile(r" \[([A-Z]+ /[^\]\s]*)\]$")
SERIOUS = ("ERROR", "CRITICAL")


@dataclass(kw_only=True)
class Record:
    """One thing that was logged. at: aware, None where its time cannot be read. endpoint: in whose request, of errors.
    more: the lines after its first."""

    at: datetime | None
    logger: str
    level: str
    message: str
    endpoint: str = ""
    more: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """The message without what differs from one time to the next: numbers and ids."""
        return VARYING.sub("#", self.message)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """An error by its kind. example: its newest record."""

    kind: str
    count: int
    first: datetime | None
    example: Record


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds that a function took; percentiles interpolated between neighbours, as numpy does."""

    function: str
    n: int
    p50: float
    p95: float
    p99: float
    max: float


def records(lines: Iterable[str]) -> Iterator[Record]:
    last: Record | None = None
    for raw in lines:
        line = raw.rstrip("\n")
        found = _text(line) if STARTS.match(line) else _json(line) if line.startswith("{") else None
        if found is None:
            if last:
                last.more.append(line)
            continue
        if last:
            yield last
        last = found
    if last:
        yield last


def since(found: Iterable[Record], start: datetime | None) -> Iterator[Record]:
    """Those not older; one whose time cannot be read is kept."""
    return (each for each in found if start is None or each.at is None or each.at >= start)


def errors(found: Iterable[Record], *, by: str = "type") -> list[Kind]:
    """The most frequent first. by: type (the message without its numbers), message or logger."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for each in found:
        if each.level in SERIOUS:
            groups[{"type": each.kind, "message": each.message, "logger": each.logger}[by]].append(each)
    kinds = [Kind(kind=kind, count=len(rows), first=rows[0].at, example=rows[-1]) for kind, rows in groups.items()]
    return sorted(kinds, key=lambda kind: -kind.count)


def times(found: Iterable[Record]) -> list[Times]:
    """The slowest first, by p95."""
    took: dict[str, list[float]] = defaultdict(list)
    for each in found:
        if match := TOOK.search(each.message):
            took[match["function"]].append(float(match["seconds"]))
    told = [
        Times(
            function=function,
            n=len(seconds),
            p50=percentile(seconds, 50),
            p95=percentile(seconds, 95),
            p99=percentile(seconds, 99),
            max=max(seconds),
        )
        for function, seconds in took.items()
    ]
    return sorted(told, key=lambda row: -row.p95)


def percentile(values: Sequence[float], percent: int) -> float:
    """Of one value: that value."""
    return values[0] if len(values) == 1 else statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def trends(found: Iterable[Record]) -> dict[str, Counter[str]]:
    """How many of each level, by day, in order."""
    days: dict[str, Counter[str]] = defaultdict(Counter)
    for each in found:
        if each.at:
            days[f"{timezone.localtime(each.at):%Y-%m-%d}"][each.level] += 1
    return dict(sorted(days.items()))


def search(lines: Iterable[str], pattern: str, *, ignore_case: bool = False, context: int = 0) -> Iterator[str]:
    """The lines that `grep -E [-i] [-C context]` prints."""
    wanted = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    numbered = [line.rstrip("\n") for line in lines]
    hits = [number for number, line in enumerate(numbered) if wanted.search(line)]
    printed = -1
    for hit in hits:
        start = max(hit - context, printed + 1)
        if context and printed >= 0 and start > printed + 1:
            yield "--"
        for number in range(start, min(hit + context + 1, len(numbered))):
            if number > printed:
                yield numbered[number]
                printed = number


def lines_of(file: Path, start: datetime | None = None) -> Iterator[str]:
    """A log's lines; with a start those of its rotated brothers that may reach back to it too, oldest first."""
    for each in [*(_brothers(file, start) if start else ()), file]:
        open_it = gzip.open if each.suffix == ".gz" else open
        with open_it(each, "rt", encoding="utf-8", errors="replace") as stream:
            yield from stream


def archive(file: Path, *, before: datetime) -> list[str]:
    """Compress the rotated brothers of a log last written before a moment; which. Their time stays, since the 90 days
    after which they are deleted count from it."""
    done = []
    for old in _brothers(file, None):
        if old.suffix == ".gz" or _written(old) >= before:
            continue
        packed, draft = old.with_name(f"{old.name}.gz"), old.with_name(f".{old.name}.gz")
        with old.open("rb") as source, gzip.open(draft, "wb") as target:
            shutil.copyfileobj(source, target)
        shutil.copystat(old, draft)
        draft.replace(packed)
        old.unlink()
        done.append(packed.name)
    return done


def _brothers(file: Path, start: datetime | None) -> list[Path]:
    found = [each for each in file.parent.glob(f"{file.name}.*") if each.is_file()]
    return sorted((each for each in found if start is None or _written(each) >= start), key=_written)


def _written(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)


def _text(line: str) -> Record:
    time, logger, level, message = [*line.split(" - ", 3), "", "", ""][:4]
    inside = ENDPOINT.search(message)
    return Record(
        at=timezone.make_aware(datetime.strptime(time, TIME)),
        logger=logger,
        level=level,
        message=ENDPOINT.sub("", message),
        endpoint=inside[1] if inside else "",
    )


def _json(line: str) -> Record | None:
    try:
        told: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if not isinstance(told, dict) or "event" not in told:
        return None
    at = parse_datetime(str(told.get("timestamp", "")))
    more = str(told.get("exception", "")).splitlines()
    level, logger = str(told.get("level", "")).upper(), str(told.get("logger", ""))
    endpoint = str(told.get("endpoint") or "")
    return Record(at=at, logger=logger, level=level, message=str(told["event"]), endpoint=endpoint, more=more)


def span(text: str) -> timedelta:
    """ "90m", "24h", "7d" as a span, for a command's argument. Raises ArgumentTypeError."""
    match = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no span: write 90m, 24h or 7d")
    return timedelta(**{{"m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})

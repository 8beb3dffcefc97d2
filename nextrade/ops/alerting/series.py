"""What an expression is evaluated over: series of samples, found by name and matchers.

A sample's value is None where Prometheus writes a stale marker: the series ended there, on purpose. (A marker is a NaN
of a certain bit pattern there; SQLite keeps no NaN, and arithmetic loses the pattern.)
"""

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

Labels = tuple[tuple[str, str], ...]
"""Label pairs sorted by name, without empty values. A selected series has its name in them, as `__name__`."""

Point = tuple[float, float | None]
"""Unix time in seconds; the value, or None for a stale marker."""

Vector = dict[Labels, float]
NAME = "__name__"


def labels_of(pairs: Mapping[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in pairs.items() if value))


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """op: "=", "!=", "=~" or "!~". An expression must match all of the value; a missing label is an empty one."""

    label: str
    op: str
    value: str

    def matches(self, labels: Mapping[str, str]) -> bool:
        held = labels.get(self.label, "")
        if self.op in ("=", "!="):
            return (held == self.value) is (self.op == "=")
        return bool(_pattern(self.value).fullmatch(held)) is (self.op == "=~")


@dataclass(frozen=True, kw_only=True)
class Selector:
    """The series of one metric. name: its name, which is not repeated in the matchers."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this name, with these labels, is one of them."""
        return all(matcher.matches(labels) for matcher in self.matchers)


class Samples(Protocol):
    def select(self, selector: Selector, start_s: float, end_s: float) -> Iterable[tuple[Labels, Sequence[Point]]]:
        """Each series that matches, its labels with `__name__`, its points oldest first.

        All points from start_s to end_s, both included, at a precision of a millisecond; more do no harm.
        """
        ...


class Recorded:
    """Samples in memory: for tests, and for whoever holds few."""

    def __init__(self) -> None:
        self._series: dict[str, dict[Labels, list[Point]]] = {}

    def add(self, name: str, labels: Mapping[str, str], at_s: float, value: float | None) -> None:
        """Append; a series' points must come in the order of their time."""
        key = labels_of({**labels, NAME: name})
        self._series.setdefault(name, {}).setdefault(key, []).append((at_s, value))

    def select(self, selector: Selector, start_s: float, end_s: float) -> Iterable[tuple[Labels, Sequence[Point]]]:
        for labels, points in self._series.get(selector.name, {}).items():
            if selector.matches(dict(labels)):
                yield labels, [point for point in points if start_s - 0.001 <= point[0] <= end_s + 0.001]


@functools.cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.DOTALL)

"""The samples that rules look back on, in memory; the store keeps a copy for the next start."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from nextrade.ops.alerting import promql
from nextrade.ops.alerting.series import NAME, Labels, Point, Selector, labels_of

MOST_SERIES = 20_000


class Memory:
    """Samples by series. reach_s: how far back each metric is needed, by its name; no other metric is kept."""

    def __init__(self, reach_s: Mapping[str, float]) -> None:
        self.reach_s = dict(reach_s)
        self._series: dict[str, dict[Labels, deque[Point]]] = {}
        self._from: dict[str, set[Labels]] = {}

    def take(self, source: str, readings: Iterable[tuple[str, Mapping[str, str], float]], at_s: float) -> list[Labels]:
        """Append what a source has told, and a stale marker to each series it no longer tells; the series touched."""
        told = {labels_of({**labels, NAME: name}): value for name, labels, value in readings if name in self.reach_s}
        gone = self._from.get(source, set()) - set(told)
        for labels, value in told.items():
            self.add(labels, at_s, value)
        for labels in gone:
            self.add(labels, at_s, None)
        self._from[source] = set(told)
        return [*told, *gone]

    def add(self, labels: Labels, at_s: float, value: float | None) -> None:
        """Append one; a series' points come in the order of their time."""
        name = dict(labels)[NAME]
        of_name = self._series.setdefault(name, {})
        if labels not in of_name and self.count() >= MOST_SERIES:
            return
        points = of_name.setdefault(labels, deque())
        points.append((at_s, value))
        while points[0][0] < at_s - self.reach_s.get(name, 0) - 60:
            points.popleft()

    def last(self, labels: Labels) -> Point:
        return self._series[dict(labels)[NAME]][labels][-1]

    def select(self, selector: Selector, start_s: float, end_s: float) -> Iterable[tuple[Labels, Sequence[Point]]]:
        for labels, points in self._series.get(selector.name, {}).items():
            if selector.matches(dict(labels)):
                yield labels, [point for point in points if start_s - 0.001 <= point[0] <= end_s + 0.001]

    def has_told(self, selector: Selector, like: Mapping[str, str], at_s: float) -> bool:
        """Whether a series has a value now that could speak of these labels: no data is not the same as all is well."""
        series = self._series.get(selector.name, {})
        exact = labels_of({**like, NAME: selector.name})
        near = {exact: series[exact]} if exact in series else series
        return any(
            points[-1][1] is not None
            and points[-1][0] >= at_s - promql.LOOKBACK_S
            and all(dict(labels).get(name, held) == held for name, held in like.items())
            and selector.matches(dict(labels))
            for labels, points in near.items()
        )

    def forget(self, at_s: float) -> None:
        """Drop series that have told nothing for as long as anybody looks back."""
        for name, of_name in self._series.items():
            oldest = at_s - self.reach_s.get(name, 0) - 60
            for labels in [labels for labels, points in of_name.items() if points[-1][0] < oldest]:
                del of_name[labels]

    def count(self) -> int:
        return sum(map(len, self._series.values()))


def reach_of(expressions: Iterable[str]) -> dict[str, float]:
    """How many seconds back each metric is looked at, by its name."""
    found: dict[str, float] = {}
    for expression in expressions:
        for selector, back_s in promql.selectors(expression):
            found[selector.name] = max(found.get(selector.name, 0), back_s)
    return found

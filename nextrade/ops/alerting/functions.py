"""The functions of PromQL that our rules call, as Prometheus 2.42 computes them (promql/functions.go, quantile.go).

Prometheus 3 leaves the first edge of a window out; that changes a value only where a sample lies exactly there.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from nextrade.ops.alerting.series import NAME, Labels, Vector
from nextrade.ops.alerting.vectors import divide

Sample = tuple[int, float]
"""Unix time in milliseconds, value."""

TOO_FAR = 1.1
"""In average distances between samples: how far from its edge a window's data may end to count as reaching it."""


def increase(points: Sequence[Sample], start_ms: int, end_ms: int) -> float | None:
    """What a counter gained in a window, extrapolated to its edges, and over resets. None of fewer than two samples."""
    return _gained(points, start_ms, end_ms, per_s=1.0)


def rate(points: Sequence[Sample], start_ms: int, end_ms: int) -> float | None:
    """`increase` a second."""
    return _gained(points, start_ms, end_ms, per_s=(end_ms - start_ms) / 1000)


def _gained(points: Sequence[Sample], start_ms: int, end_ms: int, *, per_s: float) -> float | None:
    """It is not extrapolated further back than to where the counter would have been zero, and by half a distance
    between samples where the data begin or end too far from the edge. The factor is made first, as Prometheus does:
    a quantile may hang on the last bit."""
    if len(points) < 2:
        return None
    gained = points[-1][1] - points[0][1]
    for (_, before), (_, now) in itertools.pairwise(points):
        gained += before if now < before else 0.0
    covered_s = (points[-1][0] - points[0][0]) / 1000
    apart_s = covered_s / (len(points) - 1)
    before_s = (points[0][0] - start_ms) / 1000
    after_s = (end_ms - points[-1][0]) / 1000
    if gained > 0 and points[0][1] >= 0:
        before_s = min(before_s, covered_s * (points[0][1] / gained))
    reach_s = covered_s
    for edge_s in (before_s, after_s):
        reach_s += edge_s if edge_s < apart_s * TOO_FAR else apart_s / 2
    return gained * (reach_s / covered_s / per_s)


def predict_linear(points: Sequence[Sample], end_ms: int, ahead_s: float) -> float | None:
    """Where the least-squares line through the samples will be, ahead_s after end_ms."""
    if len(points) < 2:
        return None
    first = points[0][1]
    if all(value == first for _, value in points):
        return math.nan if math.isinf(first) else first
    times = [(at_ms - end_ms) / 1000 for at_ms, _ in points]
    values = [value for _, value in points]
    n, sum_t, sum_v = len(points), math.fsum(times), math.fsum(values)
    covariance = math.fsum(t * v for t, v in zip(times, values, strict=True)) - sum_t * sum_v / n
    variance = math.fsum(t * t for t in times) - sum_t * sum_t / n
    slope = covariance / variance
    return slope * ahead_s + sum_v / n - slope * sum_t / n


def histogram_quantile(q: float, buckets: Vector) -> Vector:
    """The q-quantile of each histogram whose cumulative buckets these are, by their label `le`."""
    histograms: dict[Labels, list[tuple[float, float]]] = {}
    for labels, count in buckets.items():
        edge = _edge(dict(labels).get("le", ""))
        if edge is not None:
            rest = tuple(pair for pair in labels if pair[0] not in ("le", NAME))
            histograms.setdefault(rest, []).append((edge, count))
    return {labels: _quantile(q, cumulative) for labels, cumulative in histograms.items()}


def clamp(value: float, low: float, high: float) -> float:
    return max(low, min(high, value)) if not math.isnan(value) else math.nan


def round_to(value: float, nearest: float = 1.0) -> float:
    """To the nearest multiple, halves up."""
    inverse = divide(1.0, nearest)
    return math.floor(value * inverse + 0.5) / inverse if math.isfinite(value) else value


def _edge(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _quantile(q: float, buckets: list[tuple[float, float]]) -> float:
    """Interpolated within its bucket; the last finite edge where it lies beyond. NaN of no observations."""
    if math.isnan(q):
        return math.nan
    if not 0 <= q <= 1:
        return math.copysign(math.inf, q)
    edges, counts = _monotonic(sorted(buckets))
    if edges[-1] != math.inf or len(edges) < 2 or not counts[-1] > 0:
        return math.nan
    rank = q * counts[-1]
    place = next((each for each, count in enumerate(counts[:-1]) if count >= rank), len(counts) - 1)
    if place == len(counts) - 1:
        return edges[-2]
    if place == 0 and edges[0] <= 0:
        return edges[0]
    start, below = (edges[place - 1], counts[place - 1]) if place else (0.0, 0.0)
    return start + (edges[place] - start) * divide(rank - below, counts[place] - below)


def _monotonic(buckets: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Edges and counts: those of one edge added up, and no count below the one before, which scrapes of several
    processes and extrapolation can leave."""
    merged: dict[float, float] = {}
    for edge, count in buckets:
        merged[edge] = merged.get(edge, 0.0) + count
    counts, most = [], -math.inf
    for count in merged.values():
        most = max(most, count)
        counts.append(most)
    return list(merged), counts


RANGES: Mapping[str, Callable[[Sequence[Sample], int, int], float | None]] = MappingProxyType(
    {"increase": increase, "rate": rate}
)
"""Functions of the samples in a window (start and end in milliseconds)."""

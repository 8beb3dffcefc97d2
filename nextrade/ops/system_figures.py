"""The guide's dashboard as data: three figures of the last hour, and three charts of the last day."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nextrade.ops.models import Measure

DAY, HOUR = timedelta(hours=24), timedelta(hours=1)
NORMAL_S, MOST_S = 5, 30
"""The guide's normal and longest times of an answer."""
GREY = "#9ca3af"


@dataclass(frozen=True, kw_only=True)
class Chart:
    """data, options: JSON for Chart.js, which unfold brings. said: the same in a sentence. is_empty: nothing known."""

    title: str
    kind: str
    data: str
    options: str
    said: str
    is_empty: bool


@dataclass(frozen=True, kw_only=True)
class Stat:
    title: str
    value: str
    note: str
    colour: str = ""


def measures(at: datetime) -> list[Measure]:
    """The last day's, oldest first."""
    return list(Measure.objects.filter(at__gt=at - DAY, at__lte=at).order_by("at"))


def stats(rows: Sequence[Measure], at: datetime) -> list[Stat]:
    """Requests, errors and times of answers of the last hour."""
    last = [row for row in rows if row.at > at - HOUR]
    if not last:
        return [Stat(title=title, value="–", note="alertd has seen nothing in the last hour") for title in TITLES]
    requests, errors = sum(row.requests for row in last), sum(row.errors for row in last)
    share = 100 * errors / requests if requests else 0.0
    mean = _mean(last)
    slowest = max((row.p95_s for row in last if row.p95_s is not None), default=None)
    return [
        Stat(title=TITLES[0], value=f"{requests:,.0f}/hr", note="chats that ended, in the last hour"),
        Stat(
            title=TITLES[1],
            value=f"{share:.1f}%",
            note=f"{errors:,.0f} failed by our fault",
            colour="danger" if share > 10 else "warning" if share > 1 else "success",
        ),
        Stat(
            title=TITLES[2],
            value="–" if mean is None else f"{mean:.1f}s",
            note="no chat in the last hour" if slowest is None else f"P95 up to {slowest:.1f}s",
            colour=""
            if slowest is None
            else "danger"
            if slowest > MOST_S
            else "warning"
            if slowest > NORMAL_S
            else "success",
        ),
    ]


TITLES = ("Requests", "Errors", "Response Time")


def charts(rows: Sequence[Measure], at: datetime) -> list[Chart]:
    hours = [at.replace(minute=0, second=0, microsecond=0) - HOUR * back for back in range(23, -1, -1)]
    by_hour = {hour: [row for row in rows if hour <= row.at < hour + HOUR] for hour in hours}
    labels = [f"{hour:%H:%M}" for hour in hours]
    requests = [round(sum(row.requests for row in by_hour[hour])) if by_hour[hour] else None for hour in hours]
    errors = [_percent(by_hour[hour]) for hour in hours]
    return [
        _chart(
            "Requests per hour",
            "bar",
            labels,
            [{"label": "requests", "data": requests, "backgroundColor": "var(--color-primary-500)", "borderRadius": 4}],
            said=f"{sum(filter(None, requests)):,} requests in 24 hours",
        ),
        _chart(
            "Error rate (%)",
            "line",
            labels,
            [_line("errors", errors, "var(--color-red-500)"), _limit("P2 above 10 %", 10, len(labels))],
            said=f"at most {max(filter(None, errors), default=0):.1f} % of an hour's requests failed",
        ),
        _times(rows, at),
    ]


def _times(rows: Sequence[Measure], at: datetime) -> Chart:
    """Quarters of an hour, each by its slowest five minutes; gaps stay gaps."""
    span = timedelta(minutes=15)
    start = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0) - DAY + span
    slots = [start + span * number for number in range(96)]
    inside = [[row for row in rows if slot <= row.at < slot + span] for slot in slots]
    p95 = [_most(row.p95_s for row in each) for each in inside]
    mean = [_rounded(_mean(each)) for each in inside]
    slowest = max(filter(None, p95), default=0)
    return _chart(
        "Response Time (Last 24h)",
        "line",
        [f"{slot:%H:%M}" for slot in slots],
        [
            _line("P95, seconds", p95, "var(--color-primary-500)"),
            _line("mean", mean, "var(--color-primary-300)"),
            _limit("5 s: normal up to here", NORMAL_S, len(slots), colour="#f59e0b"),
            _limit("30 s: P3 above", MOST_S, len(slots), colour="#ef4444"),
        ],
        said=f"the slowest five minutes had a P95 of {slowest:.1f} seconds; lines at 5 and 30 seconds",
    )


def _chart(title: str, kind: str, labels: Sequence[str], datasets: Sequence[dict[str, Any]], *, said: str) -> Chart:
    ticks = {"color": GREY, "maxTicksLimit": 9, "maxRotation": 0}
    options = {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "interaction": {"mode": "index", "intersect": False},
        "plugins": {
            "legend": {
                "display": len(datasets) > 1,
                "align": "end",
                "labels": {"color": GREY, "boxWidth": 12, "boxHeight": 2},
            }
        },
        "scales": {
            "x": {"ticks": ticks, "grid": {"display": False}},
            "y": {"beginAtZero": True, "ticks": {"color": GREY, "maxTicksLimit": 6}, "grid": {"lineWidth": 0.5}},
        },
    }
    data = {"labels": list(labels), "datasets": list(datasets)}
    is_empty = all(value is None for value in datasets[0]["data"])
    return Chart(
        title=title, kind=kind, data=json.dumps(data), options=json.dumps(options), said=said, is_empty=is_empty
    )


def _line(label: str, values: Sequence[float | None], colour: str) -> dict[str, Any]:
    return {
        "label": label,
        "data": list(values),
        "borderColor": colour,
        "backgroundColor": colour,
        "borderWidth": 2,
        "pointRadius": 1,
        "tension": 0.2,
    }


def _limit(label: str, value: float, count: int, *, colour: str = "#f59e0b") -> dict[str, Any]:
    return {
        "label": label,
        "data": [value] * count,
        "borderColor": colour,
        "backgroundColor": colour,
        "borderWidth": 1,
        "borderDash": [6, 4],
        "pointRadius": 0,
        "pointHitRadius": 0,
    }


def _percent(rows: Sequence[Measure]) -> float | None:
    requests = sum(row.requests for row in rows)
    return round(100 * sum(row.errors for row in rows) / requests, 2) if requests else None


def _mean(rows: Sequence[Measure]) -> float | None:
    """Over requests, not over spans."""
    known = [(row.mean_s, row.requests) for row in rows if row.mean_s is not None and row.requests]
    return math.fsum(mean * count for mean, count in known) / sum(count for _, count in known) if known else None


def _most(values: Iterable[float | None]) -> float | None:
    return _rounded(max((value for value in values if value is not None), default=None))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)

"""An hour's figures as rows, for trends over months. Everything is read from rows that carry their time, so that an
hour reckoned again is the same hour."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F
from django.utils import timezone

from agents.models import Message, ModelCall
from compliance.models import ComplianceEvent
from nextrade.ops.models import MaintenanceRun, MetricAggregate
from orders.models import Approval, Execution, Order

Labels = tuple[tuple[str, str], ...]
Value = tuple[str, Labels, float]
"""name, labels, one observation"""
HOUR = timedelta(hours=1)
LATE_HOURS = 2
"""An hour is reckoned once more an hour later, for what was committed late."""


def aggregate_last_hour() -> str:
    end = timezone.now().replace(minute=0, second=0, microsecond=0)
    rows = [aggregate(end - HOUR * back) for back in range(1, LATE_HOURS + 1)]
    return f"{rows[0]} figures of {end - HOUR:%Y-%m-%d %H}h"


def aggregate(hour: datetime) -> int:
    """Write down one hour, in place of what was written of it; how many rows. hour: its first moment."""
    found: dict[tuple[str, Labels], list[float]] = defaultdict(list)
    for source in SOURCES:
        for name, labels, value in source(hour, hour + HOUR):
            found[name, labels].append(value)
    rows = [_row(hour, name, dict(labels), values) for (name, labels), values in found.items()]
    MetricAggregate.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["name", "hour", "labels"],
        update_fields=["count", "sum", "p50", "p95", "max"],
    )
    return len(rows)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in order, as a value that did occur."""
    return ordered[max(math.ceil(percent / 100 * len(ordered)), 1) - 1]


def _row(hour: datetime, name: str, labels: Mapping[str, str], values: list[float]) -> MetricAggregate:
    ordered = sorted(values)
    return MetricAggregate(
        hour=hour,
        name=name,
        labels=json.dumps(labels, sort_keys=True, separators=(",", ":")),
        count=len(ordered),
        sum=math.fsum(ordered),
        p50=percentile(ordered, 50),
        p95=percentile(ordered, 95),
        max=ordered[-1],
    )


def _turns(start: datetime, end: datetime) -> Iterator[Value]:
    """From a person's words to the answer that is stored."""
    said = Message.objects.filter(role=Message.Role.USER, created_at__gte=start, created_at__lt=end)
    begun: dict[UUID | None, datetime] = dict(said.exclude(turn_id=None).values_list("turn_id", "created_at"))
    answers = Message.objects.filter(role=Message.Role.ASSISTANT, turn_id__in=begun, created_at__gte=start)
    for turn, at in dict(answers.order_by("-id").values_list("turn_id", "created_at")).items():
        yield "chat_turn_seconds", (), (at - begun[turn]).total_seconds()


def _model_calls(start: datetime, end: datetime) -> Iterator[Value]:
    rows = ModelCall.objects.filter(at__gte=start, at__lt=end)
    for model, outcome, latency_ms, cost in rows.values_list("model", "outcome", "latency_ms", "cost_usd"):
        labels = (("model", model), ("outcome", outcome))
        yield "llm_request_seconds", labels, latency_ms / 1000
        if cost is not None:
            yield "llm_cost_usd", (("model", model),), float(cost)


def _events(start: datetime, end: datetime) -> Iterator[Value]:
    """How many of each action; sum is their number too."""
    rows = ComplianceEvent.objects.filter(ts_utc__gte=start, ts_utc__lt=end)
    for action, outcome, count in rows.values_list("action", "outcome").annotate(count=Count("pk")):
        for _ in range(count):
            yield "audit_events", (("action", action), ("outcome", outcome)), 1.0


def _orders(start: datetime, end: datetime) -> Iterator[Value]:
    for side, at, until in Approval.objects.filter(at__gte=start, at__lt=end).values_list(
        "order__side", "order__created_at", "at"
    ):
        yield "approval_wait_seconds", (("side", side),), (until - at).total_seconds()
    for side in Order.objects.filter(created_at__gte=start, created_at__lt=end).values_list("side", flat=True):
        yield "orders_proposed", (("side", side),), 1.0
    fills = Execution.objects.filter(executed_at__gte=start, executed_at__lt=end).annotate(
        usd=F("quantity") * F("price_usd")
    )
    for side, usd in fills.values_list("side", "usd"):
        yield "executed_usd", (("side", side),), float(usd)


def _jobs(start: datetime, end: datetime) -> Iterator[Value]:
    rows = MaintenanceRun.objects.filter(finished_at__gte=start, finished_at__lt=end)
    for job, status, began, ended in rows.values_list("job", "status", "started_at", "finished_at"):
        assert ended  # by the filter
        yield "job_seconds", (("job", job), ("status", status)), (ended - began).total_seconds()


SOURCES: tuple[Callable[[datetime, datetime], Iterator[Value]], ...] = (_turns, _model_calls, _events, _orders, _jobs)

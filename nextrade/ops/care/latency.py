"""Where the time goes: by endpoint from what the processes counted, the models' share from rows, then queue, memory,
CPU and the database's own slowest statements."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

import psutil
from django.db import DatabaseError, connection
from django.db.models import Sum
from django_q.models import OrmQ
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector

from agents.models import Message, ModelCall
from nextrade.ops import processes
from nextrade.ops.care.finding import Finding, Verdict

SLOW_S = 5.0
"""The guide's normal response."""
MODEL_PCT = 90
WAITING = 50
MEMORY_BYTES = 3 * 10**9
OK, WARN, UNKNOWN = Verdict.OK, Verdict.WARN, Verdict.UNKNOWN
ADVICE = "a faster model (NEXTRADE_MODEL_SIMPLE, _FALLBACK), more web machines; a longer time-out only hides it"


def examine(at: datetime, since: timedelta) -> Iterator[Finding]:
    yield from _endpoints()
    try:
        yield _models_share(at, since)
        yield _queue()
        yield from _statements()
    except DatabaseError:
        yield Finding(what="rows", verdict=UNKNOWN, said="the database cannot be asked", next_step="doctor database")
    finally:
        connection.close()
    yield _memory()
    yield _cpu()


def _endpoints() -> Iterator[Finding]:
    """Since the counters were last emptied, which is when the processes started."""
    found = p95(_buckets())
    if not found:
        yield Finding(what="endpoints", verdict=UNKNOWN, said="nothing is counted: no request since the start")
    for endpoint, seconds in sorted(found.items(), key=lambda pair: -pair[1]):
        is_slow = seconds > SLOW_S
        step = ADVICE if is_slow else ""
        yield Finding(what=endpoint, verdict=WARN if is_slow else OK, said=f"p95 {seconds:.2f} s", next_step=step)


def p95(buckets: Mapping[str, Mapping[float, float]]) -> dict[str, float]:
    """Seconds by endpoint, as Prometheus' histogram_quantile reckons them. buckets: upper edge to how many at most."""
    found = {}
    for endpoint, counts in buckets.items():
        edges = sorted(counts)
        wanted = 0.95 * counts[edges[-1]]
        below, low = 0.0, 0.0
        for edge in edges:
            if counts[edge] >= wanted > 0:
                inside = counts[edge] - below
                found[endpoint] = low if edge == float("inf") else low + (edge - low) * (wanted - below) / inside
                break
            below, low = counts[edge], edge
    return found


def _buckets() -> dict[str, dict[float, float]]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, os.environ["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]
    found: dict[str, dict[float, float]] = defaultdict(dict)
    for family in registry.collect():
        for sample in family.samples if family.name == "nextrade_response_seconds" else ():
            if sample.name.endswith("_bucket"):
                found[sample.labels["endpoint"]][float(sample.labels["le"])] = sample.value
    return found


def _models_share(at: datetime, since: timedelta) -> Finding:
    """Of the time from a person's words to the stored answer, what a model had."""
    calls = ModelCall.objects.filter(at__gte=at - since, at__lte=at)
    model_s = (calls.aggregate(ms=Sum("latency_ms"))["ms"] or 0) / 1000
    turns_s = sum(_turns(at - since, at))
    if not turns_s:
        return Finding(what="models' share", verdict=UNKNOWN, said="no turn in the time asked about")
    pct = min(100 * model_s / turns_s, 100)
    said = f"{pct:.0f} % of {turns_s:.1f} s in turns; the rest is the database and our own work"
    is_slow = pct > MODEL_PCT and turns_s > SLOW_S
    return Finding(
        what="models' share", verdict=WARN if is_slow else OK, said=said, next_step=ADVICE if is_slow else ""
    )


def _turns(start: datetime, end: datetime) -> Iterator[float]:
    said = Message.objects.filter(role=Message.Role.USER, created_at__gte=start, created_at__lt=end).exclude(
        turn_id=None
    )
    begun = dict(said.values_list("turn_id", "created_at"))
    answers = Message.objects.filter(role=Message.Role.ASSISTANT, turn_id__in=begun).order_by("id")
    for turn, at in dict(answers.values_list("turn_id", "created_at")).items():
        yield (at - begun[turn]).total_seconds()


def _queue() -> Finding:
    waiting = OrmQ.objects.count()
    step = "is the worker alive? manage.py maintenance list; more worker machines" if waiting > WAITING else ""
    return Finding(what="queue", verdict=WARN if step else OK, said=f"{waiting} tasks wait", next_step=step)


def _statements() -> Iterator[Finding]:
    """PostgreSQL's own record of the slowest statements, where it keeps one; SQLite keeps none."""
    step = "manage.py db explain shows which hot query has no index"
    if connection.vendor == "sqlite":
        yield Finding(what="slow statements", verdict=OK, said="SQLite keeps no record of them", next_step=step)
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements'")
        if cursor.fetchone() is None:
            said = "pg_stat_statements is not installed"
            yield Finding(what="slow statements", verdict=UNKNOWN, said=said, next_step=step)
            return
        cursor.execute("SELECT round(mean_exec_time), calls, query FROM pg_stat_statements ORDER BY 1 DESC LIMIT 3")
        for took_ms, calls, query in cursor.fetchall():
            yield Finding(what="statement", verdict=OK, said=f"{took_ms} ms on average, {calls} x: {query[:120]}")


def _memory() -> Finding:
    taken = sum(processes.memory_bytes().values())
    step = "manage.py memory snapshot" if taken > MEMORY_BYTES else ""
    return Finding(what="memory", verdict=WARN if step else OK, said=f"{taken / 10**9:.2f} GB", next_step=step)


def _cpu() -> Finding:
    pct = psutil.cpu_percent(interval=0.5)
    step = "manage.py profile chat; more web machines" if pct > 90 else ""
    return Finding(what="CPU", verdict=WARN if step else OK, said=f"{pct:.0f} % of the machine", next_step=step)

"""Which jobs are missed, late, failed or overrun. Read from rows by whoever asks, so that a worker that died at 02:59
is found out by those that live: the watch, `/metrics`, a person."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from croniter import croniter
from django.db.models import Max
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nextrade.ops import schedules
from nextrade.ops.models import KnownJob, MaintenanceRun
from nextrade.ops.schedules import Job

Status = MaintenanceRun.Status
GRACE = timedelta(minutes=10)
MISSED, FAILED, OVERRUN, STALE = "missed", "failed", "overrun", "stale"
PROBLEMS = (MISSED, FAILED, OVERRUN, STALE)


@dataclass(frozen=True, kw_only=True)
class State:
    """How a job stands. due_at: the last time by its schedule that is over, grace included; next_at: the next one.
    problems: of PROBLEMS. since: from when the job is known, where nothing newer is."""

    job: Job
    since: datetime
    due_at: datetime
    next_at: datetime
    last: MaintenanceRun | None
    last_success_at: datetime | None
    problems: tuple[str, ...]


def states(*, at: datetime) -> list[State]:
    """Of every job of the table that is installed."""
    known = dict(KnownJob.objects.values_list("name", "since"))
    newest = MaintenanceRun.objects.exclude(status=Status.SKIPPED).values("job").annotate(newest=Max("pk"))
    last = {row.job: row for row in MaintenanceRun.objects.filter(pk__in=[row["newest"] for row in newest])}
    succeeded = MaintenanceRun.objects.filter(status=Status.SUCCEEDED)
    success = dict(succeeded.values_list("job").annotate(newest=Max("finished_at")))
    return [
        _state(job, known[job.name], last.get(job.name), success.get(job.name), at=at)
        for job in schedules.JOBS
        if job.name in known
    ]


def missed(*, at: datetime) -> list[str]:
    """The jobs that did not start when they should have."""
    return [state.job.name for state in states(at=at) if MISSED in state.problems]


def last_success(job: str) -> MaintenanceRun | None:
    return MaintenanceRun.objects.filter(job=job, status=Status.SUCCEEDED).order_by("-started_at").first()


def figure(row: MaintenanceRun, name: str) -> float | None:
    """Seconds that a run's summary tells as `NAME=12.3s`; None where it tells none."""
    found = re.search(rf"\b{name}=([0-9.]+)s\b", row.summary)
    return float(found[1]) if found else None


def _state(job: Job, since: datetime, last: MaintenanceRun | None, success: datetime | None, *, at: datetime) -> State:
    due_at = _edge(job.cron, at - GRACE, is_next=False)
    return State(
        job=job,
        since=since,
        due_at=due_at,
        next_at=_edge(job.cron, at, is_next=True),
        last=last,
        last_success_at=success,
        problems=tuple(_problems(job, since, due_at, last, success, at=at)),
    )


def _problems(
    job: Job,
    since: datetime,
    due_at: datetime,
    last: MaintenanceRun | None,
    success: datetime | None,
    *,
    at: datetime,
) -> Iterator[str]:
    if due_at > since and (last is None or last.started_at < due_at):
        yield MISSED
    if last and last.status in (Status.FAILED, Status.DIED):
        yield FAILED
    if last and last.status == Status.RUNNING and at - last.started_at > job.may_take:
        yield OVERRUN
    if at - (success or since) > job.max_age:
        yield STALE


def _edge(cron: str, at: datetime, *, is_next: bool) -> datetime:
    """The last time by a schedule up to a moment, or the first one after; in TIME_ZONE, as the queue reckons."""
    times = croniter(cron, timezone.localtime(at))
    found: datetime = times.get_next(datetime) if is_next else times.get_prev(datetime)
    return found


class Punctuality(Collector):
    """`nextrade_job_…{job}` for `/metrics`."""

    def collect(self) -> Iterable[GaugeMetricFamily]:
        found = states(at=timezone.now())
        success = GaugeMetricFamily(
            "nextrade_job_last_success_timestamp", "when a job last succeeded, seconds since 1970", labels=["job"]
        )
        problem = GaugeMetricFamily(
            "nextrade_job_problem", "whether a job is missed, failed, overrun or stale", labels=["job", "kind"]
        )
        oldest = GaugeMetricFamily(
            "nextrade_job_max_age_seconds", "how old a job's last success may be", labels=["job"]
        )
        for state in found:
            oldest.add_metric([state.job.name], state.job.max_age.total_seconds())
            if state.last_success_at:
                success.add_metric([state.job.name], state.last_success_at.timestamp())
            for kind in PROBLEMS:
                problem.add_metric([state.job.name, kind], float(kind in state.problems))
        return [success, problem, oldest, *_recovery({state.job.name: state for state in found})]


def _recovery(found: Mapping[str, State]) -> Iterator[GaugeMetricFamily]:
    """What could be recovered, and how fast that was when it was last tried; each only where it is known."""
    now = timezone.now()
    ages = {}
    if state := found.get("database_backup"):
        ages["backup"] = (now - (state.last_success_at or state.since)).total_seconds()
    if (row := last_success("replication")) and row.finished_at and (behind := figure(row, "behind")) is not None:
        ages["replication"] = (now - row.finished_at).total_seconds() + behind
        yield _gauge("nextrade_replication_age_seconds", "how far the copy elsewhere is behind", ages["replication"])
    if ages:
        told = "age of what could be recovered: the newest verified backup, or the replica; from the installation on"
        yield _gauge("nextrade_backup_age_seconds", told, min(ages.values()))
    if row := last_success("restore_drill"):
        yield _gauge(
            "nextrade_dr_last_rto_seconds", "how long the last drill took to a healthy copy", figure(row, "RTO")
        )
        yield _gauge("nextrade_dr_last_rpo_seconds", "what would have been lost at the last drill", figure(row, "RPO"))


def _gauge(name: str, told: str, value: float | None) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, value=value)

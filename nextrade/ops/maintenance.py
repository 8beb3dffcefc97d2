"""Every run of every job: under a lock, and with a row that says how it went.

A row that is still `running` while its job's lock is free belongs to a process that died; whoever takes the lock next
says so. The row and its event on the trail are written together, but a job that is done is not undone when the trail
cannot be written: it would be done again.
"""

import logging
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.tasks import async_task

from compliance import audit
from compliance.audit import Action
from compliance.models import Outcome
from nextrade.errors import NexTradeError
from nextrade.ops import locks, schedules
from nextrade.ops.models import MaintenanceRun
from nextrade.ops.schedules import Job

log = logging.getLogger(__name__)
Status = MaintenanceRun.Status
BY_SCHEDULE = "system:schedule"
KEEP_FREQUENT = 60


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a job returns that has more to say than a number. artefact: the file it made; sha256: that file's.
    Figures that others read stand in the summary as `NAME=12.3s`."""

    summary: str
    artefact: str = ""
    sha256: str = ""


def scheduled(*, job: str, scheduled_for: str = "", by: str = BY_SCHEDULE) -> str:
    """What the queue calls; scheduled_for: ISO 8601. What takes longer than a task may goes to a process of its own."""
    found = schedules.job(job)
    if found.is_detached:
        command = [sys.executable, "manage.py", "maintenance", "run", job, "--started-by", by]
        command += ["--scheduled-for", scheduled_for] if scheduled_for else []
        subprocess.Popen(command, cwd=settings.BASE_DIR, start_new_session=True, stdout=subprocess.DEVNULL)  # noqa: S603
        return "in a process of its own"
    moment = datetime.fromisoformat(scheduled_for) if scheduled_for else None
    return run(found, scheduled_for=moment, by=by).status


def run(job: Job, *, by: str, scheduled_for: datetime | None = None) -> MaintenanceRun:
    """Run a job now, unless it runs already (SKIPPED). Raises whatever the job raises, once that is written down."""
    started = MaintenanceRun(job=job.name, scheduled_for=scheduled_for, started_at=timezone.now(), started_by=by)
    with locks.held(f"job.{job.name}") as is_ours:
        if not is_ours:
            return _finish(job, started, Status.SKIPPED, Done(summary="the run before it has not finished"))
        _bury(job)
        started.save()
        try:
            result = import_string(job.function)()
        except Exception as error:
            log.exception("Job %s failed", job.name)
            _finish(job, started, Status.FAILED, Done(summary=told(error)))
            raise
        return _finish(job, started, Status.SUCCEEDED, _said(result))


def request(job: Job, *, by: str, at: datetime) -> None:
    """Queue a run now, for a person, whose wish is on the trail."""
    with transaction.atomic():
        audit.record(Action.MAINTENANCE_REQUESTED, actor=by, at=at, details={"job": job.name})
        transaction.on_commit(lambda: async_task(schedules.RUNNER, job=job.name, by=by, group=job.name))


def prune() -> int:
    """Of each job that runs every few minutes keep the newest successes and skips; failures stay."""
    gone = 0
    for job in filter(lambda job: job.is_frequent, schedules.JOBS):
        for status in (Status.SUCCEEDED, Status.SKIPPED):
            rows = MaintenanceRun.objects.filter(job=job.name, status=status).order_by("-started_at")
            edge = rows.values_list("started_at", flat=True)[KEEP_FREQUENT : KEEP_FREQUENT + 1].first()
            if edge:
                gone += rows.filter(started_at__lte=edge).delete()[0]
    return gone


def told(error: Exception) -> str:
    """What a page may say of an error: our own words, of others' errors only their kind, which holds no secret."""
    return error.message if isinstance(error, NexTradeError) else type(error).__name__


def _bury(job: Job) -> None:
    """The lock is ours, so whoever was running it is no more."""
    for dead in MaintenanceRun.objects.filter(job=job.name, status=Status.RUNNING):
        _finish(job, dead, Status.DIED, Done(summary="its process ended before it did"))


def _said(result: Any) -> Done:
    return result if isinstance(result, Done) else Done(summary="" if result is None else str(result))


def _finish(job: Job, row: MaintenanceRun, status: MaintenanceRun.Status, done: Done) -> MaintenanceRun:
    row.status, row.finished_at = status, timezone.now()
    row.exit = {Status.SUCCEEDED: 0, Status.FAILED: 1}.get(status)
    row.summary, row.artefact, row.sha256 = done.summary[:500], done.artefact, done.sha256
    try:
        with transaction.atomic():
            row.save()
            if status != Status.SUCCEEDED or not job.is_frequent:
                _record(row)
    except (DatabaseError, NexTradeError):
        log.exception("Job %s is not on the trail", job.name)
        row.save()
    return row


def _record(row: MaintenanceRun) -> None:
    assert row.finished_at
    is_good = row.status in (Status.SUCCEEDED, Status.SKIPPED)
    audit.record(
        Action.MAINTENANCE_RUN,
        actor="system:worker",
        at=row.finished_at,
        outcome=Outcome.SUCCESS if is_good else Outcome.FAILED,
        details={
            "job": row.job,
            "status": row.status,
            "started_by": row.started_by,
            "summary": row.summary,
            "artefact": row.artefact,
            "sha256": row.sha256,
        },
    )

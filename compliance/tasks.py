"""The trail's periodic work; when it runs is in nextrade.ops.schedules."""

from datetime import datetime

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from compliance import erasure, retention, review, verify
from compliance.alerts import raise_alert
from compliance.seal import TrailBroken
from compliance.secrets import KeyProblem


def verify_recent() -> str:
    """Look at what was sealed in the last two hours. Raises TrailBroken."""
    now = timezone.now()
    return _noted(verify.verify(since=now - verify.RECENT, processes=1), is_full=False, at=now)


def verify_all() -> str:
    """Look at all of it, which takes longer than a task of the queue may. Raises TrailBroken."""
    now = timezone.now()
    return _noted(verify.verify(), is_full=True, at=now)


def apply_retention() -> None:
    """Where this machine may: elsewhere raise the alarm once there is something to do, for whoever holds the key."""
    now = timezone.now()
    waiting = [each for each in retention.due(at=now) if not each.held_by]
    try:
        erasure.finish(at=now)
        retention.apply(at=now)
    except (KeyProblem, DatabaseError) as problem:
        if waiting:
            with transaction.atomic():
                details = {"logs": [each.name for each in waiting], "because": str(problem)[:200]}
                raise_alert("retention_waits", actor="system:retention", at=now, details=details)


def collect_reviews() -> None:
    review.collect()


def report_reviews() -> None:
    """Last week's report, as a file for whoever answers for the supervision."""
    week = review.Week.before(timezone.now())
    folder = settings.DATA_DIR / "reports"
    folder.mkdir(exist_ok=True)
    (folder / f"review-{week}.html").write_text(review.page(week, at=timezone.now()), encoding="utf-8")


def _noted(report: verify.Report, *, is_full: bool, at: datetime) -> str:
    verify.note(report, is_full=is_full, at=at)
    if report.faults:
        raise TrailBroken(f"{len(report.faults)} faults, the first: {report.as_json()['first_fault']}")
    return f"{report.leaves} leaves, {report.events} events"

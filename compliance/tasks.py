"""The trail's periodic work; when it runs is in nextrade.ops.schedules."""

import subprocess
import sys

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone

from compliance import erasure, retention, review, verify
from compliance.alerts import raise_alert
from compliance.secrets import KeyProblem


def verify_recent() -> None:
    """Look at what was sealed in the last two hours."""
    now = timezone.now()
    verify.note(verify.verify(since=now - verify.RECENT, processes=1), is_full=False, at=now)


def verify_all() -> None:
    """Have all of it looked at, in a process of its own: a million events take longer than a task may."""
    command = [sys.executable, "manage.py", "audit", "verify", "--record"]
    subprocess.Popen(command, cwd=settings.BASE_DIR, start_new_session=True, stdout=subprocess.DEVNULL)


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

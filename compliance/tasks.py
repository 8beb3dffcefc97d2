"""The trail's periodic work; when it runs is in nextrade.ops.schedules."""

import subprocess
import sys

from django.conf import settings
from django.utils import timezone

from compliance import verify


def verify_recent() -> None:
    """Look at what was sealed in the last two hours."""
    now = timezone.now()
    verify.note(verify.verify(since=now - verify.RECENT, processes=1), is_full=False, at=now)


def verify_all() -> None:
    """Have all of it looked at, in a process of its own: a million events take longer than a task may."""
    command = [sys.executable, "manage.py", "audit", "verify", "--record"]
    subprocess.Popen(command, cwd=settings.BASE_DIR, start_new_session=True, stdout=subprocess.DEVNULL)

"""What operations keep for debugging only, and let go after 90 days: task results and log files that were rotated. And
model calls, which tell what was spent, by whole months.
"""

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django_q.models import Task

from agents import months
from agents.models import ModelCall
from compliance.retention import disposal, holds, later


@disposal("task results")
def task_results(before: datetime, is_dry: bool) -> int:
    old = Task.objects.filter(stopped__lt=before)
    return int(old.count() if is_dry else old.delete()[0])


@disposal("log files")
def log_files(before: datetime, is_dry: bool) -> int:
    """The application log's, once rotated: `LOG_FILE.1` and the like."""
    if not settings.LOG_FILE:
        return 0
    current = Path(settings.LOG_FILE)
    rotated = [file for file in current.parent.glob(f"{current.name}.*") if file.is_file()]
    old = [file for file in rotated if datetime.fromtimestamp(file.stat().st_mtime, UTC) < before]
    for file in old:
        if not is_dry:
            file.unlink()
    return len(old)


@disposal("model calls")
def model_calls(before: datetime, is_dry: bool) -> int:
    """Kept as long as events that concern no order, and these 90 days; all of them while anything is on hold."""
    month = later(before, -settings.COMPLIANCE_YEARS).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    old = ModelCall.objects.filter(at__lt=month)
    if holds().exists():
        return 0
    if is_dry:
        return old.count()
    return int(old.delete()[0] if settings.SQLITE else months.drop_before(month))

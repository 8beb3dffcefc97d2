"""What operations keep for debugging only, and let go after 90 days: task results and log files that were rotated."""

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django_q.models import Task

from compliance.retention import disposal


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

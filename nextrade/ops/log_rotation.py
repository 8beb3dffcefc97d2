"""The application log's midnight.

Every process writes it through a handler that opens the file anew once it has another name (nextrade.log_files): one
renames, no line is lost. Where the first writer of the day, logrotate or journald has done it, this writes that down.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from nextrade.ops.maintenance import Done

ALREADY = timedelta(hours=12)


def rotate() -> Done:
    """Give the log of the day before its date, unless something else has rotated it lately."""
    if not settings.LOG_FILE:
        return Done(summary="the log is stderr: whoever collects it rotates it")
    if settings.LOG_ROTATION == "size":
        return Done(summary="the log is rotated by its size")
    current, now = Path(settings.LOG_FILE), timezone.now()
    if not current.exists() or not current.stat().st_size:
        return Done(summary="there is nothing in the log to rotate")
    newest = max((_changed(file) for file in current.parent.glob(f"{current.name}.*")), default=None)
    if newest and now - newest < ALREADY:
        return Done(summary=f"rotated elsewhere at {newest:%Y-%m-%d %H:%M}")
    rotated = current.with_name(f"{current.name}.{timezone.localtime(now) - timedelta(hours=1):%Y-%m-%d}")
    if rotated.exists():
        return Done(summary=f"{rotated.name} is there already", artefact=str(rotated))
    current.rename(rotated)
    return Done(summary=f"{rotated.stat().st_size} bytes", artefact=str(rotated))


def _changed(file: Path) -> datetime:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC)

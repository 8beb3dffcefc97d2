"""compliance.log: one line an event, written after the commit. The row is the record, the line its projection.

Format: `YYYY-MM-DD HH:MM:SS | LEVEL | MESSAGE`, UTC. Nothing that a stranger wrote can begin a line or a field.
"""

import functools
import logging
import os
import re
import secrets
import time
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model

from compliance import privacy
from compliance.models import ComplianceEvent, EventType, Outcome

NAME_S = 60
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f|\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def write(event: ComplianceEvent) -> None:
    _log().info(line(event))


def line(event: ComplianceEvent) -> str:
    """One event as a line of compliance.log, without its line end."""
    return " | ".join([event.ts_utc.strftime("%Y-%m-%d %H:%M:%S"), event.severity, event.type, *_fields(event)])


def _fields(event: ComplianceEvent) -> list[str]:
    user = f"User: {escape(name(event.subject_pid or event.actor_pid))}"
    details = f"Details: {escape(repr(_plain(privacy.told(event))))}"
    if event.type == EventType.VALIDATION:
        return [f"Type: {event.action}", f"Valid: {event.outcome == Outcome.SUCCESS}", user, details]
    if event.type == EventType.SAFETY_VIOLATION:
        return [f"Type: {event.action}", user, details]
    return [f"Action: {event.action}", user, details]


def escape(text: str) -> str:
    """Line ends, field bars, control and direction characters as backslash escapes; the rest as it is."""
    return _UNSAFE.sub(
        lambda match: f"\\u{ord(match[0]):04x}" if ord(match[0]) < 0x10000 else f"\\U{ord(match[0]):08x}", text
    )


def name(pid: str) -> str:
    """The user name behind "user:7"; the id itself where no such user is left, and for agents and the system."""
    kind, _, key = pid.partition(":")
    if kind != "user" or not key.isdigit():
        return pid
    return username(key, int(time.monotonic() / NAME_S)) or pid


@functools.lru_cache(maxsize=4096)
def username(key: str, period: int) -> str | None:
    """A user's name, asked for once in a period: every event of a busy trader needs it."""
    return get_user_model().objects.filter(pk=key).values_list("username", flat=True).first()


def rebuild() -> int:
    """Make the file anew from the trail, event by event, and put it in the old one's place; how many lines.

    The same bytes as were written at the time, unless a person was renamed or erased since. Where two processes wrote
    in the same instant, the order is that of the events.
    """
    file = Path(settings.COMPLIANCE_LOG_PATH)
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    lines = 0
    with draft.open("w", encoding="utf-8", errors="strict") as out:
        for event in ComplianceEvent.objects.order_by("id").iterator(chunk_size=2000):
            out.write(f"{line(event)}\n")
            lines += 1
        out.flush()
        os.fsync(out.fileno())
    draft.replace(file)
    return lines


def _plain(value: Any) -> Any:
    """JSON with plain str, since a TextChoices member has a repr of its own, and in the order of the keys, since a
    database may keep another."""
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def _log() -> logging.Logger:
    log = logging.getLogger("compliance.log")
    if not log.handlers:
        handler = WatchedFileHandler(settings.COMPLIANCE_LOG_PATH, encoding="utf-8", delay=True)
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        log.propagate = False
    return log

"""`db cleanup`: what may be deleted at any time, one table. What is not in it is not deleted: orders and the trail have
their retention (`manage.py retention`), conversations belong to their people."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import connection
from django_q.models import Failure, Success
from knox.models import get_token_model

from agents import memory
from agents.models import Thread
from nextrade.ops.models import IdempotentReply
from nextrade.ops.tasks import KEEP_REPLIES

KEEP_SUCCESSES = timedelta(days=7)
KEEP_FAILURES = timedelta(days=90)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """run: deletes what is over at a moment, or counts it in a dry run; how many."""

    name: str
    run: Callable[[datetime, bool], int]


def sweep(*, at: datetime, is_dry: bool) -> dict[str, int]:
    return {each.name: each.run(at, is_dry) for each in SWEEPS}


def _gone(rows: Any, is_dry: bool) -> int:
    return int(rows.count() if is_dry else rows.delete()[0])


def _sessions(at: datetime, is_dry: bool) -> int:
    return _gone(Session.objects.filter(expire_date__lt=at), is_dry)


def _tokens(at: datetime, is_dry: bool) -> int:
    return _gone(get_token_model().objects.filter(expiry__lt=at), is_dry)


def _replies(at: datetime, is_dry: bool) -> int:
    return _gone(IdempotentReply.objects.filter(created_at__lt=at - KEEP_REPLIES), is_dry)


def _successes(at: datetime, is_dry: bool) -> int:
    return _gone(Success.objects.filter(stopped__lt=at - KEEP_SUCCESSES), is_dry)


def _failures(at: datetime, is_dry: bool) -> int:
    return _gone(Failure.objects.filter(stopped__lt=at - KEEP_FAILURES), is_dry)


def _memories(at: datetime, is_dry: bool) -> int:
    """What the supervisor remembers of conversations that are deleted. The memory is read first: a conversation that
    begins meanwhile has its row before it has a memory."""
    remembered = _remembered()
    alive = {str(key) for key in Thread.objects.values_list("pk", flat=True)}
    orphans = sorted(remembered - alive)
    for thread_id in () if is_dry else orphans:
        memory.checkpointer().delete_thread(thread_id)
    return len(orphans)


def _remembered() -> set[str]:
    if settings.SQLITE:
        file = settings.DATA_DIR / "checkpoints.sqlite3"
        if not file.exists():
            return set()
        opened = sqlite3.connect(file, timeout=20)
        try:
            return {str(row[0]) for row in opened.execute("SELECT DISTINCT thread_id FROM checkpoints")}
        except sqlite3.OperationalError:  # not set up yet
            return set()
        finally:
            opened.close()
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"{memory.SCHEMA}.checkpoints"])
        if cursor.fetchone()[0] is None:
            return set()
        cursor.execute(f"SELECT DISTINCT thread_id FROM {memory.SCHEMA}.checkpoints")
        return {str(row[0]) for row in cursor.fetchall()}


SWEEPS = (
    Sweep(name="expired sessions", run=_sessions),
    Sweep(name="expired tokens", run=_tokens),
    Sweep(name="kept replies of yesterday", run=_replies),
    Sweep(name="results of tasks over 7 days old", run=_successes),
    Sweep(name="failures of tasks over 90 days old", run=_failures),
    Sweep(name="memories of deleted conversations", run=_memories),
)

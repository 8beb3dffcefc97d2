"""Make a database that was just put in place fit to go on from; run in a process whose settings point to it.

A backup brings back what is over: sessions and tokens that were ended, tasks that were done, people who were erased.
And it has not heard what a real broker has done since: trading stays halted until somebody has compared the books.
"""

import dataclasses
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django_q.models import OrmQ
from knox.models import get_token_model

from compliance import audit, custody, erasure, projection, triggers, verify
from compliance.audit import Action
from compliance.secrets import KeyProblem
from nextrade.ops.models import Heartbeat, KnownJob, MaintenanceRun
from orders import books, safeguards
from orders.models import Account

Status = MaintenanceRun.Status


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settled:
    """faults: what is wrong with it. restored: logs of the trail that go on from an older state, by a signed statement.
    key_problem: why that statement could not be made here."""

    faults: list[str]
    erased_again: list[str]
    restored: list[str]
    key_problem: str
    is_halted: bool
    events: int


def settle(name: str, *, by: str, at: datetime) -> Settled:
    """name: of the backup. Safe to repeat."""
    call_command("migrate", verbosity=0)
    reason = f"backup {name} was restored"
    restored, key_problem = _own_up(reason, by=by, at=at)
    erased = erasure.reapply(at=at)
    is_halted = settings.BROKER != "paper"
    with transaction.atomic():
        ended = _end_what_is_over(at=at)
        details = {"backup": name, "ended": ended, "erased_again": erased, "logs": restored}
        audit.record(Action.BACKUP_RESTORED, actor=by, at=at, details=details)
    if is_halted:
        safeguards.halt(reason=f"{reason}: compare the books with the broker first", by=by, at=at)
    projection.rebuild()
    report = verify.verify()
    return Settled(
        faults=[*(f"{fault.where}: {fault.what}" for fault in report.faults), *triggers.missing(), *book_faults()],
        erased_again=erased,
        restored=restored,
        key_problem=key_problem,
        is_halted=is_halted,
        events=report.events,
    )


def book_faults() -> list[str]:
    """Where cash and positions are not what executions and transfers say; nothing is mended."""
    found: list[str] = []
    for account in Account.objects.all():
        with transaction.atomic():
            found += books.rebuild(account)
            transaction.set_rollback(True)
    return found


def _own_up(reason: str, *, by: str, at: datetime) -> tuple[list[str], str]:
    """The signed statement that the trail goes on from an older state, where the sealing key is here."""
    try:
        return custody.restored(reason=reason, by=by, at=at), ""
    except KeyProblem as problem:
        return [], problem.message


def _end_what_is_over(*, at: datetime) -> dict[str, Any]:
    """Nobody stays logged in by a session or token that may have been ended since; no job has been missed."""
    gone: dict[str, Any] = {
        "sessions": Session.objects.all().delete()[0],
        "tokens": get_token_model().objects.all().delete()[0],
        "tasks": OrmQ.objects.all().delete()[0],
    }
    Heartbeat.objects.all().delete()
    KnownJob.objects.update(since=at)
    running = MaintenanceRun.objects.filter(status=Status.RUNNING)
    own = running.filter(job="database_backup")
    own.update(status=Status.SUCCEEDED, finished_at=at, exit=0, summary="made the backup that was restored")
    gone["runs"] = running.update(status=Status.DIED, finished_at=at, summary="it ran when the backup was taken")
    return gone

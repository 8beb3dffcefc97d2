"""What is kept for how long, and who lets it go.

A class of events is kept by calendar years from its last event on, month by month: a log whose month is over is closed
by the sealer, later its events are deleted under a signed certificate (compliance.custody.purge), its leaves stay.
What is not an event (task results, old log files) is disposed of by whom it belongs to, registered here, after 90 days.
A legal hold stops both for what it is about.
"""

import calendar
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Q, QuerySet

from compliance import audit, custody
from compliance.audit import Action
from compliance.models import Checkpoint, ComplianceEvent, Leaf, LegalHold, RetentionClass, Statement
from compliance.trust import Kind
from nextrade.errors import Refused

TRANSACTION_YEARS = 7
DEBUG_KEPT = timedelta(days=90)
EVERYTHING = "everything"
Dispose = Callable[[datetime, bool], int]
"""(older than, whether only to count) -> how many"""
_disposals: dict[str, Dispose] = {}


@dataclass(frozen=True, kw_only=True)
class Due:
    """Something past its time. rows: events or things. held_by: the holds that keep it; empty when it may go."""

    name: str
    rows: int
    kept_until: datetime
    held_by: tuple[str, ...] = ()


def disposal(name: str) -> Callable[[Dispose], Dispose]:
    """Register what an app keeps for debugging only."""

    def register(dispose: Dispose) -> Dispose:
        _disposals[name] = dispose
        return dispose

    return register


def years(retention_class: str) -> int:
    return TRANSACTION_YEARS if retention_class == RetentionClass.TRANSACTION else settings.COMPLIANCE_YEARS


def later(moment: datetime, by_years: int) -> datetime:
    """The same day of a later year; the 29th of February becomes the 1st of March, never a day too early."""
    if (moment.month, moment.day) == (2, 29) and not calendar.isleap(moment.year + by_years):
        return moment.replace(year=moment.year + by_years, month=3, day=1)
    return moment.replace(year=moment.year + by_years)


def due(*, at: datetime) -> Iterator[Due]:
    """Closed logs whose every event is past its time and not deleted yet."""
    purged = Statement.objects.filter(kind=Kind.PURGE).values_list("subject", flat=True)
    closed = Checkpoint.objects.filter(is_final=True).order_by("log").values_list("log", "size")
    for log, size in closed.exclude(log__in=_emptied(purged)):
        if later(_month_s_end(log), years(log.split("/")[0])) <= at and (until := kept_until(log)) <= at:
            yield Due(name=log, rows=size, kept_until=until, held_by=tuple(hold.subject for hold in _holds_on(log)))


def kept_until(log: str) -> datetime:
    """The first moment at which nothing of the log has to be kept: by its month and by its latest event, where a
    writer's clock was ahead."""
    after = _month_s_end(log)
    latest = ComplianceEvent.objects.filter(pk__in=_event_ids(log)).aggregate(latest=Max("ts_utc"))["latest"]
    return later(max(after, latest or after), years(log.split("/")[0]))


def apply(*, at: datetime, is_dry: bool = False) -> list[Due]:
    """Delete what is past its time and not held; what it was. Takes the sealing key, and the right to delete.

    Raises KeyProblem, DatabaseError for a role that may not.
    """
    found = list(due(at=at))
    for each in found:
        if not (is_dry or each.held_by):
            custody.purge(each.name, reason=f"kept until {each.kept_until:%Y-%m-%d}", by="system:retention", at=at)
    before = at - DEBUG_KEPT
    debug = [Due(name=name, rows=dispose(before, is_dry), kept_until=at) for name, dispose in _disposals.items()]
    found += [each for each in debug if each.rows]
    gone = [each for each in found if not each.held_by]
    if gone and not is_dry:
        with transaction.atomic():
            details = {"deleted": {each.name: each.rows for each in gone}}
            audit.record(Action.RETENTION_APPLIED, actor="system:retention", at=at, details=details)
    return found


def hold(subject: str, *, reason: str, by: str, at: datetime) -> LegalHold:
    """Keep everything, a person's ("user:7") or an order's ("order:<id>"), until the hold is lifted."""
    with transaction.atomic():
        audit.record(Action.HOLD_SET, actor=by, at=at, details={"of": subject, "reason": reason})
        return LegalHold.objects.create(subject=subject, reason=reason, set_by=by, set_at=at)


def lift(subject: str, *, reason: str, by: str, at: datetime) -> None:
    """Raises Refused where there is no such hold, or by the one who set it: two people decide that it may go."""
    with transaction.atomic():
        held = holds().filter(subject=subject).select_for_update()
        if not held:
            raise Refused(f"there is no legal hold on {subject}")
        if any(each.set_by == by for each in held):
            raise Refused("whoever set a legal hold does not lift it")
        held.update(lifted_by=by, lifted_at=at)
        audit.record(Action.HOLD_LIFTED, actor=by, at=at, details={"of": subject, "reason": reason})


def holds() -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(lifted_at=None).order_by("id")


def is_held(pid: str) -> bool:
    return holds().filter(subject__in=(EVERYTHING, pid)).exists()


def _month_s_end(log: str) -> datetime:
    year, number = map(int, log.split("/")[1].split("-"))
    return datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC)


def _holds_on(log: str) -> list[LegalHold]:
    return [each for each in holds() if each.subject == EVERYTHING or _about(each, log)]


def _about(held: LegalHold, log: str) -> bool:
    events = ComplianceEvent.objects.filter(pk__in=_event_ids(log))
    kind, _, key = held.subject.partition(":")
    if kind == "order":
        return events.filter(order_id=key).exists()
    of_person = Q(actor_pid=held.subject) | Q(subject_pid=held.subject) | Q(on_behalf_of=held.subject)
    return events.filter(of_person).exists()


def _event_ids(log: str) -> QuerySet[Leaf, int]:
    return Leaf.objects.filter(log=log).values_list("event_id", flat=True)


def _emptied(purged: Iterable[str]) -> list[str]:
    """Certified logs of which no event is left: a purge that was interrupted is due again."""
    return [log for log in purged if not ComplianceEvent.objects.filter(pk__in=_event_ids(log)).exists()]

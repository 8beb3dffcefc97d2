"""What a supervisor looks at: found in the trail, given to somebody, noted on, signed off, reported each week.

Whoever did a thing, or for whom it was done, does not sign it off.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, Max, OuterRef, Q, QuerySet
from django.template.loader import render_to_string

from compliance import audit, projection
from compliance.audit import Action
from compliance.models import ComplianceEvent, EventType, ReviewItem, ReviewNote
from nextrade.errors import Missing, NotPermitted, Refused

Kind, Conclusion = ReviewItem.Kind, ReviewItem.Conclusion
LATE_S = 900
"""An approval that took longer was given on a page that had aged: half of an order's time to be approved."""
LOOK_BACK = 10_000
"""Ids below the newest that was found: who commits late is still seen."""
IN_LIMITS = (Action.LIMITS_SET, Action.LIMITS_APPROVED, Action.SWITCH_TURNED, Action.TRADING_RESUMED)
IN_RIGHTS = (Action.GROUPS_CHANGED, Action.PERMISSIONS_CHANGED)
APPROVED = (Action.ORDER_APPROVED, Action.ORDER_APPROVAL_GIVEN)
FINDERS = (
    (Kind.VIOLATION, Q(type=EventType.SAFETY_VIOLATION)),
    (Kind.TAINTED, Q(action=Action.ORDER_PROPOSED, details__is_tainted=True)),
    (Kind.OVERRIDE, Q(action__in=APPROVED, details__overruled__0__isnull=False)),
    (Kind.LATE, Q(action__in=APPROVED, details__waited_s__gte=LATE_S)),
    (Kind.LIMITS, Q(action__in=IN_LIMITS)),
    (Kind.RIGHTS, Q(action__in=IN_RIGHTS)),
)
"""The first that fits names the item."""
AGES = ((timedelta(days=1), "under a day"), (timedelta(days=3), "1 to 3 days"), (timedelta(days=7), "3 to 7 days"))


class OwnDeed(NotPermitted):
    """Nobody reviews what they did themselves, or what was done for them."""

    code = "own_deed"


def collect() -> int:
    """Put what is new in the trail and needs an eye into the queue; how many."""
    newest = ReviewItem.objects.aggregate(newest=Max("event_id"))["newest"] or 0
    known = ReviewItem.objects.filter(event_id=OuterRef("pk"))
    recent = ComplianceEvent.objects.filter(~Exists(known), pk__gt=max(0, newest - LOOK_BACK))
    found = {event.pk: _item(event, kind) for kind, which in reversed(FINDERS) for event in recent.filter(which)}
    ReviewItem.objects.bulk_create(found.values(), ignore_conflicts=True)
    return len(found)


def choose(event: ComplianceEvent) -> ReviewItem:
    """The event's item, made for somebody who chose it from the trail."""
    ReviewItem.objects.bulk_create([_item(event, Kind.CHOSEN)], ignore_conflicts=True)
    return ReviewItem.objects.get(event_id=event.pk)


def open_items() -> QuerySet[ReviewItem]:
    return ReviewItem.objects.filter(signed_at=None)


def assign(item_id: int, *, to: User, by: User, at: datetime) -> ReviewItem:
    """Give it to a person who may sign off. Raises Missing, NotPermitted, OwnDeed, Refused."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        item = _locked(item_id, by)
        _require_other(item, to)
        if not (to.is_active and to.has_perm("compliance.sign_off")):
            raise NotPermitted(f"{to.get_username()} may not sign off reviews")
        item.assigned_to = to
        item.save(update_fields=["assigned_to"])
        _record(Action.REVIEW_ASSIGNED, item, by, at, {"to": audit.person(to)})
    return item


def note(item_id: int, *, text: str, by: User, at: datetime) -> ReviewNote:
    """Write a thought down. Raises Missing, NotPermitted, Refused for an empty one."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        item = _locked(item_id, by)
        if not text.strip():
            raise Refused("a note needs words", code="reason_missing")
        made = ReviewNote.objects.create(item=item, author=by, text=text.strip()[:1000], at=at)
        _record(Action.REVIEW_NOTED, item, by, at, {"note": made.text})
    return made


def sign_off(item_id: int, *, conclusion: str, text: str = "", by: User, at: datetime) -> ReviewItem:
    """Say what came of it. Anything but "in order" needs words. Raises Missing, NotPermitted, OwnDeed, Refused."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        item = _locked(item_id, by)
        _require_other(item, by)
        if conclusion not in Conclusion.values:
            raise Refused("the conclusion is in_order, follow_up or breach", code="illegal_transition")
        if conclusion != Conclusion.IN_ORDER and not text.strip():
            raise Refused("say what is to be followed up", code="reason_missing")
        if text.strip():
            ReviewNote.objects.create(item=item, author=by, text=text.strip()[:1000], at=at)
        item.signed_by, item.signed_at, item.conclusion = by, at, conclusion
        item.save(update_fields=["signed_by", "signed_at", "conclusion"])
        details = {"conclusion": conclusion, "note": text.strip()[:1000], "took_s": _seconds(item)}
        _record(Action.REVIEW_SIGNED_OFF, item, by, at, details)
    return item


@dataclass(frozen=True)
class Week:
    """A calendar week, Monday to Sunday, in UTC. str: "2026-W48"."""

    start: datetime

    @classmethod
    def of(cls, text: str) -> "Week":
        """Raises ValueError."""
        return cls(datetime.strptime(f"{text}-1", "%G-W%V-%u").replace(tzinfo=UTC))

    @classmethod
    def before(cls, at: datetime) -> "Week":
        """The last one that was over by then."""
        day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return cls(day - timedelta(days=day.weekday() + 7))

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=7)

    def __str__(self) -> str:
        return f"{self.start:%G-W%V}"


def report(week: Week, *, at: datetime) -> dict[str, Any]:
    """Who reviewed what in what time, and how old what is left is."""
    signed = ReviewItem.objects.filter(signed_at__gte=week.start, signed_at__lt=week.end).select_related("signed_by")
    rows = list(signed.order_by("signed_at"))
    took: dict[str, list[float]] = defaultdict(list)
    for item in rows:
        assert item.signed_by is not None  # the constraint
        took[item.signed_by.get_username()].append(_seconds(item))
    return {
        "week": str(week),
        "made_at": at,
        "opened": ReviewItem.objects.filter(happened_at__gte=week.start, happened_at__lt=week.end).count(),
        "signed": [(item, projection.name(item.whose), hours(_seconds(item))) for item in rows],
        "by": [(name, len(spent), hours(median(spent)), hours(max(spent))) for name, spent in sorted(took.items())],
        "breaches": [item for item in rows if item.conclusion == Conclusion.BREACH],
        "ageing": ageing(at=at),
    }


def page(week: Week, *, at: datetime) -> str:
    return render_to_string("compliance/review_report.html", report(week, at=at))


def ageing(*, at: datetime) -> list[tuple[str, int]]:
    """How many open items there are of each age."""
    counts = dict.fromkeys([*(name for _, name in AGES), "a week or more"], 0)
    for happened_at in open_items().values_list("happened_at", flat=True):
        counts[next((name for limit, name in AGES if at - happened_at < limit), "a week or more")] += 1
    return list(counts.items())


def hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 360 else f"{seconds / 60:.0f} min"


def is_own(item: ReviewItem, person: User) -> bool:
    event = ComplianceEvent.objects.filter(pk=item.event_id).first()
    theirs: Sequence[str] = (event.actor_pid, event.subject_pid, event.on_behalf_of) if event else (item.whose,)
    return audit.person(person) in theirs


def _item(event: ComplianceEvent, kind: ReviewItem.Kind) -> ReviewItem:
    whose = event.subject_pid or event.actor_pid
    return ReviewItem(event_id=event.pk, kind=kind, order_id=event.order_id, whose=whose, happened_at=event.ts_utc)


def _locked(item_id: int, by: User) -> ReviewItem:
    if not (by.is_active and by.has_perm("compliance.sign_off")):
        raise NotPermitted("you may not review")
    item = ReviewItem.objects.select_for_update().filter(pk=item_id).first()
    if item is None:
        raise Missing("there is no such review")
    if item.signed_at:
        raise Refused("it is signed off already", code="illegal_transition")
    return item


def _require_other(item: ReviewItem, person: User) -> None:
    if is_own(item, person):
        raise OwnDeed("nobody reviews what they did themselves")


def _seconds(item: ReviewItem) -> float:
    """From the event to its sign-off, in whole seconds."""
    return round((item.signed_at - item.happened_at).total_seconds()) if item.signed_at else 0


def _record(action: Action, item: ReviewItem, by: User, at: datetime, details: dict[str, Any]) -> None:
    facts = {"event": item.event_id, "kind": str(item.kind), **details}
    audit.record(action, actor=audit.person(by), at=at, order_id=item.order_id, details=facts)

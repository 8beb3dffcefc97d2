"""One matter's events in a row: of an order, of a conversation, of a person."""

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from compliance import privacy, projection, proofs, queries
from compliance.admin import STATE_COLOURS, facts, legible
from compliance.models import ComplianceEvent, EventType

MOST = 100
"""So many are shown at once."""
LONGEST = 300


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One event in words. gap: the time since the one before it, empty for less than a second. state: how far its
    proof has got. Texts are spelled out: nothing hides in them."""

    event: ComplianceEvent
    actor: str
    person: str
    summary: str
    facts: str
    state: str
    gap: str

    @property
    def action(self) -> str:
        return self.event.action.replace("_", " ").capitalize()

    @property
    def short_order(self) -> str:
        return str(self.event.order_id)[:8]

    @property
    def colour(self) -> str:
        return STATE_COLOURS[self.state]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A page of entries. more: the id to go on from, None at the end."""

    entries: list[Entry]
    more: int | None

    @property
    def unsealed(self) -> int:
        return sum(entry.state == "appended" for entry in self.entries)


def of_order(order_id: uuid.UUID, *, after: int = 0) -> Timeline:
    """Oldest first, from after an event on."""
    return _forward(queries.of_order(order_id), after)


def of_thread(thread_id: uuid.UUID, *, after: int = 0) -> Timeline:
    return _forward(queries.of_thread(thread_id), after)


def of_person(pid: str, *, kind: str = "", before: int | None = None) -> Timeline:
    """Newest first, from before an event on; of one type, or of all.

    What they did and what was done for them are asked for apart, each by its index.
    """
    events = ComplianceEvent.objects.filter(**{"type": kind} if kind in EventType.values else {})
    if before is not None:
        events = events.filter(pk__lt=before)
    keys: set[int] = set()
    for part in (Q(actor_pid=pid), Q(subject_pid=pid)):
        keys.update(events.filter(part).order_by("-id").values_list("pk", flat=True)[: MOST + 1])
    newest = sorted(keys, reverse=True)
    rows = list(ComplianceEvent.objects.filter(pk__in=newest[:MOST]).order_by("id"))
    entries = _entries(rows)
    return Timeline(entries=entries[::-1], more=newest[MOST - 1] if len(newest) > MOST else None)


def _forward(events: QuerySet[ComplianceEvent], after: int) -> Timeline:
    rows = list(events.filter(pk__gt=after)[: MOST + 1])
    return Timeline(entries=_entries(rows[:MOST]), more=rows[MOST - 1].pk if len(rows) > MOST else None)


def _entries(rows: Iterable[ComplianceEvent]) -> list[Entry]:
    """Of events in their order."""
    known = list(rows)
    states = proofs.states(event.pk for event in known)
    found: list[Entry] = []
    before: datetime | None = None
    for event in known:
        gap = event.ts_utc - before if before else timedelta(0)
        found.append(_entry(event, states.get(event.pk, "appended"), gap))
        before = event.ts_utc
    return found


def _entry(event: ComplianceEvent, state: str, gap: timedelta) -> Entry:
    told = privacy.told(event)
    return Entry(
        event=event,
        actor=legible(projection.name(event.actor_pid)),
        person=legible(projection.name(event.subject_pid)) if event.subject_pid else "",
        summary=legible("; ".join(facts(told)))[:LONGEST],
        facts=legible(json.dumps(told, indent=2, ensure_ascii=False, default=str)),
        state=state,
        gap=f"after {length(gap)}" if gap >= timedelta(seconds=1) else "",
    )


def length(gap: timedelta) -> str:
    """A stretch of time in one unit: "12 s", "4 min", "3 h", "2 days"."""
    seconds = int(gap.total_seconds())
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"

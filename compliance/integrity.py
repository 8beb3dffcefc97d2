"""Whether the trail is whole, in plain words, with what the words rest on."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from compliance import queries, trust
from compliance.models import ComplianceEvent, Outcome, Statement
from compliance.timeline import length

SHOWN = 12
Kind = Statement.Kind
MEANING = MappingProxyType(
    {
        Kind.INTRODUCE: "A key signs from now on",
        Kind.REVOKE: "A key is void",
        Kind.RESTORE: "A log goes on from a restored backup",
        Kind.PURGE: "A log’s events are let go",
    }
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """colour: success where nothing speaks against it, danger where something does, warning where nobody has looked."""

    headline: str
    sentences: list[str]
    colour: str


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A signed statement about a key or a log."""

    kind: str
    subject: str
    at: str
    note: str


def verdict(found: queries.Integrity, *, at: datetime) -> Verdict:
    doubts = [*found.problems, *queries.doubts(at=at)]
    behind = [log.log for log in found.logs if log.is_behind]
    spans = ((found.last_full, "All of it"), (found.last_recent, "What was sealed in the last two hours"))
    told = [_looked(event, what) for event, what in spans if event]
    if not found.last_recent:
        told.append("The first hourly verification is still to come.")
    if any("waits to be sealed" in doubt for doubt in doubts):
        told.append("Until an event is sealed, only the database's guards and its writer's signature stand for it.")
    elif found.unsealed_s:
        waits = length(timedelta(seconds=found.unsealed_s))
        told.append(f"The oldest event that waits to be sealed is {waits} old.")
    else:
        told.append("Every event is sealed.")
    if behind:
        told.append(f"Not all that is sealed stands outside of this database yet: {', '.join(behind)}.")
    elif found.logs:
        told.append("All that is sealed stands outside of this database too, where nobody here can change it.")
    if doubts and found.last_full is None and len(doubts) == 1:
        return Verdict(headline="Nobody has looked at all of it yet", sentences=told, colour="warning")
    if doubts:
        return Verdict(headline="There is reason to doubt that the trail is whole", sentences=told, colour="danger")
    return Verdict(headline="The trail is whole, as far as it was looked at", sentences=told, colour="success")


def certificates() -> list[Certificate]:
    """The newest statements: keys introduced and revoked, restores, logs let go at the end of their retention."""
    return [
        Certificate(kind=MEANING[Kind(row.kind)], subject=row.subject, at=trust.read(row.note).at, note=row.note)
        for row in Statement.objects.order_by("-id")[:SHOWN]
    ]


def page(*, at: datetime) -> dict[str, Any]:
    """All that the integrity page prints."""
    found = queries.integrity(at=at)
    return {
        "found": found,
        "verdict": verdict(found, at=at),
        "doubts": [*found.problems, *queries.doubts(at=at)],
        "certificates": certificates(),
        "runs": [("All of it, each night", found.last_full), ("The last two hours, each hour", found.last_recent)],
        "logs": found.logs[:SHOWN],
        "more_logs": max(0, len(found.logs) - SHOWN),
    }


def _looked(event: ComplianceEvent, what: str) -> str:
    when = f"{event.ts_utc:%d %B %Y at %H:%M} UTC"
    number = event.details.get("events", event.details.get("leaves", "its"))
    if event.outcome == Outcome.SUCCESS:
        return f"{what} was verified on {when}: {number} events, no fault."
    return f"{what} was verified on {when} and {event.details.get('faults', 'some')} faults were found."

"""What the compliance desk looks at: one thing's events in their order, and how sound the trail is as a whole."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Q, QuerySet

from compliance import seal, triggers, trust
from compliance.audit import Action
from compliance.models import Anchor, Checkpoint, ComplianceEvent, Outcome
from compliance.secrets import KeyProblem

FULL_AGE = timedelta(hours=26)
"""All of the trail is verified once a night; two hours are for a night that is long."""
UNSEALED_AGE = timedelta(minutes=1)


def of_order(order_id: uuid.UUID) -> QuerySet[ComplianceEvent]:
    """All that happened to an order, oldest first."""
    return ComplianceEvent.objects.filter(order_id=order_id).order_by("id")


def of_thread(thread_id: uuid.UUID) -> QuerySet[ComplianceEvent]:
    """All that happened in a conversation, its orders' moves among it, oldest first."""
    return ComplianceEvent.objects.filter(thread_id=thread_id).order_by("id")


def of_person(pid: str) -> QuerySet[ComplianceEvent]:
    """What a person ("user:7") did, and what was done for them or about them, newest first: there may be much of it."""
    return ComplianceEvent.objects.filter(Q(actor_pid=pid) | Q(subject_pid=pid)).order_by("-id")


@dataclass(frozen=True, kw_only=True)
class LogState:
    """One log's newest checkpoint. anchored: by sink, the size that stands outside and since when."""

    log: str
    size: int
    root: str
    is_final: bool
    anchored: Mapping[str, tuple[int, datetime]]

    @property
    def is_behind(self) -> bool:
        """Whether a sink lacks events of the newest checkpoint, or none has any."""
        return not self.anchored or any(size < self.size for size, _ in self.anchored.values())


@dataclass(frozen=True, kw_only=True)
class KeyState:
    """revoked_from, until: "" where it is not so."""

    id: str
    verifier: str
    since: str
    until: str
    revoked_from: str


@dataclass(frozen=True, kw_only=True)
class Integrity:
    """How sound the trail is, without looking at all of it again.

    last_full, last_recent: the events that say when it was verified and what came of it (details: ok, events, faults).
    unsealed_s: the age of the oldest event that waits to be sealed.
    """

    last_full: ComplianceEvent | None
    last_recent: ComplianceEvent | None
    unsealed_s: float
    logs: list[LogState]
    keys: list[KeyState]
    problems: list[str] = field(default_factory=list)


def integrity(*, at: datetime) -> Integrity:
    """A page's worth of facts, in a number of queries that does not grow with the trail."""
    problems = [f"trigger {name} is missing, disabled or altered" for name in triggers.missing()]
    try:
        ring = trust.keyring()
        problems += ring.faults
    except KeyProblem as problem:
        ring = trust.Keyring()
        problems.append(problem.message)
    oldest = seal.oldest_unsealed()
    return Integrity(
        last_full=_verified(is_full=True),
        last_recent=_verified(is_full=False),
        unsealed_s=max(0.0, (at - oldest).total_seconds()) if oldest else 0.0,
        logs=logs(),
        keys=[
            KeyState(
                id=key_id, verifier=str(key.verifier), since=key.since, until=key.until, revoked_from=key.revoked_from
            )
            for key_id, key in ring.keys.items()
        ],
        problems=problems,
    )


def doubts(*, at: datetime) -> list[str]:
    """Why the trail may not be whole, in sentences, from what was found last; empty when there is no reason to think
    so. A few short queries."""
    found = [f"The database's guard {name} is missing or altered" for name in triggers.missing()]
    oldest = seal.oldest_unsealed()
    if oldest and at - oldest > UNSEALED_AGE:
        found.append(f"An event waits to be sealed since {oldest:%d %b %H:%M:%S} UTC")
    full, recent = _verified(is_full=True), _verified(is_full=False)
    if full is None:
        found.append("All of it has never been verified")
    elif at - full.ts_utc > FULL_AGE:
        found.append(f"All of it was last verified on {full.ts_utc:%d %b %Y at %H:%M} UTC")
    for event, what in ((full, "all of it"), (recent, "its last two hours")):
        if event and event.outcome != Outcome.SUCCESS:
            faults = event.details.get("faults", "some")
            found.append(f"The verification of {what} on {event.ts_utc:%d %b at %H:%M} UTC found {faults} faults")
    return found


def logs() -> list[LogState]:
    """Every log's newest checkpoint and anchors, newest log first."""
    anchored: dict[str, dict[str, tuple[int, datetime]]] = {}
    confirmed = Anchor.objects.values_list("log", "sink").annotate(size=Max("size"), at=Max("confirmed_at"))
    for log, sink, size, confirmed_at in confirmed:
        anchored.setdefault(log, {})[sink] = (size, confirmed_at)
    newest = Checkpoint.objects.values("log").annotate(newest=Max("id")).values("newest")
    return [
        LogState(
            log=row.log,
            size=row.size,
            root=bytes(row.root).hex(),
            is_final=row.is_final,
            anchored=anchored.get(row.log, {}),
        )
        for row in Checkpoint.objects.filter(pk__in=newest).order_by("-log")
    ]


def head() -> dict[str, Any]:
    """Where the trail stands, JSON-ready, to be written beside a backup: {"events", "logs": {log: {"size", "root"}}}.

    A restored database is behind its anchors exactly when its head is behind the newest one.
    """
    return {
        "events": ComplianceEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0,
        "logs": {state.log: {"size": state.size, "root": state.root} for state in logs()},
    }


def faults() -> int:
    """How many faults the newest verification of all and the newest of the last hours found; 0 before the first."""
    newest = (_verified(is_full=True), _verified(is_full=False))
    return sum(int(found.details["faults"]) for found in newest if found)


def _verified(*, is_full: bool) -> ComplianceEvent | None:
    found = ComplianceEvent.objects.filter(type="MAINTENANCE", action=Action.TRAIL_VERIFIED, details__is_full=is_full)
    return found.order_by("-id").first()

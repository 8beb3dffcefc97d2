"""alertd's side of the main database, for whenever it can be reached: what happened is written there once and in
order, and what people did and code raised is read.

Runs in a thread of its own: a database that hangs holds nobody up but this.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from compliance import audit
from compliance.audit import Action
from compliance.models import ComplianceEvent, Outcome
from nextrade.errors import Refused
from nextrade.ops import thresholds
from nextrade.ops.alerting.engine import Silence as SilenceFact
from nextrade.ops.alerting.raised import Event
from nextrade.ops.models import Alert, Delivery, Heartbeat, Measure, Silence, Watch

log = logging.getLogger(__name__)
ACTOR = "system:alertd"
ACTIONS = {
    "firing": Action.ALERT_FIRED,
    "stale": Action.ALERT_STALE,
    "resolved": Action.ALERT_RESOLVED,
    "escalated": Action.ALERT_ESCALATED,
}
LEASE = timedelta(seconds=60)
LOOK_BACK = 1000
"""Ids below the newest event that was read: who commits late is still heard."""
MOST_AT_ONCE = 200
MOST_NAMED = 20
AGE_OF_NEWS = timedelta(hours=1)
"""How far back the first look for alarms goes."""


class Taken(Refused):
    """Another engine is at work: two would tell everybody everything twice."""

    code = "alertd_taken"


@dataclass(frozen=True, kw_only=True)
class Told:
    """What alertd has to tell. store: which SQLite, on which machine; holder: which process. deliveries: as JSON.
    open_uids: of its open alerts, None while the journal has not told of all of them. measure: of the last minutes, or
    None. seen, since: the alarms that were read, by id, and from where on; None before the first look."""

    store: str
    holder: str
    mode: str
    journal: tuple[dict[str, Any], ...] = ()
    deliveries: tuple[dict[str, Any], ...] = ()
    open_uids: frozenset[str] | None = None
    measure: dict[str, Any] | None = None
    seen: frozenset[int] = frozenset()
    since: int | None = None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What the main database had to tell. acknowledged: (uid, by, Unix time). heard_seq: up to where the journal
    stands."""

    heard_seq: int
    acknowledged: tuple[tuple[str, str, float], ...] = ()
    silences: tuple[SilenceFact, ...] = ()
    raised: tuple[Event, ...] = ()
    since: int = 0
    thresholds: Mapping[str, float] = field(default_factory=dict)


def exchange(told: Told) -> Heard:
    """Write what alertd tells, read what it should know. Raises DatabaseError, and Taken when another engine is at
    work."""
    try:
        with transaction.atomic():
            watch = _take_lease(told)
            heard_seq = _write(told, watch)
        if told.measure:
            at = datetime.fromtimestamp(told.measure["at"], UTC)
            facts = {name: value for name, value in told.measure.items() if name != "at"}
            Measure.objects.update_or_create(at=at, defaults=facts)
        _close_unknown(told.open_uids)
        Heartbeat.objects.update_or_create(name="alertd", defaults={"at": timezone.now()})
        since = _start() if told.since is None else max(told.since, max(told.seen, default=0) - LOOK_BACK)
        return Heard(
            heard_seq=heard_seq,
            acknowledged=_acknowledged(),
            silences=_silences(),
            raised=_raised(since, told.seen),
            since=since,
            thresholds=thresholds.in_force(),
        )
    finally:
        connection.close()


def release(holder: str) -> None:
    """Let another engine begin at once."""
    try:
        Watch.objects.filter(holder=holder).update(lease_until=timezone.now())
    except DatabaseError:
        return
    finally:
        connection.close()


def _take_lease(told: Told) -> Watch:
    now = timezone.now()
    facts = {"store": told.store, "mode": told.mode, "holder": told.holder, "lease_until": now + LEASE}
    watch, _ = Watch.objects.select_for_update().get_or_create(name="alertd", defaults=facts)
    if watch.store != told.store and watch.lease_until > now:  # of one store the machine's lock lets one alertd live
        raise Taken(f"another alertd is at work: {watch.holder}, mode {watch.mode}, until {watch.lease_until:%H:%M:%S}")
    if watch.store != told.store:
        watch.heard_seq = 0
    watch.store, watch.mode, watch.holder, watch.lease_until = told.store, told.mode, told.holder, now + LEASE
    watch.save()
    return watch


def _close_unknown(open_uids: frozenset[str] | None) -> None:
    """Alerts of a store that was lost: nothing is known of them any more, until somebody says that this is right."""
    if open_uids is None:
        return
    unknown = Alert.objects.exclude(state=Alert.State.RESOLVED).exclude(uid__in=open_uids)
    unknown.filter(acknowledged_at=None).update(state=Alert.State.STALE)
    unknown.exclude(acknowledged_at=None).update(state=Alert.State.RESOLVED, resolved_at=timezone.now())


def _start() -> int:
    """Behind which no alarm is read: an installation that is watched for the first time has a past."""
    recent = ComplianceEvent.objects.filter(ts_utc__gte=timezone.now() - AGE_OF_NEWS).order_by("id")
    newest = ComplianceEvent.objects.order_by("-id")
    first = recent.values_list("id", flat=True).first() or (newest.values_list("id", flat=True).first() or 0) + 1
    return first - 1


def _write(told: Told, watch: Watch) -> int:
    """The entries that are not there yet, each with its event. The number of the last one."""
    for entry in told.journal[:MOST_AT_ONCE]:
        if entry["seq"] <= watch.heard_seq:
            continue
        at = datetime.fromtimestamp(entry["at"], UTC)
        audit.record(
            ACTIONS[entry["what"]],
            actor=ACTOR,
            at=at,
            outcome=Outcome.SUCCESS if entry["what"] == "resolved" else Outcome.FAILED,
            details=_facts(entry),
        )
        _mirror(entry, at)
        watch.heard_seq = entry["seq"]
    watch.save(update_fields=["heard_seq"])
    for facts in told.deliveries[:MOST_AT_ONCE]:
        _put_delivery(facts)
    return watch.heard_seq


def _facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    alerts = [{"uid": each["uid"], "text": each["text"], "labels": dict(each["labels"])} for each in entry["alerts"]]
    return {
        "alert": entry["rule"],
        "priority": entry["priority"],
        "count": len(alerts),
        "alerts": alerts[:MOST_NAMED],
    }


def _mirror(entry: Mapping[str, Any], at: datetime) -> None:
    known = {row.uid: row for row in Alert.objects.filter(uid__in=[each["uid"] for each in entry["alerts"]])}
    for each in entry["alerts"]:
        row = known.get(each["uid"]) or Alert(uid=each["uid"], fired_at=at)
        row.rule, row.priority, row.labels = entry["rule"], entry["priority"], dict(each["labels"])
        row.text, row.value, row.state, row.changed_at = each["text"], each["value"], each["state"], at
        if entry["what"] == "resolved":
            row.resolved_at = at
        if entry["what"] == "escalated":
            row.escalated_at = at
        row.save()


def _put_delivery(facts: Mapping[str, Any]) -> None:
    notice = facts["notice"]
    Delivery.objects.update_or_create(
        number=facts["id"],
        made_at=datetime.fromtimestamp(notice["at"], UTC),
        defaults={
            "channel": facts["channel"],
            "rule": notice["rule"],
            "kind": notice["kind"],
            "priority": notice["priority"],
            "text": "\n".join(notice["lines"])[:4000],
            "status": facts["status"],
            "attempts": facts["attempts"],
            "code": facts["code"],
            "error": facts["error"],
            "instead_of": facts["instead_of"],
            "changed_at": timezone.now(),
        },
    )


def _acknowledged() -> tuple[tuple[str, str, float], ...]:
    rows = Alert.objects.exclude(state=Alert.State.RESOLVED).exclude(acknowledged_at=None)
    return tuple((row.uid, row.acknowledged_by, row.acknowledged_at.timestamp()) for row in rows if row.acknowledged_at)


def _silences() -> tuple[SilenceFact, ...]:
    rows = Silence.objects.filter(ends_at__gt=timezone.now())
    return tuple(
        SilenceFact(
            id=row.pk,
            rule=row.rule,
            labels=row.labels,
            from_s=row.starts_at.timestamp(),
            until_s=row.ends_at.timestamp(),
        )
        for row in rows
    )


def _raised(since: int, seen: frozenset[int]) -> tuple[Event, ...]:
    rows = ComplianceEvent.objects.filter(action=Action.ALERT_RAISED, id__gt=since).order_by("id")
    fresh = (row for row in rows[: LOOK_BACK * 10] if row.pk not in seen)
    return tuple(Event(id=row.pk, name=str(row.details.get("alert", "")), details=row.details) for row in fresh)

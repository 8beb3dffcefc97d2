"""What people do about alerts, from the admin or a terminal; alertd reads it within seconds."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction

from compliance import audit
from compliance.audit import Action
from nextrade.errors import Missing, NotPermitted, Refused
from nextrade.ops.models import Alert, Silence, Ticket
from nextrade.ops.rules import RULES

RIGHT = "ops.handle_alert"
LONGEST = timedelta(days=7)


def acknowledge(alert_id: int, *, by: User, at: datetime) -> Alert:
    """Take it up: no repeat, no escalation. Ends an alarm, and an alert that has no data any more.

    Raises Missing, NotPermitted, Refused.
    """
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        _require_right(by)
        alert = Alert.objects.select_for_update().filter(pk=alert_id).first()
        if alert is None:
            raise Missing("there is no such alert")
        if alert.state == Alert.State.RESOLVED:
            raise Refused("it is over", code="alert_over")
        alert.acknowledged_by, alert.acknowledged_at = by.get_username()[:40], at
        alert.save(update_fields=["acknowledged_by", "acknowledged_at"])
        details = {"alert": alert.rule, "uid": alert.uid, "state": alert.state}
        audit.record(Action.ALERT_ACKNOWLEDGED, actor=audit.person(by), at=at, details=details)
    return alert


def silence(
    rule: str, *, lasts: timedelta, reason: str, by: User, at: datetime, labels: Mapping[str, str] | None = None
) -> Silence:
    """Have nobody told of a rule's alerts for a while; "*": of any, for maintenance.

    Raises NotPermitted, Refused.
    """
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        _require_right(by)
        if not reason.strip():
            raise Refused("a silence needs a reason", code="reason_missing")
        if not timedelta(0) < lasts <= LONGEST:
            raise Refused(f"a silence lasts up to {LONGEST.days} days", code="silence_too_long")
        known = {each.name for each in RULES} | set(Alert.objects.values_list("rule", flat=True).distinct())
        if rule != "*" and rule not in known:
            raise Refused(f"there is no rule {rule}", code="unknown_rule")
        made = Silence.objects.create(
            rule=rule,
            labels=dict(labels or {}),
            starts_at=at,
            ends_at=at + lasts,
            reason=reason.strip()[:200],
            author=by,
        )
        details = {"alert": rule, "labels": made.labels, "until": made.ends_at.isoformat(), "reason": made.reason}
        audit.record(Action.ALERTS_SILENCED, actor=audit.person(by), at=at, details=details)
    return made


def end_silence(silence_id: int, *, by: User, at: datetime) -> Silence:
    """Let people be told again, from now on. Raises Missing, NotPermitted, Refused."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        _require_right(by)
        row = Silence.objects.select_for_update().filter(pk=silence_id).first()
        if row is None:
            raise Missing("there is no such silence")
        if row.ends_at <= at:
            raise Refused("it is over", code="silence_over")
        row.ends_at = max(at, row.starts_at + timedelta(microseconds=1))
        row.save(update_fields=["ends_at"])
        details = {"alert": row.rule, "silence": row.pk}
        audit.record(Action.SILENCE_ENDED, actor=audit.person(by), at=at, details=details)
    return row


def close_ticket(ticket_id: int, *, by: User, at: datetime) -> Ticket:
    """Say that its work is done. Raises Missing, NotPermitted, Refused."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        _require_right(by)
        ticket = Ticket.objects.select_for_update().filter(pk=ticket_id).first()
        if ticket is None:
            raise Missing("there is no such ticket")
        if ticket.closed_at:
            raise Refused("it is closed", code="ticket_closed")
        ticket.closed_at, ticket.closed_by = at, by
        ticket.save(update_fields=["closed_at", "closed_by"])
        audit.record(Action.TICKET_CLOSED, actor=audit.person(by), at=at, details={"ticket": ticket.key})
    return ticket


def _require_right(by: User) -> None:
    if not by.has_perm(RIGHT):
        raise NotPermitted("this takes the right to handle alerts")

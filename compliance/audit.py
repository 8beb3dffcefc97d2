"""The one way into the audit trail.

Context: an event must stand exactly when the change that it tells of stands. Choice: `record` writes in the caller's
transaction and refuses to work outside of one; a refusal, whose transaction rolls back, is written after the rollback
by `refusals`. Cost: a change whose event cannot be written does not happen.
"""

import contextlib
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

import rfc8785
import structlog
from django.db import models, transaction

from compliance import mac, metrics, privacy, projection
from compliance.models import ComplianceEvent, EventType, Outcome, RetentionClass, Severity
from nextrade.errors import Missing, NexTradeError


class Action(models.TextChoices):
    CHAT_REQUEST = "chat_request"
    INPUT = "input"
    OUTPUT = "output"
    INPUT_VALIDATION_FAILED = "input_validation_failed"
    OUTPUT_VALIDATION_FAILED = "output_validation_failed"
    THREAD_DELETED = "thread_deleted"
    ORDER_PROPOSED = "order_proposed"
    ORDER_DENIED = "order_denied"
    ORDER_WITHDRAWN = "order_withdrawn"
    ORDER_LAPSED = "order_lapsed"
    ORDER_CANCEL_REQUESTED = "order_cancel_requested"
    ORDER_APPROVED = "order_approved"
    ORDER_APPROVAL_GIVEN = "order_approval_given"
    ORDER_DECLINED = "order_declined"
    ORDER_SUBMITTED = "order_submitted"
    ORDER_IN_DOUBT = "order_in_doubt"
    ORDER_ACKNOWLEDGED = "order_acknowledged"
    ORDER_PARTIALLY_FILLED = "order_partially_filled"
    ORDER_FILLED = "order_filled"
    ORDER_CANCELED = "order_canceled"
    ORDER_EXPIRED = "order_expired"
    ORDER_REJECTED = "order_rejected"
    REFUSED = "refused"
    LOGIN = "login"
    LOGIN_FAILED = "login_failed"
    LOGOUT = "logout"
    SECOND_FACTOR = "second_factor"
    SECOND_FACTOR_RESET = "second_factor_reset"
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    DEMO_CAST = "demo_cast"
    ACCOUNT_OPENED = "account_opened"
    LIMITS_SET = "limits_set"
    LIMITS_APPROVED = "limits_approved"
    SWITCH_TURNED = "switch_turned"
    BREAK_FOUND = "break_found"
    BREAK_RESOLVED = "break_resolved"
    HALT_DRILL = "halt_drill"
    ALERT_RAISED = "alert_raised"
    ALERT_FIRED = "alert_fired"
    ALERT_STALE = "alert_stale"
    ALERT_RESOLVED = "alert_resolved"
    ALERT_ESCALATED = "alert_escalated"
    ALERT_ACKNOWLEDGED = "alert_acknowledged"
    ALERTS_SILENCED = "alerts_silenced"
    SILENCE_ENDED = "silence_ended"
    TICKET_CLOSED = "ticket_closed"
    ALERT_TESTED = "alert_tested"
    RESTRICTED_ADDED = "restricted_added"
    RESTRICTED_REMOVED = "restricted_removed"
    TRADING_HALTED = "trading_halted"
    TRADING_RESUMED = "trading_resumed"
    CONFLICT_CHANGED = "conflict_changed"
    DELEGATION_CHANGED = "delegation_changed"
    TRAIL_RESTORED = "trail_restored"
    BACKUP_RESTORED = "backup_restored"
    TRAIL_EXPORTED = "trail_exported"
    TRAIL_PURGED = "trail_purged"
    KEY_ROTATED = "key_rotated"
    KEY_REVOKED = "key_revoked"
    BREAKER_RESET = "breaker_reset"
    THRESHOLD_CHANGED = "threshold_changed"
    PRICE_SET = "price_set"
    USER_CREATED = "user_created"
    USER_CHANGED = "user_changed"
    USER_DELETED = "user_deleted"
    GROUPS_CHANGED = "groups_changed"
    PERMISSIONS_CHANGED = "permissions_changed"
    ADMIN_ACTION = "admin_action"
    PERSONAL_DATA_VIEWED = "personal_data_viewed"
    PROCESS_STARTED = "process_started"
    MAINTENANCE_RUN = "maintenance_run"
    MAINTENANCE_REQUESTED = "maintenance_requested"
    TRAIL_VERIFIED = "trail_verified"
    RETENTION_APPLIED = "retention_applied"
    HOLD_SET = "hold_set"
    HOLD_LIFTED = "hold_lifted"
    REVIEW_ASSIGNED = "review_assigned"
    REVIEW_NOTED = "review_noted"
    REVIEW_SIGNED_OFF = "review_signed_off"
    PERSONAL_DATA_EXPORTED = "personal_data_exported"
    PERSON_ERASED = "person_erased"
    PERSON_KEYS_DESTROYED = "person_keys_destroyed"
    DOSSIER_EXPORTED = "dossier_exported"
    CHECKLIST_SIGNED = "checklist_signed"
    BREAK_GLASS_TAKEN = "break_glass_taken"
    BREAK_GLASS_ENDED = "break_glass_ended"
    SERVICE_ACCOUNT_MADE = "service_account_made"
    SERVICE_ACCOUNT_ENDED = "service_account_ended"
    IDENTITY_LINKED = "identity_linked"


TYPE_OF: Mapping[Action, EventType] = MappingProxyType(
    {
        Action.CHAT_REQUEST: EventType.USER_ACTION,
        Action.THREAD_DELETED: EventType.USER_ACTION,
        Action.INPUT: EventType.VALIDATION,
        Action.OUTPUT: EventType.VALIDATION,
        Action.INPUT_VALIDATION_FAILED: EventType.SAFETY_VIOLATION,
        Action.OUTPUT_VALIDATION_FAILED: EventType.SAFETY_VIOLATION,
        Action.ORDER_PROPOSED: EventType.ORDER,
        Action.ORDER_DENIED: EventType.ORDER,
        Action.ORDER_WITHDRAWN: EventType.ORDER,
        Action.ORDER_LAPSED: EventType.ORDER,
        Action.ORDER_CANCEL_REQUESTED: EventType.ORDER,
        Action.ORDER_APPROVED: EventType.APPROVAL,
        Action.ORDER_APPROVAL_GIVEN: EventType.APPROVAL,
        Action.ORDER_DECLINED: EventType.APPROVAL,
        Action.ORDER_SUBMITTED: EventType.EXECUTION,
        Action.ORDER_IN_DOUBT: EventType.EXECUTION,
        Action.ORDER_ACKNOWLEDGED: EventType.EXECUTION,
        Action.ORDER_PARTIALLY_FILLED: EventType.EXECUTION,
        Action.ORDER_FILLED: EventType.EXECUTION,
        Action.ORDER_CANCELED: EventType.EXECUTION,
        Action.ORDER_EXPIRED: EventType.EXECUTION,
        Action.ORDER_REJECTED: EventType.EXECUTION,
        Action.REFUSED: EventType.ACCESS,
        Action.LOGIN: EventType.ACCESS,
        Action.LOGIN_FAILED: EventType.ACCESS,
        Action.LOGOUT: EventType.ACCESS,
        Action.SECOND_FACTOR: EventType.ACCESS,
        Action.SECOND_FACTOR_RESET: EventType.ACCESS,
        Action.TOKEN_REVOKED: EventType.ACCESS,
        Action.DEMO_CAST: EventType.ACCESS,
        Action.ACCOUNT_OPENED: EventType.SYSTEM,
        Action.LIMITS_SET: EventType.SYSTEM,
        Action.LIMITS_APPROVED: EventType.SYSTEM,
        Action.SWITCH_TURNED: EventType.SYSTEM,
        Action.BREAK_FOUND: EventType.SYSTEM,
        Action.BREAK_RESOLVED: EventType.SYSTEM,
        Action.HALT_DRILL: EventType.MAINTENANCE,
        Action.ALERT_RAISED: EventType.ALERT,
        Action.ALERT_FIRED: EventType.ALERT,
        Action.ALERT_STALE: EventType.ALERT,
        Action.ALERT_RESOLVED: EventType.ALERT,
        Action.ALERT_ESCALATED: EventType.ALERT,
        Action.ALERT_ACKNOWLEDGED: EventType.ALERT,
        Action.ALERTS_SILENCED: EventType.ALERT,
        Action.SILENCE_ENDED: EventType.ALERT,
        Action.TICKET_CLOSED: EventType.ALERT,
        Action.ALERT_TESTED: EventType.ALERT,
        Action.RESTRICTED_ADDED: EventType.SYSTEM,
        Action.RESTRICTED_REMOVED: EventType.SYSTEM,
        Action.TRADING_HALTED: EventType.SYSTEM,
        Action.TRADING_RESUMED: EventType.SYSTEM,
        Action.CONFLICT_CHANGED: EventType.SYSTEM,
        Action.DELEGATION_CHANGED: EventType.SYSTEM,
        Action.TRAIL_RESTORED: EventType.SYSTEM,
        Action.BACKUP_RESTORED: EventType.SYSTEM,
        Action.TRAIL_EXPORTED: EventType.SYSTEM,
        Action.TRAIL_PURGED: EventType.SYSTEM,
        Action.KEY_ROTATED: EventType.SYSTEM,
        Action.KEY_REVOKED: EventType.SYSTEM,
        Action.BREAKER_RESET: EventType.SYSTEM,
        Action.THRESHOLD_CHANGED: EventType.SYSTEM,
        Action.PRICE_SET: EventType.SYSTEM,
        Action.USER_CREATED: EventType.ACCESS,
        Action.USER_CHANGED: EventType.ACCESS,
        Action.USER_DELETED: EventType.ACCESS,
        Action.GROUPS_CHANGED: EventType.ACCESS,
        Action.PERMISSIONS_CHANGED: EventType.ACCESS,
        Action.ADMIN_ACTION: EventType.ACCESS,
        Action.PERSONAL_DATA_VIEWED: EventType.PRIVACY,
        Action.PROCESS_STARTED: EventType.SYSTEM,
        Action.MAINTENANCE_RUN: EventType.MAINTENANCE,
        Action.MAINTENANCE_REQUESTED: EventType.MAINTENANCE,
        Action.TRAIL_VERIFIED: EventType.MAINTENANCE,
        Action.RETENTION_APPLIED: EventType.MAINTENANCE,
        Action.HOLD_SET: EventType.SYSTEM,
        Action.HOLD_LIFTED: EventType.SYSTEM,
        Action.REVIEW_ASSIGNED: EventType.USER_ACTION,
        Action.REVIEW_NOTED: EventType.USER_ACTION,
        Action.REVIEW_SIGNED_OFF: EventType.USER_ACTION,
        Action.PERSONAL_DATA_EXPORTED: EventType.PRIVACY,
        Action.PERSON_ERASED: EventType.PRIVACY,
        Action.PERSON_KEYS_DESTROYED: EventType.PRIVACY,
        Action.DOSSIER_EXPORTED: EventType.PRIVACY,
        Action.CHECKLIST_SIGNED: EventType.USER_ACTION,
        Action.BREAK_GLASS_TAKEN: EventType.ACCESS,
        Action.BREAK_GLASS_ENDED: EventType.ACCESS,
        Action.SERVICE_ACCOUNT_MADE: EventType.ACCESS,
        Action.SERVICE_ACCOUNT_ENDED: EventType.ACCESS,
        Action.IDENTITY_LINKED: EventType.ACCESS,
    }
)
SAFE_INTEGER = 2**53
"""From here on JSON's readers disagree (RFC 8785, RFC 7493)."""
WARNINGS = frozenset(
    {
        Action.INPUT_VALIDATION_FAILED,
        Action.OUTPUT_VALIDATION_FAILED,
        Action.REFUSED,
        Action.LOGIN_FAILED,
        Action.TRADING_HALTED,
        Action.TRAIL_RESTORED,
        Action.BACKUP_RESTORED,
        Action.KEY_REVOKED,
        Action.BREAK_GLASS_TAKEN,
    }
)


def person(user: models.Model) -> str:
    """The pseudonymous id by which the trail knows a user."""
    return f"user:{user.pk}"


def record(action: Action, *, actor: str, at: datetime, **facts: Any) -> ComplianceEvent:
    """Append one event in the transaction of the change: `draft` (whose arguments these are) and `append`."""
    event = draft(action, actor=actor, at=at, **facts)
    append(event)
    return event


def draft(
    action: Action,
    *,
    actor: str,
    at: datetime,
    details: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
    on_behalf_of: str = "",
    order_id: uuid.UUID | None = None,
    thread_id: uuid.UUID | None = None,
    outcome: Outcome = Outcome.SUCCESS,
) -> ComplianceEvent:
    """An event, signed and not yet kept: what may be done before the transaction, while others write.

    details: JSON-ready facts, money and quantities as strings (RFC 8785 would round a float its own way).
    personal: facts that tell of a person, such as their words: encrypted, and unreadable once the person is erased.
    Raises ValueError for an action outside `Action`, a time without a zone and details that are none of these.
    """
    action = Action(action)
    if at.tzinfo is None:
        raise ValueError("an event's time needs its zone")
    person_pid = on_behalf_of or (actor if actor.startswith("user:") else "")
    event = ComplianceEvent(
        ts_utc=at,
        retention_class=RetentionClass.TRANSACTION if order_id else RetentionClass.COMPLIANCE,
        type=TYPE_OF[action],
        action=action.value,
        severity=Severity.WARNING if action in WARNINGS else Severity.INFO,
        outcome=outcome,
        actor_pid=actor,
        on_behalf_of=on_behalf_of,
        subject_pid=person_pid,
        order_id=order_id,
        thread_id=thread_id,
        request_id=structlog.contextvars.get_contextvars().get("request_id", ""),
        details=plain(details or {}),
    )
    if personal:
        event.schema_v = 2
        privacy.seal(event, plain(personal))
    event.canonical = rfc8785.dumps(event.facts())
    event.writer_mac, event.mac_key_id = mac.sign(event.canonical, at=at)
    return event


def append(*events: ComplianceEvent) -> None:
    """Keep them in the transaction of their change, and write their lines to compliance.log once that is committed.

    Raises TransactionManagementError outside a transaction.
    """
    if not transaction.get_connection().in_atomic_block:
        raise transaction.TransactionManagementError("an audit event needs the transaction of its change")
    ComplianceEvent.objects.bulk_create(events)
    for event in events:
        transaction.on_commit(partial(_publish, event))


def plain(value: Any) -> Any:
    """What each database keeps and each reader spells the same: text, whole numbers below 2^53, true, false, null, and
    lists and objects of these. Half of a surrogate pair, which is no text, becomes U+FFFD; NUL, which PostgreSQL does
    not keep, U+2400. Raises ValueError for anything else, a float above all."""
    match value:
        case None | bool():
            return value
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\u2400")
        case int() if abs(value) < SAFE_INTEGER:
            return value
        case Mapping():
            return {plain(str(name)): plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    raise ValueError(f"an event's details may not hold {value!r}: say it as text")


def _publish(event: ComplianceEvent) -> None:
    metrics.count(event)
    projection.write(event)


@contextlib.contextmanager
def refusals(
    *, actor: str, at: datetime, order_id: uuid.UUID | None = None, thread_id: uuid.UUID | None = None
) -> Iterator[None]:
    """Write down why a person was refused, after the refused transaction has rolled back; then let the error go on.

    Must stand outside the transaction: `with audit.refusals(...), transaction.atomic(durable=True):`
    """
    try:
        yield
    except Missing:
        raise
    except NexTradeError as error:
        with transaction.atomic():
            record(
                Action.REFUSED,
                actor=actor,
                at=at,
                order_id=order_id,
                thread_id=thread_id,
                outcome=Outcome.REFUSED,
                details={"code": error.reason, "message": error.message},
            )
        raise


def history(order_id: uuid.UUID) -> list[dict[str, Any]]:
    """What became of an order, oldest first: {"at", "action", "actor", "from", "to", "version", "reason"}."""
    events = ComplianceEvent.objects.filter(order_id=order_id).order_by("id")
    return [
        {
            "at": ts_utc,
            "action": action,
            "actor": actor,
            "from": details.get("from"),
            "to": details.get("to"),
            "version": details.get("version"),
            "reason": details.get("reason") or details.get("message", ""),
        }
        for ts_utc, action, actor, details in events.values_list("ts_utc", "action", "actor_pid", "details")
    ]

import uuid
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from django.db import models
from django.db.models import Q

from compliance.ledger import Anchor, Checkpoint, Leaf, Node, Receipt, Statement
from compliance.review_models import ReviewItem, ReviewNote

__all__ = (
    "Anchor",
    "Checkpoint",
    "ComplianceEvent",
    "Leaf",
    "LegalHold",
    "Node",
    "Receipt",
    "RestrictedSymbol",
    "ReviewItem",
    "ReviewNote",
    "Statement",
)


class EventType(models.TextChoices):
    USER_ACTION = "USER_ACTION"
    SAFETY_VIOLATION = "SAFETY_VIOLATION"
    VALIDATION = "VALIDATION"
    ORDER = "ORDER"
    APPROVAL = "APPROVAL"
    EXECUTION = "EXECUTION"
    ACCESS = "ACCESS"
    SYSTEM = "SYSTEM"
    ALERT = "ALERT"
    MAINTENANCE = "MAINTENANCE"
    PRIVACY = "PRIVACY"


class Severity(models.TextChoices):
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Outcome(models.TextChoices):
    SUCCESS = "success"
    REFUSED = "refused"
    FAILED = "failed"


class RetentionClass(models.TextChoices):
    TRANSACTION = "txn", "transaction, 7 years"
    COMPLIANCE = "compliance", "compliance, 3 years"


class ComplianceEvent(models.Model):
    """One thing that happened. Append-only: triggers refuse UPDATE, DELETE and replacement (compliance.triggers).

    canonical: the RFC 8785 bytes of the facts; every other column but id repeats a part of them, for search and
    display. actor_pid, on_behalf_of, subject_pid: pseudonymous ids ("user:7", "agent:portfolio", "system:executor").
    writer_mac: HMAC of canonical by the writers' key of mac_key_id, which guards what is not sealed yet.
    pii_ct, pii_key_id: personal facts, encrypted, and by whose key (compliance.privacy); their hash is in canonical.
    """

    event_uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    ts_utc = models.DateTimeField("time", db_index=True)
    retention_class = models.CharField(max_length=16, choices=RetentionClass)
    type = models.CharField(max_length=32, choices=EventType)
    action = models.CharField(max_length=64)
    severity = models.CharField(max_length=16, choices=Severity)
    outcome = models.CharField(max_length=16, choices=Outcome)
    actor_pid = models.CharField("actor", max_length=64)
    on_behalf_of = models.CharField(max_length=64, blank=True)
    subject_pid = models.CharField("person", max_length=64, blank=True)
    order_id = models.UUIDField("order", null=True, blank=True)
    thread_id = models.UUIDField("thread", null=True, blank=True)
    request_id = models.CharField("request", max_length=64, blank=True)
    details = models.JSONField(default=dict)
    schema_v = models.PositiveSmallIntegerField(default=1)
    canonical = models.BinaryField()
    pii_ct = models.BinaryField(null=True)
    pii_key_id = models.CharField(max_length=64, blank=True)
    writer_mac = models.BinaryField(null=True)
    mac_key_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "audit event"
        verbose_name_plural = "audit trail"
        indexes = (
            models.Index(fields=["type", "-id"], name="compliance_event_type"),
            models.Index(fields=["subject_pid", "-id"], name="compliance_event_person"),
            models.Index(fields=["actor_pid", "-id"], name="compliance_event_actor"),
            models.Index(fields=["order_id", "id"], name="compliance_event_order"),
            models.Index(fields=["thread_id", "id"], name="compliance_event_thread"),
            models.Index(fields=["action", "-id"], name="compliance_event_action"),
            models.Index(fields=["request_id"], name="compliance_event_request", condition=~Q(request_id="")),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.type} {self.action}"

    def facts(self) -> dict[str, Any]:
        """What `canonical` holds, from the columns: two must agree for an event to be believed."""
        return {
            **self._personal(),
            "event_uuid": str(self.event_uuid),
            "ts_utc": timestamp(self.ts_utc),
            "retention_class": str(self.retention_class),
            "type": str(self.type),
            "action": str(self.action),
            "severity": str(self.severity),
            "outcome": str(self.outcome),
            "actor_pid": self.actor_pid,
            "on_behalf_of": self.on_behalf_of,
            "subject_pid": self.subject_pid,
            "order_id": str(self.order_id) if self.order_id else None,
            "thread_id": str(self.thread_id) if self.thread_id else None,
            "request_id": self.request_id,
            "details": self.details,
            "schema_v": self.schema_v,
        }

    def _personal(self) -> dict[str, str]:
        if self.pii_ct is None:
            return {}
        return {"pii_key_id": self.pii_key_id, "pii_sha256": sha256(bytes(self.pii_ct)).hexdigest()}


class RestrictedSymbol(models.Model):
    """A symbol that the firm does not trade, for a reason that compliance knows."""

    symbol = models.CharField(max_length=12, unique=True)
    reason = models.CharField(max_length=200)
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "restricted symbol"

    def __str__(self) -> str:
        return f"#{self.pk} {self.symbol}"


class LegalHold(models.Model):
    """What must not be deleted for now, whatever its age and whoever asks: everything, a person's or an order's.

    subject: "everything", "user:7" or "order:<id>". Holds until it is lifted.
    """

    subject = models.CharField(max_length=64, db_index=True)
    reason = models.CharField(max_length=200)
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=64, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "legal hold"

    def __str__(self) -> str:
        return f"#{self.pk} {self.subject}"


def timestamp(at: datetime) -> str:
    """ISO 8601 in UTC with six digits and Z: the one spelling of a moment that is hashed."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

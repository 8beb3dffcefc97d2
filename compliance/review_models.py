from django.conf import settings
from django.db import models
from django.db.models import Q


class ReviewItem(models.Model):
    """One event that a supervisor looks at, who does, and what came of it. Every step is an event too.

    event_id: no foreign key, since the trail's rows go with their retention. whose: who did it, or for whom.
    """

    class Kind(models.TextChoices):
        VIOLATION = "violation", "safety violation"
        TAINTED = "tainted", "not in own words"
        OVERRIDE = "override", "check overruled"
        LATE = "late", "late approval"
        LIMITS = "limits", "limit or switch changed"
        RIGHTS = "rights", "rights changed"
        CHOSEN = "chosen", "chosen from the trail"

    class Conclusion(models.TextChoices):
        IN_ORDER = "in_order", "in order"
        FOLLOW_UP = "follow_up", "to be followed up"
        BREACH = "breach", "a breach"

    event_id = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=16, choices=Kind)
    order_id = models.UUIDField(null=True, blank=True)
    whose = models.CharField(max_length=64)
    happened_at = models.DateTimeField()
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField(null=True, blank=True)
    conclusion = models.CharField(max_length=16, choices=Conclusion, blank=True)

    class Meta:
        verbose_name = "review"
        permissions = (("sign_off", "Can assign, note and sign off reviews"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(signed_at=None, signed_by=None, conclusion="")
                | (Q(signed_at__isnull=False, signed_by__isnull=False) & ~Q(conclusion="")),
                name="compliance_review_signed_whole",
            ),
        )
        indexes = (
            models.Index(fields=["happened_at"], condition=Q(signed_at=None), name="compliance_review_open"),
            models.Index(fields=["signed_at"], name="compliance_review_signed"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} of event {self.event_id}"


class ReviewNote(models.Model):
    item = models.ForeignKey(ReviewItem, on_delete=models.PROTECT, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.text[:40]}"

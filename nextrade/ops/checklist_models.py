"""The operator's day, week, month and quarter: what was looked at, what was found, and who signed it off."""

from django.conf import settings
from django.db import models
from django.db.models import Q


class ChecklistRun(models.Model):
    """One list of one period, with its evidence as it was gathered.

    period: "2026-11-23", "2026-W48", "2026-11" or "2026-Q4", in UTC.
    """

    class Kind(models.TextChoices):
        DAILY = "daily"
        WEEKLY = "weekly"
        MONTHLY = "monthly"
        QUARTERLY = "quarterly"

    kind = models.CharField(max_length=10, choices=Kind)
    period = models.CharField(max_length=10)
    verdict = models.CharField(max_length=8)
    gathered_at = models.DateTimeField()
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    signed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "checklist"
        permissions = (("sign_checklist", "Can sign off checklists"),)
        constraints = (
            models.UniqueConstraint(fields=["kind", "period"], name="ops_checklist_one_a_period"),
            models.CheckConstraint(
                condition=Q(signed_by=None, signed_at=None) | Q(signed_by__isnull=False, signed_at__isnull=False),
                name="ops_checklist_signed_whole",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.period}"


class ChecklistItem(models.Model):
    """One thing looked at. verdict: ok, warn, unknown or fail; of what only a person can judge, unknown."""

    run = models.ForeignKey(ChecklistRun, on_delete=models.CASCADE, related_name="items")
    name = models.CharField(max_length=60)
    verdict = models.CharField(max_length=8)
    said = models.TextField()

    def __str__(self) -> str:
        return f"#{self.pk} {self.name} {self.verdict}"

"""What the system costs beyond its language models, as somebody reads it from a bill."""

from django.db import models
from django.db.models import Q


class CostEntry(models.Model):
    """One line of a bill. month: any day of it.

    No constraint may need a function of Django's in SQLite: whoever opens the file without Django could not read it.
    """

    class Kind(models.TextChoices):
        CLOUD = "cloud"
        STORAGE = "storage"
        MONITORING = "monitoring"
        OTHER = "other"

    month = models.DateField(help_text="any day of the month that the bill is for")
    kind = models.CharField(max_length=12, choices=Kind)
    usd = models.DecimalField("USD", max_digits=12, decimal_places=2)
    note = models.CharField(max_length=200, help_text="which bill, which line")

    class Meta:
        verbose_name = "cost"
        constraints = (models.CheckConstraint(condition=Q(usd__gte=0), name="ops_costentry_not_negative"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.month:%Y-%m} {self.kind}"

from django.db import models


class Threshold(models.Model):
    """A threshold that somebody set other than the catalogue has it. Every change is an event of the trail."""

    rule = models.CharField(max_length=80, primary_key=True)
    value = models.FloatField()
    reason = models.CharField(max_length=200)
    set_by = models.CharField(max_length=64)
    set_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.rule} {self.value:.12g}"

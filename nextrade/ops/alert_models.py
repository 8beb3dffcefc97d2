"""What alertd tells the admin, and what people in the admin tell alertd."""

from django.contrib.auth.models import User
from django.db import models


class Alert(models.Model):
    """One thing that was wrong, from its firing to its end. Written by alertd; acknowledged by people.

    uid: alertd's name of it. value: of the rule's expression when it last changed. acknowledged_at: read by alertd.
    """

    class State(models.TextChoices):
        FIRING = "firing"
        STALE = "stale", "no data"
        RESOLVED = "resolved"

    uid = models.CharField(max_length=40, unique=True)
    rule = models.CharField(max_length=80)
    priority = models.CharField(max_length=4)
    labels = models.JSONField(default=dict)
    text = models.TextField()
    value = models.FloatField()
    state = models.CharField(max_length=10, choices=State)
    fired_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=40, blank=True)
    acknowledged_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (models.Index(fields=["state", "fired_at"], name="ops_alert_open"),)
        permissions = (("handle_alert", "Can acknowledge and silence alerts"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.rule}"


class Silence(models.Model):
    """Nobody is told of these alerts for a while. rule: "*" for all of them, a maintenance window."""

    rule = models.CharField(max_length=80)
    labels = models.JSONField(default=dict, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    author = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="ops_silence_ends_later"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.rule}"


class Delivery(models.Model):
    """One notice for one channel. Written by alertd. number: alertd's own, of that installation of it."""

    class Status(models.TextChoices):
        WAITING = "waiting"
        SENT = "sent"
        FAILED = "failed"

    number = models.BigIntegerField()
    made_at = models.DateTimeField()
    channel = models.CharField(max_length=20)
    rule = models.CharField(max_length=80)
    kind = models.CharField(max_length=20)
    priority = models.CharField(max_length=4)
    text = models.TextField()
    status = models.CharField(max_length=10, choices=Status)
    attempts = models.PositiveIntegerField()
    code = models.CharField("answer", max_length=20, blank=True)
    error = models.CharField(max_length=200, blank=True)
    instead_of = models.CharField(max_length=20, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["number", "made_at"], name="ops_delivery_once"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.channel} {self.rule}"


class Ticket(models.Model):
    """Work that can wait for the next business day. key: of the alert's episode, so that it is one ticket."""

    key = models.CharField(max_length=255, unique=True)
    rule = models.CharField(max_length=80)
    priority = models.CharField(max_length=4)
    text = models.TextField()
    count = models.PositiveIntegerField(default=1)
    opened_at = models.DateTimeField()
    due = models.DateField()
    resolved_at = models.DateTimeField("trouble over", null=True)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"#{self.pk} {self.rule}"


class Measure(models.Model):
    """Five minutes of the desk as alertd saw them. Times of answers in seconds, None without any."""

    at = models.DateTimeField(unique=True)
    requests = models.FloatField()
    errors = models.FloatField()
    mean_s = models.FloatField(null=True)
    p95_s = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"#{self.pk} {self.at:%H:%M}"


class Watch(models.Model):
    """The engine that is at work, one row: who, until when nobody else may be, and up to where its journal stands here.

    store: alertd's SQLite, by its own name; another one begins its journal anew.
    """

    name = models.CharField(max_length=10, primary_key=True, default="alertd")
    store = models.CharField(max_length=64)
    mode = models.CharField(max_length=20)
    holder = models.CharField(max_length=120)
    lease_until = models.DateTimeField()
    heard_seq = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"#{self.name} {self.mode}"

from django.db import models

from nextrade.ops.alert_models import Alert, Delivery, Measure, Silence, Ticket, Watch
from nextrade.ops.checklist_models import ChecklistItem, ChecklistRun
from nextrade.ops.cost_models import CostEntry
from nextrade.ops.identity_models import BreakGlass, ProviderIdentity, ServiceAccount
from nextrade.ops.maintenance_models import KnownJob, MaintenanceRun, MetricAggregate
from nextrade.ops.threshold_models import Threshold

__all__ = [
    "Alert",
    "BreakGlass",
    "ChecklistItem",
    "ChecklistRun",
    "CostEntry",
    "Delivery",
    "Heartbeat",
    "IdempotentReply",
    "KnownJob",
    "MaintenanceRun",
    "Measure",
    "MetricAggregate",
    "ProviderIdentity",
    "RateWindow",
    "ServiceAccount",
    "Silence",
    "Threshold",
    "Ticket",
    "Watch",
]


class Heartbeat(models.Model):
    """The last time that something which must keep running did run."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()

    class Meta:
        permissions = (("view_health", "Can see why a component fails"),)

    def __str__(self) -> str:
        return f"#{self.name} {self.at:%H:%M:%S}"


class RateWindow(models.Model):
    """How often somebody asked since the start of their window; counted in one statement (nextrade.api)."""

    key = models.CharField(max_length=100, primary_key=True)
    started_s = models.FloatField("started, seconds since 1970")
    count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"#{self.key} {self.count}"


class IdempotentReply(models.Model):
    """The first answer to a POST with an Idempotency-Key, given again to its repeats. status 0: still being made."""

    key = models.CharField(max_length=64, primary_key=True)
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.key[:8]} {self.status}"

from django.db import models


class KnownJob(models.Model):
    """Since when a job is in the table of schedules: it cannot have been missed before."""

    name = models.CharField(max_length=40, primary_key=True)
    since = models.DateTimeField()

    def __str__(self) -> str:
        return f"#{self.name} since {self.since:%Y-%m-%d %H:%M}"


class MaintenanceRun(models.Model):
    """One run of one job, and how it went.

    scheduled_for: the time by its schedule; none where a person started it. exit: as a process would: 0 or 1, none
    while it runs and where its process died. artefact, sha256: the file that it made, where it made one.
    """

    class Status(models.TextChoices):
        RUNNING = "running"
        SUCCEEDED = "succeeded"
        FAILED = "failed"
        DIED = "died", "died on the way"
        SKIPPED = "skipped", "skipped: the one before was still running"

    job = models.CharField(max_length=40)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    exit = models.SmallIntegerField(null=True, blank=True)
    summary = models.CharField(max_length=500, blank=True)
    artefact = models.CharField(max_length=300, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    started_by = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["job", "status", "-started_at"], name="ops_maintenancerun_job"),
            models.Index(fields=["-started_at"], name="ops_maintenancerun_newest"),
        ]
        permissions = [("run_job", "Can run a job of the schedule now")]

    def __str__(self) -> str:
        return f"#{self.pk} {self.job} {self.status}"


class MetricAggregate(models.Model):
    """One hour's figures of one thing. labels: canonical JSON. sum, p50, p95 and max are in the unit that name ends
    in."""

    hour = models.DateTimeField()
    name = models.CharField(max_length=60)
    labels = models.CharField(max_length=200, default="{}")
    count = models.PositiveIntegerField()
    sum = models.FloatField()
    p50 = models.FloatField()
    p95 = models.FloatField()
    max = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "hour", "labels"], name="ops_metricaggregate_one_an_hour")
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.name} {self.hour:%Y-%m-%d %H}h"

import uuid

from django.conf import settings
from django.db import models


class Thread(models.Model):
    """One conversation. busy_until: a turn holds it until then, so that turns of a thread come one at a time."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="threads")
    title = models.CharField(max_length=80)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    busy_until = models.DateTimeField(null=True, blank=True)
    topics = models.JSONField(default=list, help_text="symbols that the person named, the newest last")

    class Meta:
        permissions = (("use_desk", "Can talk to the trading desk"),)
        indexes = (models.Index(fields=["owner", "-updated_at", "-id"], name="agents_thread_owner"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.title}"


class Message(models.Model):
    """One thing said. A notice tells what became of an order, once for each status it reached."""

    class Role(models.TextChoices):
        USER = "user"
        ASSISTANT = "assistant"
        NOTICE = "notice"

    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="messages")
    role = models.CharField(max_length=10, choices=Role)
    content = models.TextField()
    turn_id = models.UUIDField(null=True, blank=True)
    order_id = models.UUIDField(null=True, blank=True)
    order_version = models.PositiveIntegerField(null=True, blank=True)
    model = models.CharField(max_length=100, blank=True)
    citations = models.JSONField(
        default=list,
        db_default=models.Value([], models.JSONField()),
        help_text="what an answer rests on, as agents.evidence.Citation has it",
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["thread", "order_id", "order_version"], name="agents_message_once"),
        )
        indexes = (
            models.Index(fields=["thread", "id"], name="agents_message_thread"),
            models.Index(fields=["turn_id"], name="agents_message_turn"),
            models.Index(fields=["created_at"], name="agents_message_at"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.role}"


class ModelCall(models.Model):
    """One request to a language model: who, for what, how much, how long, how it ended."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="model_calls")
    thread_id = models.UUIDField()
    turn_id = models.UUIDField()
    agent = models.CharField(max_length=20)
    provider = models.CharField(max_length=100, blank=True)
    model = models.CharField(max_length=100)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    latency_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=40)
    cost_usd = models.DecimalField(max_digits=14, decimal_places=8, null=True, help_text="unknown without a price")
    at = models.DateTimeField()

    class Meta:
        indexes = (
            models.Index(fields=["user", "-at"], name="agents_modelcall_user"),
            models.Index(fields=["at"], name="agents_modelcall_at"),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.agent} {self.model}"


class ModelPrice(models.Model):
    """What a model costs from a day on (UTC), in USD for a million tokens. A new price is a new row."""

    model = models.CharField(max_length=100)
    valid_from = models.DateField()
    input_usd = models.DecimalField(max_digits=12, decimal_places=6)
    cached_usd = models.DecimalField("cached input usd", max_digits=12, decimal_places=6)
    output_usd = models.DecimalField(max_digits=12, decimal_places=6)
    source = models.CharField(max_length=200, help_text="where the price was read, and when")
    set_by = models.CharField(max_length=64, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["model", "valid_from"], name="agents_modelprice_once"),
            models.CheckConstraint(
                condition=models.Q(input_usd__gte=0, cached_usd__gte=0, output_usd__gte=0),
                name="agents_modelprice_not_negative",
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk} {self.model} from {self.valid_from}"


class TurnEvent(models.Model):
    """One event of a turn that is streamed, kept for who lost the connection."""

    turn_id = models.UUIDField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)
    data = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["turn_id", "number"], name="agents_turnevent_once"),)
        indexes = (models.Index(fields=["at"], name="agents_turnevent_at"),)

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind}"


class QueuedTurn(models.Model):
    """A turn that the worker runs. attempts: a worker that died may have begun it. answer, error: as the API tells."""

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="+")
    words = models.TextField()
    request_id = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    answer = models.JSONField(null=True)
    error = models.JSONField(null=True)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"#{self.pk} {self.state}"


class Breaker(models.Model):
    """Whether a provider's model may be called, for all processes. name: provider/model.

    failures: in a row. tries: calls let through since tried_at without an answer yet. proved_at: of the last answer.
    """

    class State(models.TextChoices):
        CLOSED = "closed", "closed"
        HALF_OPEN = "half_open", "half-open"
        OPEN = "open", "open"

    name = models.CharField(max_length=200, primary_key=True)
    state = models.CharField(max_length=10, choices=State, default=State.CLOSED)
    failures = models.PositiveIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True, blank=True)
    proved_at = models.DateTimeField("last answer at", null=True, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True)

    class Meta:
        permissions = (("reset_breaker", "Can close a circuit breaker by hand"),)

    def __str__(self) -> str:
        return f"#{self.name} {self.state}"

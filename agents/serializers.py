import json
from typing import Any

from django.urls import reverse
from rest_framework import serializers
from rest_framework.utils.encoders import JSONEncoder

from agents.models import Message, QueuedTurn, Thread
from agents.services import Answer
from orders.models import Status
from orders.serializers import Moment, OrderCardSerializer


class ChatRequestSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(trim_whitespace=False)
    thread_id = serializers.UUIDField(required=False, allow_null=True, default=None)
    user_id = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="must be yours, if given at all"
    )

    def get_fields(self) -> dict[str, Any]:
        """`async` is a word of Python's, so the field cannot be an attribute."""
        later = serializers.BooleanField(
            required=False, default=False, help_text="answer 202 with a status URL at once, and let the worker answer"
        )
        return {**super().get_fields(), "async": later}

    def validate_message(self, message: str) -> str:
        if not message.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return message


class CitationSerializer(serializers.Serializer[Any]):
    """n: as [n] in the answer. title and text: a stranger's words, never shown to the model."""

    n = serializers.IntegerField()
    source = serializers.CharField()  # type: ignore[assignment]  # no field of a field: the metaclass takes it away
    as_of = serializers.CharField(allow_blank=True)
    about = serializers.CharField(allow_blank=True)
    title = serializers.CharField(allow_blank=True)
    url = serializers.CharField(allow_blank=True)
    text = serializers.CharField(allow_blank=True)


class AnswerSerializer(serializers.Serializer[Any]):
    """approval_details: of the first order that waits; approved: null until a person has decided."""

    response = serializers.CharField()
    thread_id = serializers.UUIDField()
    timestamp = Moment()
    requires_approval = serializers.BooleanField()
    approval_details = OrderCardSerializer(allow_null=True)
    approved = serializers.BooleanField(allow_null=True)
    orders = OrderCardSerializer(many=True)
    model = serializers.CharField()
    citations = CitationSerializer(many=True)
    unsupported = serializers.ListField(child=serializers.CharField())
    cached = serializers.BooleanField(source="is_cached")
    request_id = serializers.CharField()


class StreamEventSerializer(serializers.Serializer[Any]):
    """One event of text/event-stream. data: JSON; of `done` the whole answer, of `error` its code and message."""

    id = serializers.CharField()
    event = serializers.ChoiceField(["status", "token", "tool", "order", "done", "error"])
    data = serializers.CharField()  # type: ignore[assignment]  # as above


class MessageSerializer(serializers.ModelSerializer[Message]):
    created_at = Moment()
    citations = CitationSerializer(many=True, read_only=True)

    class Meta:
        model = Message
        fields = ("role", "content", "created_at", "order_id", "model", "citations")


class ThreadRowSerializer(serializers.ModelSerializer[Thread]):
    created_at = Moment()
    updated_at = Moment()

    class Meta:
        model = Thread
        fields: tuple[str, ...] = ("id", "title", "created_at", "updated_at")


class ThreadSerializer(ThreadRowSerializer):
    messages = serializers.SerializerMethodField()

    class Meta(ThreadRowSerializer.Meta):
        fields = (*ThreadRowSerializer.Meta.fields, "messages")

    def get_messages(self, thread: Thread) -> list[dict[str, Any]]:
        return MessageSerializer(thread.messages.order_by("id"), many=True).data  # type: ignore[return-value]


class QueuedTurnSerializer(serializers.ModelSerializer[QueuedTurn]):
    """status: queued, running, done (then with the answer) or failed (then with the error's code and message)."""

    turn_id = serializers.UUIDField(source="id")
    status = serializers.CharField(source="state")
    created_at = Moment()
    status_url = serializers.SerializerMethodField()
    answer = serializers.DictField(allow_null=True, read_only=True)
    error = serializers.DictField(allow_null=True, read_only=True)

    class Meta:
        model = QueuedTurn
        fields = ("turn_id", "thread_id", "status", "status_url", "created_at", "answer", "error")

    def get_status_url(self, turn: QueuedTurn) -> str:
        return reverse("turn-detail", args=[turn.pk])


def rendered(answer: Answer, request_id: str) -> dict[str, Any]:
    """An answer as JSON has it. request_id: of the request that asked."""
    waiting = [order for order in answer.orders if order.status == Status.PENDING_APPROVAL]
    body = {
        "response": answer.response,
        "thread_id": answer.thread_id,
        "timestamp": answer.at,
        "requires_approval": bool(waiting),
        "approval_details": waiting[0] if waiting else None,
        "approved": None,
        "orders": answer.orders,
        "model": answer.model,
        "citations": answer.citations,
        "unsupported": answer.unsupported,
        "is_cached": answer.is_cached,
        "request_id": request_id,
    }
    plain: dict[str, Any] = json.loads(json.dumps(AnswerSerializer(body).data, cls=JSONEncoder))
    return plain


class ModelUsageSerializer(serializers.Serializer[Any]):
    """cost_usd: of the calls whose price is known; unpriced_calls: of the others."""

    calls = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    cost_usd = serializers.DecimalField(max_digits=20, decimal_places=8, allow_null=True)
    unpriced_calls = serializers.IntegerField()


class UsageRowSerializer(ModelUsageSerializer):
    model = serializers.CharField()


class BudgetSerializer(serializers.Serializer[Any]):
    whose = serializers.CharField()
    limit_usd = serializers.DecimalField(max_digits=20, decimal_places=8)
    spent_usd = serializers.DecimalField(max_digits=20, decimal_places=8)
    left_usd = serializers.DecimalField(max_digits=20, decimal_places=8)


class UsageSerializer(serializers.Serializer[Any]):
    """Of one person: today (UTC), the last thirty days, today by model, and the budgets that are set."""

    day = serializers.DateField()
    today = ModelUsageSerializer()
    last_30_days = ModelUsageSerializer()
    models = UsageRowSerializer(many=True)
    budgets = BudgetSerializer(many=True)

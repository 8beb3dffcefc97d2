from typing import Any

from rest_framework import serializers

from agents.models import Message, Thread
from orders.serializers import Moment, OrderCardSerializer


class ChatRequestSerializer(serializers.Serializer[Any]):
    message = serializers.CharField(trim_whitespace=False)
    thread_id = serializers.UUIDField(required=False, allow_null=True, default=None)
    user_id = serializers.CharField(
        required=False, allow_blank=True, default="", help_text="must be yours, if given at all"
    )

    def validate_message(self, message: str) -> str:
        if not message.strip():
            raise serializers.ValidationError("This field may not be blank.")
        return message


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
    request_id = serializers.CharField()


class MessageSerializer(serializers.ModelSerializer[Message]):
    created_at = Moment()

    class Meta:
        model = Message
        fields = ("role", "content", "created_at", "order_id", "model")


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

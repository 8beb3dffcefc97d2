"""The REST door to the desk."""

import logging
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents import metrics, services
from agents.models import Thread
from agents.serializers import AnswerSerializer, ChatRequestSerializer, ThreadRowSerializer, ThreadSerializer
from compliance.api import PersonRequest
from nextrade.errors import NexTradeError, NotPermitted
from orders.models import Status

log = logging.getLogger(__name__)


class MayUseDesk(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("agents.use_desk"))


class Chat(APIView):
    """Say something to the desk. Orders that it proposes wait for a second person."""

    permission_classes = (IsAuthenticated, MayUseDesk)
    throttle_scope = "chat"

    @extend_schema(request=ChatRequestSerializer, responses=AnswerSerializer)
    def post(self, request: PersonRequest) -> Response:
        with metrics.counted("/chat"):
            wanted = ChatRequestSerializer(data=request.data)
            wanted.is_valid(raise_exception=True)
            _require_own_id(request.user, wanted.validated_data["user_id"])
            answer = _answer(request.user, wanted.validated_data)
        return Response(_render(answer, request))


class ThreadList(ListAPIView[Thread]):
    """Your conversations, the last used first."""

    request: PersonRequest
    permission_classes = (IsAuthenticated, MayUseDesk)
    serializer_class = ThreadRowSerializer
    ordering = ("-updated_at", "-id")

    def get_queryset(self) -> QuerySet[Thread]:
        return Thread.objects.filter(owner=self.request.user)


class ThreadDetail(RetrieveAPIView[Thread]):
    """One conversation with its messages, oldest first; DELETE forgets it."""

    request: PersonRequest
    permission_classes = (IsAuthenticated, MayUseDesk)
    serializer_class = ThreadSerializer

    def get_queryset(self) -> QuerySet[Thread]:
        return Thread.objects.filter(owner=self.request.user)

    @extend_schema(responses={204: None})
    def delete(self, request: PersonRequest, pk: UUID) -> Response:
        services.delete_thread(pk, by=request.user, at=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _require_own_id(user: User, user_id: str) -> None:
    if user_id and user_id not in (user.username, str(user.pk)):
        raise NotPermitted("a message is sent by the person whose token it comes with")


def _answer(user: User, wanted: dict[str, Any]) -> services.Answer:
    try:
        return services.process_chat_request(
            by=user, message=wanted["message"], thread_id=wanted["thread_id"], at=timezone.now()
        )
    except NexTradeError as error:
        if metrics.outcome(error) == "error":
            log.error("Chat endpoint error: %s", error, exc_info=True)
        raise
    except Exception as error:
        log.error("Chat endpoint error: %s", error, exc_info=True)
        raise


def _render(answer: services.Answer, request: PersonRequest) -> dict[str, Any]:
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
        "request_id": request.META.get("nextrade.request_id", ""),
    }
    return AnswerSerializer(body).data

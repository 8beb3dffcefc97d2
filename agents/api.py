"""The REST door to the desk."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents import costs, metrics, services, stream
from agents.models import ModelCall, QueuedTurn, Thread
from agents.serializers import (
    AnswerSerializer,
    ChatRequestSerializer,
    QueuedTurnSerializer,
    StreamEventSerializer,
    ThreadRowSerializer,
    ThreadSerializer,
    UsageSerializer,
    rendered,
)
from agents.turn import Tell
from compliance.api import PersonRequest
from nextrade.errors import Invalid, NexTradeError, NotPermitted

log = logging.getLogger(__name__)


class MayUseDesk(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("agents.use_desk"))


class Chat(APIView):
    """Say something to the desk. Orders that it proposes wait for a second person."""

    permission_classes = (IsAuthenticated, MayUseDesk)
    throttle_scope = "chat"

    @extend_schema(request=ChatRequestSerializer, responses={200: AnswerSerializer, 202: QueuedTurnSerializer})
    def post(self, request: PersonRequest) -> Response:
        wanted = _read(request)
        if wanted["async"]:
            queued = services.enqueue(
                by=request.user,
                message=wanted["message"],
                thread_id=wanted["thread_id"],
                request_id=_request_id(request),
                at=timezone.now(),
            )
            body = QueuedTurnSerializer(queued).data
            return Response(body, status=status.HTTP_202_ACCEPTED, headers={"Location": body["status_url"]})
        with metrics.counted("/chat"):
            answer = _answer(request.user, wanted)
        return Response(rendered(answer, _request_id(request)))


class Streamed(APIView):
    """Events, whatever is accepted; JSON for what goes wrong before the first."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        return super().perform_content_negotiation(request, force=True)


class ChatStream(Streamed):
    """The same, told while it happens (text/event-stream): `status`, `tool`, `order`, `token`, then `done` with the
    whole answer or `error`. A refusal before the first event is an ordinary error."""

    permission_classes = (IsAuthenticated, MayUseDesk)
    throttle_scope = "chat"

    @extend_schema(request=ChatRequestSerializer, responses={(200, "text/event-stream"): StreamEventSerializer})
    def post(self, request: PersonRequest) -> StreamingHttpResponse:
        wanted, turn_id, request_id = _read(request), uuid4(), _request_id(request)

        def run(tell: Tell) -> dict[str, Any]:
            with metrics.counted("/chat"):
                return rendered(_answer(request.user, wanted, turn_id=turn_id, tell=tell), request_id)

        events = stream.begin(turn_id, owner=request.user, run=run)
        return _event_stream(events, reverse("chat-stream-rest", args=[turn_id]))


class ChatStreamRest(Streamed):
    """The rest of a turn that was streamed, after the event that `Last-Event-ID` names, until five minutes after its
    end."""

    permission_classes = (IsAuthenticated, MayUseDesk)

    @extend_schema(
        parameters=[OpenApiParameter("Last-Event-ID", int, OpenApiParameter.HEADER)],
        responses={(200, "text/event-stream"): StreamEventSerializer},
    )
    def get(self, request: PersonRequest, pk: UUID) -> StreamingHttpResponse:
        last = request.headers.get("Last-Event-ID", "") or "0"
        if not (last.isascii() and last.isdigit() and len(last) < 10):
            raise Invalid("Last-Event-ID must be the number of an event", code="invalid_event_id")
        return _event_stream(stream.follow(pk, owner=request.user, after=int(last)), request.path)


class TurnDetail(RetrieveAPIView[QueuedTurn]):
    """What became of a message that was sent with `"async": true`."""

    request: PersonRequest
    permission_classes = (IsAuthenticated, MayUseDesk)
    serializer_class = QueuedTurnSerializer

    def get_queryset(self) -> QuerySet[QueuedTurn]:
        return QueuedTurn.objects.filter(owner=self.request.user)


class Usage(APIView):
    """What your talks with language models have used, and what is left of the budgets."""

    permission_classes = (IsAuthenticated, MayUseDesk)

    @extend_schema(responses=UsageSerializer)
    def get(self, request: PersonRequest) -> Response:
        now = timezone.now()
        mine = ModelCall.objects.filter(user=request.user)
        today = costs.today(now).filter(user=request.user)
        body = {
            "day": now.date(),
            "today": costs.total(today),
            "last_30_days": costs.total(mine.filter(at__gte=now - timedelta(days=30))),
            "models": costs.usage(today, "model"),
            "budgets": costs.budgets(request.user, at=now),
        }
        return Response(UsageSerializer(body).data)


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


def _read(request: PersonRequest) -> dict[str, Any]:
    wanted = ChatRequestSerializer(data=request.data)
    wanted.is_valid(raise_exception=True)
    if wanted.validated_data["user_id"] not in ("", request.user.username, str(request.user.pk)):
        raise NotPermitted("a message is sent by the person whose token it comes with")
    return dict(wanted.validated_data)


def _answer(user: User, wanted: dict[str, Any], **more: Any) -> services.Answer:
    try:
        return services.process_chat_request(
            by=user, message=wanted["message"], thread_id=wanted["thread_id"], at=timezone.now(), **more
        )
    except NexTradeError as error:
        if metrics.outcome(error) == "error":
            log.error("Chat endpoint error: %s", error, exc_info=True)
        raise
    except Exception as error:
        log.error("Chat endpoint error: %s", error, exc_info=True)
        raise


def _event_stream(events: Iterator[str], location: str) -> StreamingHttpResponse:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Location": location}
    return StreamingHttpResponse(events, content_type="text/event-stream", headers=headers)


def _request_id(request: PersonRequest) -> str:
    return str(request.META.get("nextrade.request_id", ""))

"""The REST door to the trail, for compliance."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, get_object_or_404
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compliance import merkle, privacy, proofs
from compliance.models import ComplianceEvent, EventType


class PersonRequest(Request):
    """A request whose sender is known, as every view sees it that asks for authentication."""

    user: User


class MayReadTrail(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("compliance.view_complianceevent"))


class EventListSerializer(serializers.ListSerializer[ComplianceEvent]):
    """A page of events; how far each has got is looked up at once."""

    def to_representation(self, data: Any) -> Any:
        events = list(data)
        states = proofs.states(event.pk for event in events)
        row = EventSerializer()
        return [row.to_representation(event) | {"state": states.get(event.pk, "appended")} for event in events]


class EventSerializer(serializers.ModelSerializer[ComplianceEvent]):
    state = serializers.ChoiceField(choices=["appended", "sealed", "anchored"], read_only=True, default="appended")
    details = serializers.SerializerMethodField()

    class Meta:
        list_serializer_class = EventListSerializer
        model = ComplianceEvent
        fields = (
            "id",
            "event_uuid",
            "ts_utc",
            "type",
            "action",
            "severity",
            "outcome",
            "actor_pid",
            "on_behalf_of",
            "subject_pid",
            "order_id",
            "thread_id",
            "request_id",
            "details",
            "state",
        )

    def get_details(self, event: ComplianceEvent) -> dict[str, Any]:
        return privacy.told(event)


class FilterSerializer(serializers.Serializer[Any]):
    type = serializers.ChoiceField(choices=EventType.choices, required=False)
    user = serializers.CharField(required=False, help_text="a user name")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        moments = {name: serializers.DateTimeField(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **moments}


@extend_schema(parameters=[FilterSerializer, OpenApiParameter("cursor", str)])
class EventList(ListAPIView[ComplianceEvent]):
    """The audit trail, newest first."""

    permission_classes = (IsAuthenticated, MayReadTrail)
    serializer_class = EventSerializer
    ordering = ("-id",)

    def get_queryset(self) -> QuerySet[ComplianceEvent]:
        wanted = FilterSerializer(data=self.request.query_params)
        wanted.is_valid(raise_exception=True)
        events = ComplianceEvent.objects.all()
        given = wanted.validated_data
        if "type" in given:
            events = events.filter(type=given["type"])
        if "user" in given:
            events = events.filter(_about(given["user"]))
        if "from" in given:
            events = events.filter(ts_utc__gte=given["from"])
        return events.filter(ts_utc__lt=given["to"]) if "to" in given else events


class ProofSerializer(serializers.Serializer[Any]):
    """proof, checkpoint and the like are absent while the event is only appended."""

    event_id = serializers.IntegerField()
    state = serializers.ChoiceField(choices=["appended", "sealed", "anchored"])
    leaf_hash = serializers.CharField(help_text="SHA-256 of a zero byte and the canonical bytes, in hex")
    canonical = serializers.CharField(help_text="the bytes that are hashed")
    log = serializers.CharField(required=False)
    leaf_index = serializers.IntegerField(required=False)
    tree_size = serializers.IntegerField(required=False)
    proof = serializers.ListField(child=serializers.CharField(), required=False, help_text="hashes, lowest first")
    checkpoint = serializers.CharField(required=False, help_text="C2SP signed note")
    anchored = serializers.ListField(child=serializers.CharField(), required=False, help_text="sinks that have it")


class EventProof(APIView):
    """That an event is in the trail: RFC 6962 inclusion proof and signed checkpoint."""

    permission_classes = (IsAuthenticated, MayReadTrail)

    @extend_schema(responses=ProofSerializer)
    def get(self, request: Request, pk: int) -> Response:
        event = get_object_or_404(ComplianceEvent, pk=pk)
        canonical = bytes(event.canonical)
        found = proofs.of_event(event.pk) or {}
        state = ("anchored" if found["anchored"] else "sealed") if found else "appended"
        leaf = merkle.leaf_hash(canonical).hex()
        text = canonical.decode(errors="backslashreplace")
        return Response({"event_id": event.pk, "state": state, "leaf_hash": leaf, "canonical": text, **found})


def _about(username: str) -> Q:
    key = User.objects.filter(username=username).values_list("pk", flat=True).first()
    return Q(subject_pid=f"user:{key}") | Q(actor_pid=f"user:{key}")

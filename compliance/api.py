"""The REST door to the trail, for compliance."""

from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from compliance.models import ComplianceEvent, EventType


class PersonRequest(Request):
    """A request whose sender is known, as every view sees it that asks for authentication."""

    user: User


class MayReadTrail(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("compliance.view_complianceevent"))


class EventSerializer(serializers.ModelSerializer[ComplianceEvent]):
    class Meta:
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
        )


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


def _about(username: str) -> Q:
    key = User.objects.filter(username=username).values_list("pk", flat=True).first()
    return Q(subject_pid=f"user:{key}") | Q(actor_pid=f"user:{key}")

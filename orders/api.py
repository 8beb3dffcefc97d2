"""The REST door to orders, approvals and books: parse, call one service, render."""

from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compliance import audit
from compliance.api import PersonRequest
from orders import queries, services
from orders.models import Account, Execution, Order, Status
from orders.serializers import (
    DecisionSerializer,
    ExecutionSerializer,
    OrderRowSerializer,
    OrderSerializer,
    PortfolioSerializer,
)


class IsApprover(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(request.user and request.user.has_perm("orders.approve_order"))


def visible(user: User) -> QuerySet[Order]:
    """The orders a person may know of: their own, or all of them for who has the right to view orders."""
    orders = Order.objects.select_related("maker")
    return orders if user.has_perm("orders.view_order") else orders.filter(maker=user)


@extend_schema(parameters=[OpenApiParameter("status", enum=Status.values), OpenApiParameter("symbol", str)])
class OrderList(ListAPIView[Order]):
    """Your orders, newest first; everybody's for approvers and compliance."""

    request: PersonRequest
    serializer_class = OrderRowSerializer
    ordering = ("-created_at", "-id")

    def get_queryset(self) -> QuerySet[Order]:
        orders = visible(self.request.user)
        status, symbol = (self.request.query_params.get(name, "") for name in ("status", "symbol"))
        if status and status not in Status.values:
            raise ValidationError({"status": [f"must be one of {', '.join(Status.values)}"]})
        orders = orders.filter(status=status) if status else orders
        return orders.filter(symbol=symbol.upper()[:12]) if symbol else orders


class OrderDetail(RetrieveAPIView[Order]):
    """One order with its checks, approval, executions and history."""

    request: PersonRequest
    serializer_class = OrderSerializer

    def get_queryset(self) -> QuerySet[Order]:
        return visible(self.request.user)


class OrderCancel(APIView):
    """Take an order back: at once before it is sent, by asking the broker after."""

    @extend_schema(request=None, responses=OrderSerializer)
    def post(self, request: PersonRequest, pk: UUID) -> Response:
        order = services.cancel(pk, owner=request.user, by=audit.person(request.user), at=timezone.now())
        return Response(OrderSerializer(order).data)


class ApprovalQueue(ListAPIView[Order]):
    """The orders that wait for a second person, oldest first."""

    permission_classes = (IsAuthenticated, IsApprover)
    serializer_class = OrderRowSerializer
    ordering = ("created_at", "id")

    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.select_related("maker").filter(status=Status.PENDING_APPROVAL)


class ApprovalDecision(APIView):
    """Approve or decline one order, at the version that was looked at."""

    permission_classes = (IsAuthenticated,)
    needs_scope = "approve"

    @extend_schema(request=DecisionSerializer, responses=OrderSerializer)
    def post(self, request: PersonRequest, order_id: UUID) -> Response:
        wanted = DecisionSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        decide = services.approve if wanted.validated_data["decision"] == "approve" else services.decline
        if not visible(request.user).filter(pk=order_id).exists():
            raise Http404
        order = decide(
            order_id,
            by=request.user,
            version=wanted.validated_data["version"],
            reason=wanted.validated_data["reason"],
            at=timezone.now(),
        )
        return Response(OrderSerializer(order).data)


class PortfolioView(APIView):
    """Your cash and positions, which follow from executions alone."""

    @extend_schema(responses=PortfolioSerializer)
    def get(self, request: PersonRequest) -> Response:
        account = get_object_or_404(Account, owner=request.user)
        return Response(PortfolioSerializer(queries.portfolio(account, at=timezone.now())).data)


class ExecutionList(ListAPIView[Execution]):
    """Your fills, newest first."""

    request: PersonRequest
    serializer_class = ExecutionSerializer
    ordering = ("-executed_at", "-id")

    def get_queryset(self) -> QuerySet[Execution]:
        return Execution.objects.filter(account__owner=self.request.user)

"""What open pages of the console ask for every few seconds, as JSON: whether anything has changed, and prices.

Nothing of a person is told here, so no event is written, and asking does not keep a session awake (nextrade.sessions).
"""

import hashlib
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from orders import prices as known
from orders import queries
from orders.models import Order, Status

MOST = 500


def state() -> dict[str, Any]:
    """How many orders wait, and a mark that changes when one comes or goes."""
    waiting = Order.objects.filter(status=Status.PENDING_APPROVAL).order_by("created_at")
    rows = list(waiting.values_list("pk", "version")[:MOST])
    told = " ".join(f"{pk}:{version}" for pk, version in rows)
    return {"waiting": len(rows), "mark": hashlib.sha256(told.encode()).hexdigest()[:16]}


def state_of(order: Order, *, at: datetime) -> dict[str, Any]:
    is_over = order.status == Status.PENDING_APPROVAL and order.expires_at <= at
    return {"mark": f"{order.status}:{order.version}:{is_over}", "status": order.get_status_display()}


def queue(request: HttpRequest) -> JsonResponse:
    _require_view(request)
    return JsonResponse(state())


def order(request: HttpRequest, order_id: UUID) -> JsonResponse:
    _require_view(request)
    return JsonResponse(state_of(get_object_or_404(Order, pk=order_id), at=timezone.now()))


def prices(request: HttpRequest, order_id: UUID) -> JsonResponse:
    """The chart of the review page, fetched after it: a provider may take its time."""
    _require_view(request)
    return JsonResponse(known.of_order(get_object_or_404(Order, pk=order_id), at=timezone.now()))


def next_waiting(order: Order, viewer: User) -> UUID | None:
    """The oldest other order that this person may have to decide on."""
    others = Order.objects.filter(status=Status.PENDING_APPROVAL).exclude(pk=order.pk).exclude(maker=viewer)
    found: UUID | None = others.order_by("created_at").values_list("pk", flat=True).first()
    return found


def _require_view(request: HttpRequest) -> None:
    user = request.user
    assert isinstance(user, User)  # admin_view lets nobody else through
    if not (user.has_perm("orders.view_order") or queries.may_approve(user, at=timezone.now())):
        raise PermissionDenied("this takes the right to view orders")

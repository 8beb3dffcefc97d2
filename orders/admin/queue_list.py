"""What the queue lists, in which order, and what it is filtered and searched by."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from compliance.lists import InfinitePaginator, LongList, address, by_id, sliced
from orders import instruments
from orders.models import Order, Status

SOON = timedelta(minutes=10)
KEYS = 1_000


class Queue(LongList):
    """Rows lead to the review page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count  # neither is known: unfold then tells of neither

    def url_for_result(self, result: Model) -> str:
        return address("admin:orders_order_review", result.pk)


class QueuePaginator(InfinitePaginator):
    """What waits, oldest first, and then the rest, newest first: two lists, each by its own index, since sorting all
    orders by whether they wait would read all."""

    def rows(self, start: int, end: int) -> Any:
        is_waiting = Q(status=Status.PENDING_APPROVAL)
        rest = self.object_list.exclude(is_waiting)
        found = self.at_edge(rest, end - start) if start else None
        if found is not None:
            return found
        first = list(
            self.object_list.filter(_among_waiting() if self.object_list.query.where else is_waiting).order_by(
                "created_at", "id"
            )[:end]
        )
        taken = len(first)
        return [*first[start:], *sliced(rest, max(0, start - taken), end - taken)] if taken < end else first[start:]


def _among_waiting() -> Q:
    """What waits, by its keys: joined with a symbol or a maker, SQLite would rather read all the orders of those."""
    is_waiting = Q(status=Status.PENDING_APPROVAL)
    keys = list(Order.objects.filter(is_waiting).values_list("pk", flat=True)[: KEYS + 1])
    return Q(pk__in=keys) if len(keys) <= KEYS else is_waiting


class ForMe(admin.SimpleListFilter):
    title = "whose turn"
    parameter_name = "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("decide", "mine to decide on"), ("own", "my own")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        if self.value() == "decide":
            waiting = queryset.filter(status=Status.PENDING_APPROVAL)
            return waiting.exclude(maker=request.user.pk).exclude(approvals__checker=request.user.pk)
        return queryset.filter(maker=request.user.pk) if self.value() == "own" else queryset


class SoonOver(admin.SimpleListFilter):
    title = "time left"
    parameter_name = "soon"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", f"lapses within {SOON.seconds // 60} minutes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Order]) -> QuerySet[Order]:
        soon = Q(status=Status.PENDING_APPROVAL, expires_at__lt=timezone.now() + SOON)
        return queryset.filter(soon) if self.value() == "yes" else queryset


def wanted(term: str) -> Q:
    """Orders by id or its start, by client id or its start, by symbol, by maker."""
    found = by_id("id", term)
    if found is not None:
        return found
    if term.startswith("nx-"):
        return Q(client_order_id__gte=term, client_order_id__lte=f"{term}~")
    makers = list(User.objects.filter(username__iexact=term).values_list("pk", flat=True))
    of_makers, of_symbol = Q(maker__in=makers), Q(symbol=term.upper())
    if makers and term.upper() in instruments.ALL:
        return of_makers | of_symbol
    return of_makers if makers else of_symbol

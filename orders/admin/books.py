"""Executions and accounts in the admin, to look at."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display

from compliance.admin import ReadOnly
from compliance.lists import RecentValuesFilter, address, by_id
from orders.models import Account, Execution, Position
from orders.payload import plain
from orders.review import SIDE_COLOURS, usd


@admin.register(Execution)
class ExecutionAdmin(ReadOnly):
    list_display = ("when", "owner", "side_badge", "what", "price", "value", "commission", "broker", "order_ref")
    list_filter = ("side", ("broker", RecentValuesFilter), "executed_at")
    list_select_related = ("account__owner", "order")
    search_fields = ("symbol", "exec_id", "order__id", "account__owner__username")
    search_help_text = "Symbol, order or user name"
    ordering = ("-executed_at", "-id")
    sortable_by = ()
    fields = ("when", "owner", "side", "what", "price", "value", "commission", "broker", "exec_id", "order_ref")
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Execution], search_term: str
    ) -> tuple[QuerySet[Execution], bool]:
        """Whole values and the starts of order ids, so that the indexes serve."""
        term = search_term.strip().replace("\x00", "")
        if not term:
            return queryset, False
        of_order = by_id("order_id", term)
        if of_order is not None:
            return queryset.filter(of_order), False
        accounts = list(Account.objects.filter(owner__username__iexact=term).values_list("pk", flat=True))
        if accounts:
            return queryset.filter(account__in=accounts), False
        return queryset.filter(symbol=term.upper()) | queryset.filter(exec_id=term), False

    @display(description="executed at", ordering="executed_at")  # type: ignore[untyped-decorator]
    def when(self, execution: Execution) -> str:
        return f"{timezone.localtime(execution.executed_at):%d %b %Y %H:%M:%S}"

    @display(description="side", label=SIDE_COLOURS)  # type: ignore[untyped-decorator]
    def side_badge(self, execution: Execution) -> str:
        return execution.side

    @display(description="account of")  # type: ignore[untyped-decorator]
    def owner(self, execution: Execution) -> str:
        return execution.account.owner.get_username()

    @display(description="filled")  # type: ignore[untyped-decorator]
    def what(self, execution: Execution) -> str:
        return format_html("<strong>{} {}</strong>", plain(execution.quantity), execution.symbol)

    @display(description="price USD")  # type: ignore[untyped-decorator]
    def price(self, execution: Execution) -> str:
        return usd(execution.price_usd)

    @display(description="value USD")  # type: ignore[untyped-decorator]
    def value(self, execution: Execution) -> str:
        return usd(execution.quantity * execution.price_usd)

    @display(description="commission USD")  # type: ignore[untyped-decorator]
    def commission(self, execution: Execution) -> str:
        return usd(execution.commission_usd)

    @display(description="order")  # type: ignore[untyped-decorator]
    def order_ref(self, execution: Execution) -> str:
        url = address("admin:orders_order_review", execution.order_id)
        return format_html('<a class="nx-link nx-mono" href="{}">{}</a>', url, str(execution.order_id)[:8])


class PositionInline(TabularInline):  # type: ignore[misc]
    model = Position
    fields = ("symbol", "shares", "cost", "realized")
    readonly_fields = fields
    extra = 0
    can_delete = False
    hide_title = True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may look at an account may look at what is in it."""
        return request.user.has_perm("orders.view_account")

    def shares(self, position: Position) -> str:
        return plain(position.quantity)

    @display(description="average cost USD")  # type: ignore[untyped-decorator]
    def cost(self, position: Position) -> str:
        return usd(position.avg_cost_usd)

    @display(description="realized gain USD")  # type: ignore[untyped-decorator]
    def realized(self, position: Position) -> str:
        return usd(position.realized_pnl_usd)


@admin.register(Account)
class AccountAdmin(ReadOnly):
    list_display = ("holder", "cash", "is_active", "opened_at")
    list_filter = ("is_active",)
    list_select_related = ("owner",)
    search_fields = ("owner__username",)
    ordering = ("owner__username",)
    fields = ("holder", "cash", "is_active", "opened_at")
    readonly_fields = fields
    inlines = (PositionInline,)

    @display(description="owner", ordering="owner__username")  # type: ignore[untyped-decorator]
    def holder(self, account: Account) -> str:
        """The name alone: the field itself would link to a page that few may open."""
        return account.owner.get_username()

    @display(description="cash USD", ordering="cash_usd")  # type: ignore[untyped-decorator]
    def cash(self, account: Account) -> str:
        return usd(account.cash_usd)

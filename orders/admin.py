"""The approval queue and the books in the admin.

Context: Django wraps its change form in a transaction, and services open one of their own. Choice: deciding has pages
of its own, one for an order and one for several; like every door they parse, call one service and tell what came of it.
Cost: two pages to keep.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import Case, QuerySet, Value, When
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.decorators import display
from unfold.views import ChangeList

from compliance import audit
from compliance.admin import ReadOnly, legible, people
from nextrade.errors import NexTradeError
from orders import instruments, queries, risk, services
from orders.models import Account, Execution, Limits, Order, Position, Side, Status, TradingHalt
from orders.payload import plain

SIDE_COLOURS = {Side.BUY: "success", Side.SELL: "danger"}
STATUS_COLOURS = {
    **dict.fromkeys(Status, ""),
    Status.PENDING_APPROVAL: "warning",
    **dict.fromkeys(
        (Status.APPROVED, Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), "info"
    ),
    Status.FILLED: "success",
    **dict.fromkeys((Status.DENIED, Status.DECLINED, Status.REJECTED), "danger"),
}
PHASES = {"P": "at proposal", "A": "at approval", "X": "before sending"}
IN_FLIGHT = (Status.APPROVED, Status.PENDING_NEW, Status.PENDING_CANCEL)
CHOSEN = re.compile(r"([0-9a-f-]{36}):([0-9]{1,9})")
DECIDE = {"approve": services.approve, "decline": services.decline}
DONE = {"approve": "approved", "decline": "declined"}
WAITING_FIRST = Case(When(status=Status.PENDING_APPROVAL, then=Value(0)), default=Value(1))


def waiting(request: HttpRequest) -> str | int:
    """How many orders wait for a second person: the badge in the sidebar."""
    return Order.objects.filter(status=Status.PENDING_APPROVAL).count() if may_see_orders(request) else ""


def may_see_orders(request: HttpRequest) -> bool:
    return request.user.has_perm("orders.view_order")


class DecisionForm(forms.Form):
    """What a decision comes as. reason: may be left out for an approval; the service asks for it otherwise."""

    decision = forms.ChoiceField(choices=[(name, name) for name in DECIDE])
    reason = forms.CharField(max_length=500, required=False)


class OneDecisionForm(DecisionForm):
    version = forms.IntegerField(min_value=0, max_value=2**31)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table of checks, in words."""

    phase: str
    code: str
    meaning: str
    limit: str
    actual: str
    passed: bool


@dataclass(frozen=True, kw_only=True)
class CheckTable:
    title: str
    rows: list[Row]
    is_now: bool = False

    @property
    def is_open(self) -> bool:
        return self.is_now or self.failures > 0

    @property
    def failures(self) -> int:
        return sum(not row.passed for row in self.rows)

    @property
    def verdict(self) -> str:
        return f"{self.failures} of {len(self.rows)} fail" if self.failures else f"all {len(self.rows)} pass"

    @property
    def colour(self) -> str:
        return "danger" if self.failures else "success"


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One order of a bulk decision, at the version that the confirmation page showed. note: why it will be refused."""

    order: Order
    version: int
    note: str

    @property
    def short(self) -> str:
        return str(self.order.pk)[:8]

    @property
    def side_colour(self) -> str:
        return SIDE_COLOURS[Side(self.order.side)]

    @property
    def asked(self) -> str:
        return f"{plain(self.order.quantity)} {self.order.symbol} {_terms(self.order)}"

    @property
    def notional(self) -> str:
        return usd(self.order.notional_usd)


class Queue(ChangeList):  # type: ignore[misc]
    def url_for_result(self, result: Order) -> str:
        return reverse("admin:orders_order_review", args=[result.pk])


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("ref", "since", "maker", "side_badge", "asked", "notional", "status_badge", "expires")
    list_filter = ("status", "side")
    list_select_related = ("maker",)
    list_per_page = 50
    list_disable_select_all = True
    sortable_by = ("since",)
    search_fields = ("symbol", "id", "client_order_id", "maker__username")
    search_help_text = "Symbol, order or user name"
    show_full_result_count = True
    list_before_template = "admin/orders/order/queue_note.html"
    actions = ("approve_selected", "decline_selected")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Queue]:
        return Queue

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """Newest first; as long as nobody asked for one status, those that wait for a decision before all others."""
        asked = any(name.startswith("status") for name in request.GET)
        return ("-created_at",) if asked else (WAITING_FIRST, "-created_at")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("decide/", view(self.decide_view), name="orders_order_decide"),
            path("<uuid:order_id>/review/", view(self.review_view), name="orders_order_review"),
        ]
        return [*own, *super().get_urls()]

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.approve_order")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        more = {"waiting": waiting(request), "may_approve": self.has_approve_permission(request)}
        response: HttpResponseBase = super().changelist_view(request, {**(extra_context or {}), **more})
        return response

    def change_view(self, request: HttpRequest, object_id: str, *_: Any, **__: Any) -> HttpResponseBase:
        """The review page is the order's page."""
        try:
            return redirect("admin:orders_order_review", order_id=UUID(object_id))
        except ValueError:
            raise Http404("there is no such order") from None

    @display(description="order")  # type: ignore[untyped-decorator]
    def ref(self, order: Order) -> str:
        return format_html('<span class="nx-mono">{}</span>', str(order.pk)[:8])

    @display(description="waiting / made", ordering="created_at")  # type: ignore[untyped-decorator]
    def since(self, order: Order) -> str:
        if order.status == Status.PENDING_APPROVAL:
            return span(timezone.now() - order.created_at)
        return f"{timezone.localtime(order.created_at):%d %b %H:%M}"

    @display(description="side", label=SIDE_COLOURS)  # type: ignore[untyped-decorator]
    def side_badge(self, order: Order) -> str:
        return order.side

    @display(description="asked for")  # type: ignore[untyped-decorator]
    def asked(self, order: Order) -> str:
        limit = f" at {usd(order.limit_price)}" if order.limit_price else ""
        return format_html("<strong>{} {}</strong>{}", f"{plain(order.quantity)}", order.symbol, limit)

    @display(description="notional USD")  # type: ignore[untyped-decorator]
    def notional(self, order: Order) -> str:
        return usd(order.notional_usd)

    @display(description="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def status_badge(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    def expires(self, order: Order) -> str:
        return expiry(order, at=timezone.now()) if order.status == Status.PENDING_APPROVAL else "-"

    @admin.action(description="Approve selected orders", permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        return self._confirm(request, {order.pk: order.version for order in queryset}, decision="approve")

    @admin.action(description="Decline selected orders", permissions=["approve"])
    def decline_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        return self._confirm(request, {order.pk: order.version for order in queryset}, decision="decline")

    def decide_view(self, request: HttpRequest) -> HttpResponseBase:
        """Decide on each chosen order by itself: one that is refused neither stops nor changes the others."""
        if not (self.has_view_permission(request) and self.has_approve_permission(request)):
            raise PermissionDenied("only an approver decides on orders")
        if request.method != "POST":
            return redirect("admin:orders_order_changelist")
        chosen = _chosen(request.POST.getlist("order"))
        form = DecisionForm(request.POST)
        if form.is_valid() and form.cleaned_data["decision"] == "decline" and not form.cleaned_data["reason"]:
            form.add_error("reason", "Say why they are declined.")
        if not form.is_valid():
            return self._confirm(request, chosen, decision=str(request.POST.get("decision", "")), form=form)
        for order_id, version in chosen.items():
            _decide(request, order_id, version=version, **form.cleaned_data)
        return redirect("admin:orders_order_changelist")

    def review_view(self, request: HttpRequest, order_id: UUID) -> HttpResponseBase:
        """All that a second person needs to decide on one order, and the two buttons."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view orders")
        order = get_object_or_404(Order.objects.select_related("maker", "account__owner"), pk=order_id)
        if request.method == "POST":
            form = OneDecisionForm(request.POST)
            if form.is_valid():
                _decide(request, order_id, **form.cleaned_data)
            else:
                messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
            return redirect("admin:orders_order_review", order_id=order_id)
        context = {**self.admin_site.each_context(request), **self._shown(order, request, at=timezone.now())}
        return TemplateResponse(request, "admin/orders/order/review.html", context)

    def _shown(self, order: Order, request: HttpRequest, *, at: datetime) -> dict[str, Any]:
        review = queries.review(order, checker_id=_viewer(request).pk, at=at)
        instrument = instruments.find(order.symbol)
        is_waiting = order.status == Status.PENDING_APPROVAL
        words = legible(order.user_words)
        return {
            "title": f"Review {order.side} {plain(order.quantity)} {order.symbol}",
            "opts": self.opts,
            "original": order,
            "order": order,
            "status_colour": STATUS_COLOURS[Status(order.status)],
            "side_colour": SIDE_COLOURS[Side(order.side)],
            "quantity": plain(order.quantity),
            "company": instrument.name if instrument else "not an instrument we know",
            "terms": _terms(order),
            "notional": usd(order.notional_usd),
            "price": usd(order.reserve_price_usd),
            "made": span(at - order.created_at),
            "expiry": expiry(order, at=at),
            "is_waiting": is_waiting,
            "in_flight": order.status in IN_FLIGHT,
            "words": words,
            "words_size": _size(words),
            "rationale": legible(order.rationale),
            "effects": _effects(order, review),
            "quotes": _quotes(order, review),
            "drift": "" if review.drift_pct is None else f"{review.drift_pct:+.2f} %",
            "denials": [_row("now", check.as_json()) for check in review.denials] if is_waiting else [],
            "check_tables": _check_tables(order, review if is_waiting else None),
            "closed": _closed(order, request, may_approve=self.has_approve_permission(request)),
            "approvals": list(order.approvals.select_related("checker")),
            "fills": _fills(order.executions.order_by("id")),
            "filled": f"{plain(order.cum_qty)} of {plain(order.quantity)}",
            "average": usd(order.avg_px),
            "history": _history(order),
            "back": f"{reverse('admin:orders_order_changelist')}?{request.GET.get('_changelist_filters', '')}",
        }

    def _confirm(
        self, request: HttpRequest, chosen: dict[UUID, int], *, decision: str, form: forms.Form | None = None
    ) -> HttpResponseBase:
        if decision not in DECIDE:
            raise SuspiciousOperation("a decision is approve or decline")
        orders = Order.objects.select_related("maker").filter(pk__in=chosen).order_by("created_at", "pk")
        context = {
            **self.admin_site.each_context(request),
            "title": f"{decision.capitalize()} selected orders",
            "opts": self.opts,
            "decision": decision,
            "form": form,
            "chosen": [_line(order, chosen[order.pk], request) for order in orders],
        }
        return TemplateResponse(request, "admin/orders/order/decide.html", context)


@admin.register(Execution)
class ExecutionAdmin(ReadOnly):
    list_display = ("when", "owner", "side_badge", "what", "price", "value", "commission", "broker", "order_ref")
    list_filter = ("side", "broker", "executed_at")
    list_select_related = ("account__owner", "order")
    search_fields = ("symbol", "exec_id", "order__id", "account__owner__username")
    search_help_text = "Symbol, order or user name"
    ordering = ("-executed_at", "-id")
    sortable_by = ()
    fields = ("when", "owner", "side", "what", "price", "value", "commission", "broker", "exec_id", "order_ref")
    readonly_fields = fields

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
        url = reverse("admin:orders_order_review", args=[execution.order_id])
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


@admin.register(Limits)
class LimitsAdmin(ReadOnly):
    list_display = (
        "version",
        "per_order",
        "smallest",
        "per_approval",
        "shares",
        "duplicate_window_s",
        "set_by",
        "set_at",
    )
    ordering = ("-version",)
    sortable_by = ()

    @display(description="largest order USD")  # type: ignore[untyped-decorator]
    def per_order(self, limits: Limits) -> str:
        return usd(limits.max_notional_usd)

    @display(description="smallest order USD")  # type: ignore[untyped-decorator]
    def smallest(self, limits: Limits) -> str:
        return usd(limits.min_notional_usd)

    @display(description="an approver's most USD")  # type: ignore[untyped-decorator]
    def per_approval(self, limits: Limits) -> str:
        return usd(limits.max_approval_usd)

    @display(description="most shares")  # type: ignore[untyped-decorator]
    def shares(self, limits: Limits) -> str:
        return f"{limits.max_quantity:,.0f}"


@admin.register(TradingHalt)
class TradingHaltAdmin(ReadOnly):
    list_display = ("what", "state", "reason", "halted_by", "halted_at", "lifted_at")
    ordering = ("-id",)
    sortable_by = ()

    def what(self, halt: TradingHalt) -> str:
        return halt.symbol or "all trading"

    @display(label={"halted": "danger", "lifted": "success"})  # type: ignore[untyped-decorator]
    def state(self, halt: TradingHalt) -> str:
        return "lifted" if halt.lifted_at else "halted"


def usd(amount: Decimal | None) -> str:
    """Dollars in cents, or to a millionth where there is more; a dash where nobody knows."""
    if amount is None:
        return "–"
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount.normalize():,f}"


def span(length: timedelta) -> str:
    """A stretch of time in its two largest units: "45 s", "12 min", "3 h 5 min", "2 d 4 h"."""
    minutes, seconds = divmod(max(0, int(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def expiry(order: Order, *, at: datetime) -> str:
    left = order.expires_at - at
    return f"in {span(left)}" if left > timedelta(0) else f"{span(-left)} ago"


def _decide(request: HttpRequest, order_id: UUID, *, decision: str, reason: str, version: int) -> None:
    """Call the one service and tell the person what came of it."""
    name = f"Order {str(order_id)[:8]}"
    try:
        order = DECIDE[decision](order_id, by=_viewer(request), version=version, reason=reason, at=timezone.now())
    except NexTradeError as error:
        messages.error(request, f"{name} was not {DONE[decision]}: {error.message}.")
    else:
        messages.success(request, f"{name} {DONE[decision]}: {order.side} {plain(order.quantity)} {order.symbol}.")


def _chosen(values: list[str]) -> dict[UUID, int]:
    """Orders and the versions that were shown, from "id:version". Raises SuspiciousOperation for anything else."""
    found = [CHOSEN.fullmatch(value) for value in values]
    try:
        return {UUID(match[1]): int(match[2]) for match in found if match} if all(found) and found else _unreadable()
    except ValueError:
        return _unreadable()


def _unreadable() -> dict[UUID, int]:
    raise SuspiciousOperation("the chosen orders cannot be read")


def _line(order: Order, version: int, request: HttpRequest) -> Chosen:
    note = ""
    if order.status != Status.PENDING_APPROVAL:
        note = f"is {order.get_status_display().lower()} already"
    elif order.version != version:
        note = "has changed since it was shown"
    elif order.maker_id == request.user.pk:
        note = "is your own"
    return Chosen(order=order, version=version, note=note)


def _viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # admin_view lets nobody else through
    return request.user


def _terms(order: Order) -> str:
    price = "at market" if order.limit_price is None else f"at {usd(order.limit_price)} USD or better"
    return f"{price}, {'good for the day' if order.time_in_force == 'day' else 'good till cancelled'}"


def _size(text: str) -> str:
    """How much there is to scroll through; empty for what fits."""
    lines = text.count("\n") + 1
    return f"{len(text):,} characters in {lines:,} lines" if lines > 6 or len(text) > 600 else ""


def _effects(order: Order, review: queries.Review) -> list[tuple[str, str, str, str]]:
    """Rows of what, before, change, after."""
    flow = "–" if review.flow_usd is None else f"{review.flow_usd:+,.2f}"
    return [
        (f"Shares of {order.symbol}", plain(review.held), f"{review.change.normalize():+f}", plain(review.held_after)),
        ("Cash, USD", usd(review.cash_usd), flow, usd(review.cash_after_usd)),
        ("Free cash, USD", usd(review.free_usd), flow, usd(review.free_after_usd)),
    ]


def _quotes(order: Order, review: queries.Review) -> list[tuple[str, str, datetime | None, str]]:
    """Rows of when, price, as of, source; now and then, for the two to be compared."""
    now = review.quote
    return [
        ("At proposal", usd(order.quote_usd), order.quote_as_of, order.quote_source),
        (
            "Now",
            usd(now.price_usd) if now else "–",
            now.as_of if now else None,
            now.source if now else "nobody knows a price",
        ),
    ]


def _check_tables(order: Order, review: queries.Review | None) -> list[CheckTable]:
    """The checks run for this viewer, while there is something to decide, and those on record; failures lie open."""
    now = [_row("now", check.as_json()) for check in review.checks] if review else []
    kept = [CheckTable(title=f"Checks {when}", rows=_kept(order, phase, when)) for phase, when in PHASES.items()]
    tables = [CheckTable(title="Checks now", rows=now, is_now=True), *kept]
    return [table for table in tables if table.rows]


def _kept(order: Order, phase: str, when: str) -> list[Row]:
    return [_row(when, check) for check in order.checks if check["phase"] == phase]


def _row(phase: str, check: dict[str, Any]) -> Row:
    known = check["code"] in risk.Code.__members__
    return Row(
        phase=phase,
        code=check["code"],
        meaning=risk.MEANING[risk.Code(check["code"])] if known else "",
        limit=check["limit"],
        actual=check["actual"],
        passed=check["passed"],
    )


def _closed(order: Order, request: HttpRequest, *, may_approve: bool) -> str:
    """Why this person has nothing to decide here; empty when they have."""
    if order.status != Status.PENDING_APPROVAL:
        return f"This order is {order.get_status_display().lower()}: there is nothing left to decide."
    if order.maker_id == request.user.pk:
        return "This order is your own: another person has to decide on it."
    return "" if may_approve else "You may look at orders. Deciding on them takes an approver."


def _fills(executions: Iterable[Execution]) -> list[tuple[datetime, str, str, str, str]]:
    """Rows of when, quantity, price, commission, broker's id."""
    return [
        (fill.executed_at, plain(fill.quantity), usd(fill.price_usd), usd(fill.commission_usd), fill.exec_id)
        for fill in executions
    ]


def _history(order: Order) -> list[dict[str, Any]]:
    events = audit.history(order.pk)
    names = people(event["actor"] for event in events)
    return [
        {
            **event,
            "what": event["action"].removeprefix("order_").replace("_", " "),
            "who": names.get(event["actor"], event["actor"]),
            "reason": legible(event["reason"] or ""),
        }
        for event in events
    ]

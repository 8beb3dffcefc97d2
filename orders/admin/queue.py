"""The approval console: the queue, the review page and the two decisions.

Context: Django wraps its change form in a transaction, and services open one of their own. Choice: deciding has pages
of its own, one for an order and one for several; like every door they parse, call one service and tell what came of it.
Cost: two pages to keep.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from compliance import audit
from compliance.admin import ReadOnly
from compliance.admin_requests import viewer
from compliance.lists import InfinitePaginator
from nextrade.errors import NexTradeError, Refused
from orders import queries, reauthentication, review, services
from orders.admin import live
from orders.admin.queue_list import ForMe, Queue, QueuePaginator, SoonOver, wanted
from orders.models import Order, Status
from orders.payload import plain
from orders.review import SIDE_COLOURS, STATUS_COLOURS, expiry, span, usd

CHOSEN = re.compile(r"([0-9a-f-]{36}):([0-9]{1,9})")
DECIDE = {"approve": services.approve, "decline": services.decline}
DONE = {"approve": "approved", "decline": "declined"}
UNREAD = ("user_words", "rationale", "snapshot")
"""Columns that the list does not show: a person's words may be long."""
DRAFT = "reason_draft"
"""In the session: an order and the reason typed for it when the password was asked for."""


def waiting(request: HttpRequest) -> str | int:
    """How many orders wait for a second person: the badge in the sidebar."""
    return Order.objects.filter(status=Status.PENDING_APPROVAL).count() if may_see_orders(request) else ""


def may_see_orders(request: HttpRequest) -> bool:
    """Who may view them, and who decides on them with authority that is lent."""
    return request.user.has_perm("orders.view_order") or may_decide(request)


def may_decide(request: HttpRequest) -> bool:
    return isinstance(request.user, User) and queries.may_approve(request.user, at=timezone.now())


class DecisionForm(forms.Form):
    """What a decision comes as. reason: may be left out for an approval; the service asks for it otherwise."""

    decision = forms.ChoiceField(choices=[(name, name) for name in DECIDE])
    reason = forms.CharField(max_length=500, required=False)


class OneDecisionForm(DecisionForm):
    version = forms.IntegerField(min_value=0, max_value=2**31)


class PasswordForm(DecisionForm):
    """The password, and what was about to be decided, which is looked at again before it is."""

    password = forms.CharField(max_length=128, strip=False)


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = (
        "ref",
        "since",
        "maker",
        "side_badge",
        "asked",
        "notional",
        "at_a_glance",
        "status_badge",
        "expires",
    )
    list_filter = (ForMe, SoonOver, "status", "side", "is_tainted")
    list_select_related = ("maker",)
    ordering = ("-created_at", "-id")
    sortable_by = ()
    search_fields = ("symbol", "id", "client_order_id", "maker__username")
    search_help_text = "Symbol, order or user name"
    list_before_template = "admin/orders/order/queue_note.html"
    actions = ("approve_selected", "decline_selected")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Queue]:
        return Queue

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        orders: QuerySet[Order] = super().get_queryset(request).defer(*UNREAD)
        return orders

    def paginator_of(self, request: HttpRequest) -> type[InfinitePaginator]:
        """As long as nobody asked for a status, what waits comes before all others."""
        is_asked = any(name.startswith(("status", "mine", "soon")) for name in request.GET)
        return InfinitePaginator if is_asked else QueuePaginator

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        """Whole values and the starts of ids, so that the indexes serve."""
        term = search_term.strip().replace("\x00", "")
        return (queryset.filter(wanted(term)) if term else queryset), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("decide/", view(self.decide_view), name="orders_order_decide"),
            path("password/", view(self.password_view), name="orders_order_password"),
            path("live/", view(live.queue), name="orders_order_live"),
            path("<uuid:order_id>/live/", view(live.order), name="orders_order_live_one"),
            path("<uuid:order_id>/prices/", view(live.prices), name="orders_order_prices"),
            path("<uuid:order_id>/review/", view(self.review_view), name="orders_order_review"),
        ]
        return [*own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_see_orders(request)

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return may_decide(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        more = {"live": live.state(), "may_approve": self.has_approve_permission(request)}
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
        return format_html('<span class="nx-mono nx-nowrap">{}</span>', str(order.pk)[:8])

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
        stop = f" stop {usd(order.stop_price)}" if order.stop_price else ""
        what = f"{plain(order.quantity)} {order.symbol}"
        return format_html("<strong>{}</strong>{}{}{}", what, limit, stop, _flags(order))

    @display(description="notional USD")  # type: ignore[untyped-decorator]
    def notional(self, order: Order) -> str:
        return usd(order.notional_usd)

    @display(description="checks", label=review.GLANCE_COLOURS)  # type: ignore[untyped-decorator]
    def at_a_glance(self, order: Order) -> tuple[str, str]:
        return review.glance(order)

    @display(description="status", label=STATUS_COLOURS)  # type: ignore[untyped-decorator]
    def status_badge(self, order: Order) -> tuple[str, str]:
        return order.status, order.get_status_display()

    def expires(self, order: Order) -> str:
        if order.status != Status.PENDING_APPROVAL:
            return "-"
        return format_html('<span class="nx-nowrap">{}</span>', expiry(order, at=timezone.now()))

    @admin.action(description="Approve selected orders", permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        return self._confirm(request, {order.pk: order.version for order in queryset}, decision="approve")

    @admin.action(description="Decline selected orders", permissions=["approve"])
    def decline_selected(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponseBase:
        return self._confirm(request, {order.pk: order.version for order in queryset}, decision="decline")

    def decide_view(self, request: HttpRequest) -> HttpResponseBase:
        """Decide on each chosen order by itself: one that is refused neither stops nor changes the others."""
        if not self.has_approve_permission(request):
            raise PermissionDenied("only an approver decides on orders")
        if request.method != "POST":
            return redirect("admin:orders_order_changelist")
        chosen = _chosen(request.POST.getlist("order"))
        form = DecisionForm(request.POST)
        if form.is_valid() and form.cleaned_data["decision"] == "decline" and not form.cleaned_data["reason"]:
            form.add_error("reason", "Say why they are declined.")
        if not form.is_valid():
            return self._confirm(request, chosen, decision=str(request.POST.get("decision", "")), form=form)
        if not reauthentication.is_recent(request, at=timezone.now()):
            return self._ask_password(request, chosen, form, back="decide")
        for order_id, version in chosen.items():
            _decide(request, order_id, version=version, is_one_of_many=True, **form.cleaned_data)
        return redirect("admin:orders_order_changelist")

    def review_view(self, request: HttpRequest, order_id: UUID) -> HttpResponseBase:
        """All that a second person needs to decide on one order, and the two buttons."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view orders")
        order = get_object_or_404(Order.objects.select_related("maker", "account__owner"), pk=order_id)
        if request.method != "POST":
            return TemplateResponse(request, "admin/orders/order/review.html", self._shown(order, request))
        form = OneDecisionForm(request.POST)
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        elif not reauthentication.is_recent(request, at=timezone.now()):
            return self._ask_password(request, {order_id: form.cleaned_data["version"]}, form, back="review")
        else:
            _decide(request, order_id, **form.cleaned_data)
        return redirect("admin:orders_order_review", order_id=order_id)

    def password_view(self, request: HttpRequest) -> HttpResponseBase:
        """Take the password, and lead back to what was to be decided: nothing is decided here."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view orders")
        if request.method != "POST":
            return redirect("admin:orders_order_changelist")
        chosen = _chosen(request.POST.getlist("order"))
        form, back = PasswordForm(request.POST), request.POST.get("back", "")
        if not form.is_valid():
            return self._ask_password(request, chosen, form, back=back)
        if not reauthentication.give(request, form.cleaned_data["password"], at=timezone.now()):
            form.add_error("password", "That is not your password.")
            return self._ask_password(request, chosen, form, back=back)
        messages.info(request, "Thank you. Nothing is decided yet: look again, then press the button.")
        if back == "decide":
            again = DecisionForm(request.POST)
            return self._confirm(request, chosen, decision=form.cleaned_data["decision"], form=again)
        order_id = next(iter(chosen))
        request.session[DRAFT] = [str(order_id), form.cleaned_data["reason"]]
        return redirect("admin:orders_order_review", order_id=order_id)

    def _shown(self, order: Order, request: HttpRequest) -> dict[str, Any]:
        at = timezone.now()
        drafted_for, draft = request.session.pop(DRAFT, ("", ""))
        return {
            **self.admin_site.each_context(request),
            **review.page(order, viewer=viewer(request), at=at),
            "opts": self.opts,
            "live": live.state_of(order, at=at),
            "next": live.next_waiting(order, viewer(request)),
            "draft": draft if drafted_for == str(order.pk) else "",
            "asks_password": not reauthentication.is_recent(request, at=at),
            "back": f"{reverse('admin:orders_order_changelist')}?{request.GET.get('_changelist_filters', '')}",
        }

    def _ask_password(
        self, request: HttpRequest, chosen: dict[UUID, int], form: forms.Form, *, back: str
    ) -> HttpResponseBase:
        """A page that asks for it and carries along what was to be decided."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Your password, please",
            "opts": self.opts,
            "form": form,
            "has_tried": isinstance(form, PasswordForm),
            "carried": [f"{order_id}:{version}" for order_id, version in chosen.items()],
            "decision": request.POST.get("decision", ""),
            "reason": request.POST.get("reason", ""),
            "back": back,
            "minutes": int(reauthentication.WINDOW.total_seconds() // 60),
        }
        return TemplateResponse(request, "admin/orders/order/password.html", context)

    def _confirm(
        self, request: HttpRequest, chosen: dict[UUID, int], *, decision: str, form: forms.Form | None = None
    ) -> HttpResponseBase:
        """Show what is about to be decided, and what is left out of it and why."""
        if decision not in DECIDE:
            raise SuspiciousOperation("a decision is approve or decline")
        orders = Order.objects.select_related("maker").filter(pk__in=chosen).order_by("created_at", "pk")
        lines = [_line(order, chosen[order.pk], decision, request, at=timezone.now()) for order in orders]
        included = [line for line in lines if not line.obstacle]
        context = {
            **self.admin_site.each_context(request),
            "title": f"{decision.capitalize()} selected orders",
            "opts": self.opts,
            "decision": decision,
            "form": form,
            "chosen": included,
            "left_out": [line for line in lines if line.obstacle],
            "needs_reason": decision == "decline" or any(line.needs_reason for line in included),
            "asks_password": not reauthentication.is_recent(request, at=timezone.now()),
        }
        return TemplateResponse(request, "admin/orders/order/decide.html", context)


def _flags(order: Order) -> SafeString:
    """What sets an order apart from those that are approved by the dozen."""
    if order.is_tainted:
        return format_html(' <span class="nx-badge nx-danger">{}</span>', "not in own words")
    if order.approvals_needed > 1:
        return format_html(' <span class="nx-badge nx-warning">{} approvals</span>', order.approvals_needed)
    return SafeString("")


def _decide(
    request: HttpRequest, order_id: UUID, *, decision: str, reason: str, version: int, is_one_of_many: bool = False
) -> None:
    """Call the one service and tell the person what came of it."""
    name, by, at = f"Order {str(order_id)[:8]}", viewer(request), timezone.now()
    try:
        if is_one_of_many and decision == "approve":
            _refuse_among_many(order_id, by, at=at)
        order = DECIDE[decision](order_id, by=by, version=version, reason=reason, at=at)
    except NexTradeError as error:
        messages.error(request, f"{name} was not {DONE[decision]}: {error.message}.")
    else:
        what = f"{order.side} {plain(order.quantity)} {order.symbol}"
        if order.status == Status.PENDING_APPROVAL:
            messages.success(request, f"{name}, {what}: {review.progress(order)}. It waits for another person.")
        else:
            messages.success(request, f"{name} {DONE[decision]}: {what}.")


def _refuse_among_many(order_id: UUID, by: User, *, at: datetime) -> None:
    """Raises Refused, which the trail keeps, for an order that is approved on its own page alone."""
    with audit.refusals(actor=audit.person(by), at=at, order_id=order_id):
        order = Order.objects.select_related("maker").filter(pk=order_id).first()
        why = review.singular(order) if order else ""
        if why:
            raise Refused(why)


def _chosen(values: list[str]) -> dict[UUID, int]:
    """Orders and the versions that were shown, from "id:version". Raises SuspiciousOperation for anything else."""
    found = [CHOSEN.fullmatch(value) for value in values]
    try:
        return {UUID(match[1]): int(match[2]) for match in found if match} if all(found) and found else _unreadable()
    except ValueError:
        return _unreadable()


def _unreadable() -> dict[UUID, int]:
    raise SuspiciousOperation("the chosen orders cannot be read")


def _line(order: Order, version: int, decision: str, request: HttpRequest, *, at: datetime) -> review.Chosen:
    return review.chosen(order, version, decision=decision, viewer=viewer(request), at=at)

"""Limits in the admin: proposed by one person, approved by another, never rewritten."""

import re
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import display
from unfold.views import ChangeList

from compliance import audit
from compliance.admin import ReadOnly, people
from compliance.admin_requests import viewer
from nextrade.errors import NexTradeError
from orders import instruments, queries, safeguards
from orders.models import Account, Limits
from orders.payload import plain
from orders.review import usd

SCOPE = re.compile(r"(?P<firm>firm)|account:(?P<account>[0-9]{1,9})|symbol:(?P<symbol>[A-Z][A-Z.]{0,7})")
LIMIT_FIELDS = tuple(queries.STRICTEST)
LABELS = {
    **{field.name: str(field.verbose_name) for field in Limits._meta.fields},
    "max_orders_per_minute": "orders a minute, per account",
    "max_orders_per_day": "orders a day, per account",
    "duplicate_window_s": "seconds in which no two are alike",
    "max_quote_age_s": "seconds a quote may be old",
    "are_market_orders_allowed": "market orders without a reason",
}
HOLDS, WAITS, SUPERSEDED = "holds", "waits for a second person", "superseded"
LIMITS_COLOURS = {HOLDS: "success", WAITS: "warning", SUPERSEDED: ""}


class LimitsForm(forms.ModelForm):  # type: ignore[type-arg]
    """A new version of one scope. A blank says nothing there; the firm says something about everything."""

    class Meta:
        model = Limits
        fields = ("scope", "reason", *LIMIT_FIELDS)
        labels = LABELS
        help_texts = {"scope": "Such as firm, account:7 or symbol:AAPL.", "reason": "Read by who approves the change."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "reason" in self.fields:  # which it is not for who only looks
            self.fields["reason"].required = True

    def clean_scope(self) -> str:
        scope = str(self.cleaned_data["scope"]).strip()
        found = SCOPE.fullmatch(scope)
        if found is None:
            raise forms.ValidationError("A scope is firm, account:7 or symbol:AAPL.")
        if found["account"] and not Account.objects.filter(pk=int(found["account"])).exists():
            raise forms.ValidationError("There is no such account.")
        if found["symbol"] and found["symbol"] not in instruments.ALL:
            raise forms.ValidationError("That symbol is not one we know.")
        return f"account:{int(found['account'])}" if found["account"] else scope

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        for field in LIMIT_FIELDS:
            value = given.get(field)
            if isinstance(value, Decimal) and value < 0:
                self.add_error(field, "A limit is zero or more.")
            if value is None and given.get("scope") == "firm" and field not in self.errors:
                self.add_error(field, "The firm states every limit: without one its check fails for everybody.")
        newest = in_force(str(given.get("scope", "")))
        if newest and not self.errors and not _changes(newest, Limits(**{f: given[f] for f in LIMIT_FIELDS})):
            raise forms.ValidationError("Nothing is changed: these limits hold already.")
        return given


class Versions(ChangeList):  # type: ignore[misc]
    """A page of versions, each with its state, the one that it follows and the names of its two people."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(Limits.objects.filter(scope__in={row.scope for row in self.result_list}).order_by("version"))
        names = people(pid for row in self.result_list for pid in (row.set_by, row.approved_by))
        for row in self.result_list:
            row.names, row.state = names, _state(row, rows)
            row.follows = _before(row, rows)


@admin.register(Limits)
class LimitsAdmin(ReadOnly):
    """Proposed by one person, approved by another; what holds is the newest approved version of each scope."""

    form = LimitsForm
    list_display = ("number", "scope", "state_now", "changes", "reason", "proposed", "approved")
    list_filter = ("scope",)
    ordering = ("-version",)
    sortable_by = ()
    actions = ("approve_selected",)
    list_before_template = "admin/orders/limits_note.html"
    fieldsets = (
        ("Where, and why", {"fields": ("scope", "reason")}),
        ("One order", {"fields": (*LIMIT_FIELDS[:2], "min_notional_usd", "are_market_orders_allowed")}),
        ("Approval", {"fields": ("max_approval_usd", "second_approver_usd")}),
        ("Price", {"fields": ("collar_pct", "drift_pct", "max_quote_age_s")}),
        (
            "Exposure",
            {
                "fields": (
                    *("max_position_pct", "max_sector_pct", "max_gross_usd", "max_credit_usd", "max_firm_credit_usd"),
                    *("max_daily_loss_usd", "max_drawdown_pct"),
                )
            },
        ),
        ("Pace", {"fields": ("max_orders_per_minute", "max_orders_per_day", "duplicate_window_s")}),
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Versions]:
        return Versions

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.add_limits")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("orders.approve_limits")

    def get_fieldsets(self, request: HttpRequest, obj: Limits | None = None) -> Any:
        if obj is None:
            return self.fieldsets
        told = ("scope", "state_now", "reason", "proposed", "approved")
        return (("Version", {"fields": told}), ("Limits", {"fields": ("stated",)}))

    def get_readonly_fields(self, request: HttpRequest, obj: Limits | None = None) -> tuple[str, ...]:
        return ("scope", "state_now", "reason", "proposed", "approved", "stated") if obj else ()

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        one_button = {"show_save_and_continue": False, "show_save_and_add_another": False}
        return super().render_change_form(request, {**context, **one_button}, *args, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """What holds in the scope, to be changed where it should be."""
        scope = request.GET.get("scope", "firm")
        newest = in_force(scope)
        stated = {field: getattr(newest, field) for field in LIMIT_FIELDS} if newest else {}
        return {"scope": scope, **{field: _short(value) for field, value in stated.items()}}

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        stated = sorted(set(Limits.objects.values_list("scope", flat=True))) if self.has_add_permission(request) else []
        more = {"scopes": stated, "may_approve": self.has_approve_permission(request)}
        response: HttpResponseBase = super().changelist_view(request, {**(extra_context or {}), **more})
        return response

    def save_model(self, request: HttpRequest, obj: Limits, form: Any, change: bool) -> None:
        obj.set_by, obj.set_at = audit.person(viewer(request)), timezone.now()
        safeguards.set_limits(obj)

    def response_add(self, request: HttpRequest, obj: Limits, post_url_continue: str | None = None) -> Any:
        name = f"Version {obj.version} of the limits of {obj.scope}"
        messages.success(request, f"{name} is proposed. It holds once a second person approves it.")
        return redirect("admin:orders_limits_changelist")

    @admin.action(description="Approve selected limits", permissions=["approve"])
    def approve_selected(self, request: HttpRequest, queryset: QuerySet[Limits]) -> None:
        for row in queryset.order_by("version"):
            name = f"Version {row.version} of the limits of {row.scope}"
            try:
                if _state(row, _of_scope(row)) == SUPERSEDED:
                    messages.error(request, f"{name} was not approved: a newer version holds already.")
                    continue
                safeguards.approve_limits(row.version, by=viewer(request), at=timezone.now())
            except NexTradeError as error:
                messages.error(request, f"{name} was not approved: {error.message}.")
            else:
                messages.success(request, f"{name} is approved and holds.")

    @display(description="version", ordering="version")  # type: ignore[untyped-decorator]
    def number(self, row: Limits) -> str:
        return str(row.version)

    @display(description="state", label=LIMITS_COLOURS)  # type: ignore[untyped-decorator]
    def state_now(self, row: Limits) -> str:
        return str(getattr(row, "state", "") or _state(row, _of_scope(row)))

    def changes(self, row: Limits) -> str:
        """What is other than in the version that held before it."""
        follows = row.follows if hasattr(row, "follows") else _before(row, _of_scope(row))
        if follows is None:
            return "the first of its scope"
        lines = ((text,) for text in _changes(follows, row))
        return format_html('<span class="nx-summary">{}</span>', format_html_join("\n", "{}<br>", lines) or "nothing")

    @display(description="every limit, before and in this version")  # type: ignore[untyped-decorator]
    def stated(self, row: Limits) -> str:
        before = _before(row, _of_scope(row))
        lines = (
            (
                "nx-changed" if before and getattr(before, field) != getattr(row, field) else "",
                LABELS[field],
                _told(getattr(before, field), field) if before else "–",
                _told(getattr(row, field), field),
            )
            for field in LIMIT_FIELDS
        )
        cells = '<tr class="{}"><th>{}</th><td class="nx-num">{}</td><td class="nx-num">{}</td></tr>'
        return format_html('<table class="nx-table nx-stated">{}</table>', format_html_join("\n", cells, lines))

    def proposed(self, row: Limits) -> str:
        return _signed(row.set_by, row.set_at, row)

    def approved(self, row: Limits) -> str:
        return _signed(row.approved_by, row.approved_at, row) if row.approved_at else "–"


def in_force(scope: str) -> Limits | None:
    """The newest approved version of a scope, which holds."""
    return Limits.objects.filter(scope=scope).exclude(approved_at=None).order_by("version").last()


def _of_scope(row: Limits) -> list[Limits]:
    return list(Limits.objects.filter(scope=row.scope).order_by("version"))


def _state(row: Limits, rows: Iterable[Limits]) -> str:
    """Whether a version holds, among all versions in their order."""
    is_overtaken = any(other.scope == row.scope and other.version > row.version and other.approved_at for other in rows)
    return SUPERSEDED if is_overtaken else HOLDS if row.approved_at else WAITS


def _before(row: Limits, rows: Iterable[Limits]) -> Limits | None:
    """The version of the same scope that held when this one was made, among all in their order."""
    older = [other for other in rows if other.scope == row.scope and other.version < row.version and other.approved_at]
    return older[-1] if older else None


def _changes(before: Limits, after: Limits) -> list[str]:
    """ "USD per order, at most: 250,000.00 → 300,000.00" for each limit that differs."""
    return [
        f"{LABELS[field]}: {_told(getattr(before, field), field)} → {_told(getattr(after, field), field)}"
        for field in LIMIT_FIELDS
        if getattr(before, field) != getattr(after, field)
    ]


def _told(value: Any, field: str) -> str:
    if value is None:
        return "not stated"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (usd(value) if field.endswith("_usd") else plain(value)) if isinstance(value, Decimal) else str(value)


def _short(value: Any) -> Any:
    """A form's first value, without the zeros that the column's precision adds."""
    return plain(value) if isinstance(value, Decimal) else value


def _name(pid: str, row: Limits) -> str:
    names: dict[str, str] = row.names if hasattr(row, "names") else people([pid])
    return names.get(pid, pid)


def _signed(pid: str, at: datetime | None, row: Limits) -> str:
    when = f"{timezone.localtime(at):%d %b %Y %H:%M}" if at else ""
    return format_html('<span>{}<br><span class="nx-faint nx-nowrap">{}</span></span>', _name(pid, row), when)

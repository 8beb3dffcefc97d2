"""Alerts, what was sent of them, tickets and silences as lists; what is done about them is done by actions."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from compliance.admin import ReadOnly, legible
from compliance.admin_requests import attempt, viewer
from nextrade.ops.alerting import services
from nextrade.ops.models import Alert, Delivery, Silence, Ticket

PRIORITIES = {"P1": "danger", "P2": "warning", "P3": "info", "P4": ""}
STATES = {"firing": "danger", "no data": "warning", "resolved": "success"}
DELIVERED = {"sent": "success", "waiting": "warning", "failed": "danger"}


class Handled(ReadOnly):
    """Lists whose rows alertd writes; people act on them by actions, each on the trail."""

    sortable_by = ()
    list_per_page = 50
    show_full_result_count = False

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(services.RIGHT)

    @display(description="priority", label=PRIORITIES)  # type: ignore[untyped-decorator]
    def how_urgent(self, row: Any) -> str:
        return str(row.priority)

    @display(description="what")  # type: ignore[untyped-decorator]
    def told(self, row: Any) -> str:
        return legible(row.text)[:300]


tried = partial(attempt, done="Done, and on the trail. alertd follows within seconds.")


@admin.register(Alert)
class AlertAdmin(Handled):
    nothing = "alertd has told of nothing yet. Each alert stands here from its beginning to its end."
    list_display = ("fired", "how_urgent", "rule", "told", "standing", "acknowledged_by", "over")
    list_filter = ("state", "priority", "rule", "fired_at")
    search_fields = ("rule", "text")
    ordering = ("-fired_at", "-id")
    fields = (
        ("rule", "how_urgent", "standing"),
        "told",
        "labels",
        "value",
        ("fired_at", "changed_at", "escalated_at", "resolved_at"),
        ("acknowledged_by", "acknowledged_at"),
        "uid",
    )
    readonly_fields = ("how_urgent", "standing", "told")
    actions = ("acknowledge_selected",)

    @admin.action(description="Acknowledge selected alerts", permissions=["handle"])
    def acknowledge_selected(self, request: HttpRequest, queryset: QuerySet[Alert]) -> None:
        for row in queryset:
            tried(request, partial(services.acknowledge, row.pk, by=viewer(request), at=timezone.now()))

    @display(description="fired (UTC)")  # type: ignore[untyped-decorator]
    def fired(self, row: Alert) -> str:
        return f"{row.fired_at:%Y-%m-%d %H:%M:%S}"

    @display(description="over (UTC)")  # type: ignore[untyped-decorator]
    def over(self, row: Alert) -> str:
        return f"{row.resolved_at:%Y-%m-%d %H:%M:%S}" if row.resolved_at else "-"

    @display(description="state", label=STATES)  # type: ignore[untyped-decorator]
    def standing(self, row: Alert) -> str:
        return str(row.get_state_display()).lower()


@admin.register(Delivery)
class DeliveryAdmin(Handled):
    nothing = "Nobody was told anything yet. Each message to a person stands here, and whether it arrived."
    list_display = (
        "made",
        "channel",
        "kind",
        "how_urgent",
        "rule",
        "told",
        "outcome",
        "attempts",
        "code",
        "error",
        "instead_of",
    )
    list_filter = ("status", "channel", "kind", "made_at")
    search_fields = ("rule", "text")
    ordering = ("-made_at", "-id")

    @display(description="made (UTC)")  # type: ignore[untyped-decorator]
    def made(self, row: Delivery) -> str:
        return f"{row.made_at:%Y-%m-%d %H:%M:%S}"

    @display(description="status", label=DELIVERED)  # type: ignore[untyped-decorator]
    def outcome(self, row: Delivery) -> str:
        return row.status


@admin.register(Ticket)
class TicketAdmin(Handled):
    nothing = "No ticket is open. Alerts that can wait become one."
    list_display = (
        "id",
        "due",
        "how_urgent",
        "rule",
        "told",
        "count",
        "opened_at",
        "resolved_at",
        "closed_at",
        "closed_by",
    )
    list_filter = (("closed_at", admin.EmptyFieldListFilter), "due", "rule")
    list_select_related = ("closed_by",)
    ordering = ("-id",)
    actions = ("close_selected",)

    @admin.action(description="Close selected tickets", permissions=["handle"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[Ticket]) -> None:
        for row in queryset:
            tried(request, partial(services.close_ticket, row.pk, by=viewer(request), at=timezone.now()))


@admin.register(Silence)
class SilenceAdmin(Handled):
    """Made on the system page; ended there or here."""

    nothing = "No alert is silenced, and none was."
    list_display = ("id", "rule", "labels", "starts_at", "ends_at", "why", "author", "standing")
    list_select_related = ("author",)
    ordering = ("-id",)
    actions = ("end_selected",)

    @admin.action(description="End selected silences", permissions=["handle"])
    def end_selected(self, request: HttpRequest, queryset: QuerySet[Silence]) -> None:
        for row in queryset:
            tried(request, partial(services.end_silence, row.pk, by=viewer(request), at=timezone.now()))

    @display(description="reason")  # type: ignore[untyped-decorator]
    def why(self, row: Silence) -> str:
        return legible(row.reason)

    @display(description="state", label={"silent": "warning", "over": ""})  # type: ignore[untyped-decorator]
    def standing(self, row: Silence) -> str:
        return "silent" if row.ends_at > timezone.now() else "over"

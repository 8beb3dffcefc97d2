"""The language models' side in the admin: circuit breakers, prices, calls."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from agents import breakers, costs
from agents.models import Breaker, ModelCall, ModelPrice
from compliance import audit
from compliance.admin import ReadOnly
from compliance.lists import RecentValuesFilter

STATES = {"closed": "success", "half-open": "warning", "open": "danger"}


@admin.register(Breaker)
class BreakerAdmin(ReadOnly):
    """Whether each provider's model is called, and the way to call it again at once."""

    nothing = "No provider has been called yet. Each gets a breaker with its first call."
    list_display = ("name", "state_now", "failures", "last_error", "opened_at", "proved_at")
    ordering = ("name",)
    sortable_by = ()
    fields = ("name", "state_now", "failures", "tries", "last_error", "opened_at", "tried_at", "proved_at")
    readonly_fields = fields
    actions = ("reset_selected",)

    def has_reset_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("agents.reset_breaker")

    @admin.action(description="Reset selected breakers", permissions=["reset"])
    def reset_selected(self, request: HttpRequest, queryset: QuerySet[Breaker]) -> None:
        assert isinstance(request.user, User)  # admin_view lets nobody else through
        for breaker in queryset:
            breakers.reset(breaker.name, by=audit.person(request.user), at=timezone.now())
        messages.success(request, f"Closed: {', '.join(breaker.name for breaker in queryset)}")

    @display(description="state", label=STATES)  # type: ignore[untyped-decorator]
    def state_now(self, breaker: Breaker) -> Any:
        return breaker.get_state_display()


@admin.register(ModelPrice)
class ModelPriceAdmin(ReadOnly):
    """Prices of models. A new one is added with the day it holds from; none is changed, since calls keep their cost."""

    list_display = ("model", "valid_from", "input_usd", "cached_usd", "output_usd", "source")
    ordering = ("model", "-valid_from")
    search_fields = ("model",)
    fieldsets = (
        (
            None,
            {
                "fields": ("model", "valid_from", "input_usd", "cached_usd", "output_usd", "source"),
                "description": "In USD for a million tokens, from that day on (UTC) until the next price of the model.",
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("agents.add_modelprice")

    def save_model(self, request: HttpRequest, obj: ModelPrice, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)
        costs.set_price(obj, by=request.user, at=timezone.now())


@admin.register(ModelCall)
class ModelCallAdmin(ReadOnly):
    """Each request to a language model."""

    list_display = (
        "at",
        "user",
        "agent",
        "model",
        "input_tokens",
        "output_tokens",
        "cost_usd",
        "latency_ms",
        "outcome",
    )
    list_filter = (("agent", RecentValuesFilter), ("model", RecentValuesFilter), ("outcome", RecentValuesFilter))
    list_select_related = ("user",)
    ordering = ("-at", "-id")

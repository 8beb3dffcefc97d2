"""Trading states in the admin: the kill switch by hand."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.decorators import display

from compliance import audit
from compliance.admin import people
from compliance.admin_requests import viewer
from orders import instruments, safeguards
from orders.admin.closing import Closable
from orders.models import Account, TradingState


class TradingStateForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = TradingState
        fields = ("state", "symbol", "account", "until", "reason")
        help_texts = {
            "state": "Halted stops everything; reducing lets through what sells what is held.",
            "symbol": "One symbol, or none for all of them.",
            "account": "One account, or none for all of them.",
            "until": "When it ends by itself. Empty: when somebody lifts it.",
        }

    def clean_symbol(self) -> str:
        symbol = str(self.cleaned_data["symbol"]).strip().upper()
        if symbol and symbol not in instruments.ALL:
            raise forms.ValidationError("That symbol is not one we know.")
        return symbol

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("symbol") and given.get("account"):
            raise forms.ValidationError("A state is of a symbol or of an account, not of both.")
        until = given.get("until")
        if until and until <= timezone.now():
            self.add_error("until", "It ends in the future.")
        return given


@admin.register(TradingState)
class TradingStateAdmin(Closable):
    """The kill switch by hand: set here, lifted here, each with its reason and event."""

    form = TradingStateForm
    fields = ("state", "symbol", "account", "until", "reason")
    nothing = "Trading has never been halted or reduced."
    list_display = ("where", "state_now", "reason", "who", "set_at", "until", "lifted_at")
    list_select_related = ("account__owner",)
    ordering = ("-id",)
    sortable_by = ()
    closing = "lift"
    closing_note = "Trading goes on at once where the state is lifted; a day's loss that is still there sets it again."
    closing_question = "Why trading may go on"

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.add_tradingstate")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.queryset = Account.objects.select_related("owner").order_by("owner__username")
        field.label_from_instance = lambda account: account.owner.get_username()
        return field

    def save_model(self, request: HttpRequest, obj: TradingState, form: Any, change: bool) -> None:
        row = safeguards.halt(
            symbol=obj.symbol,
            account=obj.account,
            state=TradingState.State(obj.state),
            until=obj.until,
            reason=obj.reason,
            by=audit.person(viewer(request)),
            at=timezone.now(),
        )
        obj.pk = row.pk

    def still_open(self) -> QuerySet[TradingState]:
        ended = models.Q(until__lte=timezone.now())
        return TradingState.objects.filter(lifted_at=None).exclude(ended).select_related("account__owner")

    def close(self, row: TradingState, *, by: User, reason: str, at: datetime) -> None:
        safeguards.resume_trading(symbol=row.symbol, account=row.account, reason=reason, by=audit.person(by), at=at)

    def closing_cells(self, row: TradingState) -> list[tuple[str, str]]:
        until = f"{timezone.localtime(row.until):%d %b %Y %H:%M}" if row.until else "lifted"
        return [("Where", row.where), ("State", row.get_state_display()), ("Until", until), ("Reason", row.reason)]

    @display(description="set by")  # type: ignore[untyped-decorator]
    def who(self, row: TradingState) -> str:
        return people([row.set_by]).get(row.set_by, row.set_by)

    @display(  # type: ignore[untyped-decorator]
        description="state", label={"halted": "danger", "reducing": "warning", "lifted": "success", "over": "success"}
    )
    def state_now(self, row: TradingState) -> str:
        if row.lifted_at:
            return "lifted"
        return "over" if row.until and row.until <= timezone.now() else row.state

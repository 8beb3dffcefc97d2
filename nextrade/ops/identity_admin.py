"""Emergency rights, taken here; programs' accounts, looked at here."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from compliance.admin import ReadOnly
from compliance.admin_requests import viewer
from nextrade import break_glass
from nextrade.errors import NexTradeError
from nextrade.ops.models import BreakGlass, ServiceAccount


class BreakGlassForm(forms.ModelForm):  # type: ignore[type-arg]
    """Takes the rights while it is validated, so that a refusal is a message beside the field."""

    taker: Any

    class Meta:
        model = BreakGlass
        fields = ("group", "reason")
        help_texts = {
            "group": "Its rights are yours for one hour. Nobody approves their own order, now as ever.",
            "reason": "A sentence. Everybody on call is told at once, and it stays on the trail.",
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if self.errors:
            return given
        try:
            self.instance = break_glass.take(given["group"], by=self.taker, reason=given["reason"], at=timezone.now())
        except NexTradeError as refused:
            raise forms.ValidationError(refused.message) from refused
        return given


@admin.register(BreakGlass)
class BreakGlassAdmin(ModelAdmin):
    form = BreakGlassForm
    fields = ("group", "reason")
    list_display = ("user", "group", "reason", "started_at", "ends_at", "state")
    list_before_template = "admin/note.html"
    note = "An hour of a group’s rights, in an emergency. Everybody on call is told; four eyes hold all the same."
    list_select_related = ("user", "group")
    ordering = ("-id",)
    sortable_by = ()
    actions = ("give_back",)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"taker": viewer(request)})

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "group":
            kwargs["queryset"] = Group.objects.filter(name__in=break_glass.GROUPS)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """`break_glass.take` has written it."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.action(description="Give back before the hour is over", permissions=["view"])
    def give_back(self, request: HttpRequest, chosen: QuerySet[BreakGlass]) -> None:
        for taken in chosen.filter(user=viewer(request)).select_related("user", "group"):
            break_glass.give_back(taken, by=viewer(request), at=timezone.now())
        self.message_user(request, "Yours among them have ended.", messages.SUCCESS)

    @display(label={"holds": "danger", "over": ""})  # type: ignore[untyped-decorator]
    def state(self, taken: BreakGlass) -> str:
        return "holds" if taken.ends_at > _now() else "over"


@admin.register(ServiceAccount)
class ServiceAccountAdmin(ReadOnly):
    list_display = ("user", "owner", "purpose", "expires_at", "state")
    list_before_template = "admin/note.html"
    note = "Accounts of programs (manage.py service_account). Each ends by its date, or with its owner."
    list_select_related = ("user", "owner")
    ordering = ("expires_at",)
    sortable_by = ()
    fields = ("user", "owner", "purpose", "expires_at", "state")
    readonly_fields = fields

    @display(label={"works": "success", "ended": ""})  # type: ignore[untyped-decorator]
    def state(self, account: ServiceAccount) -> str:
        return "works" if account.user.is_active and account.expires_at > _now() else "ended"


def _now() -> datetime:
    return timezone.now()

"""Conflicts of interest and lent authority: put down or taken away by Compliance, never by those they are about."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import ModelAdmin
from unfold.decorators import display

from compliance import audit
from compliance.admin_requests import viewer
from compliance.audit import Action
from orders import queries
from orders.models import Conflict, Delegation

LOAN_COLOURS = {"holds": "success", "to come": "info", "over": ""}


class AgreementForm(forms.ModelForm):  # type: ignore[type-arg]
    """Something between two people, put down by a third. viewer: who fills in the form."""

    pair: tuple[str, str]
    viewer: User

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        first, second = (given.get(name) for name in self.pair)
        if first and first == second:
            self.add_error(self.pair[1], "This takes two people.")
        if self.viewer in (first, second):
            raise forms.ValidationError("Nobody puts this down about themselves: another person has to.")
        return given


class ConflictForm(AgreementForm):
    pair = ("one", "other")

    class Meta:
        model = Conflict
        fields = ("one", "other", "reason")

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        one, other = given.get("one"), given.get("other")
        if one and other and queries.is_conflict(one.pk, other.pk):
            raise forms.ValidationError("These two are on the list already.")
        return given


class DelegationForm(AgreementForm):
    pair = ("giver", "taker")

    class Meta:
        model = Delegation
        fields = ("giver", "taker", "starts_at", "ends_at", "reason")
        help_texts = {
            "giver": "An approver, whose authority it is.",
            "taker": "Who decides with it. In this console that takes staff status too.",
            "ends_at": "The authority ends by itself.",
        }

    def clean(self) -> dict[str, Any]:
        given = super().clean()
        giver, starts_at, ends_at = (given.get(name) for name in ("giver", "starts_at", "ends_at"))
        if giver and not giver.has_perm("orders.approve_order"):
            self.add_error("giver", "This person has no approver's authority to lend.")
        if starts_at and ends_at and ends_at <= starts_at:
            self.add_error("ends_at", "It ends after it starts.")
        return given


class Agreement(ModelAdmin):  # type: ignore[misc]
    """Something between two people: added or taken away, never rewritten, each with its event, and by somebody else."""

    pair: tuple[str, str]
    action_of_change: Action
    sortable_by = ()
    ordering = ("-id",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request)
        return found.select_related(*self.pair)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = User.objects.filter(is_active=True).order_by("username")
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        field.label_from_instance = lambda user: user.get_username()
        return field

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), {"viewer": viewer(request)})

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_party = obj is not None and request.user.pk in (getattr(obj, f"{name}_id") for name in self.pair)
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and not is_party

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        self._record("added", obj, request)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self._record("removed", obj, request)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with transaction.atomic():
            for row in queryset.select_for_update(of=("self",)):
                self.delete_model(request, row)

    def _record(self, change: str, row: models.Model, request: HttpRequest) -> None:
        details = {name: audit.person(getattr(row, name)) for name in self.pair}
        moments = {name: getattr(row, name).isoformat() for name in ("starts_at", "ends_at") if hasattr(row, name)}
        details |= {"change": change, "reason": getattr(row, "reason", ""), **moments}
        actor = audit.person(viewer(request))
        audit.record(self.action_of_change, actor=actor, at=timezone.now(), details=details)


@admin.register(Conflict)
class ConflictAdmin(Agreement):
    form = ConflictForm
    pair = ("one", "other")
    action_of_change = Action.CONFLICT_CHANGED
    nothing = "No two people are barred from deciding on each other’s orders."
    list_display = ("number", "one", "other", "reason")
    search_fields = ("one__username", "other__username", "reason")

    @display(description="conflict")  # type: ignore[untyped-decorator]
    def number(self, row: Conflict) -> str:
        return f"#{row.pk}"


@admin.register(Delegation)
class DelegationAdmin(Agreement):
    form = DelegationForm
    pair = ("giver", "taker")
    action_of_change = Action.DELEGATION_CHANGED
    nothing = "Nobody’s authority to approve is lent to somebody else."
    list_display = ("number", "giver", "taker", "starts_at", "ends_at", "state_now", "reason")
    search_fields = ("giver__username", "taker__username", "reason")

    @display(description="delegation")  # type: ignore[untyped-decorator]
    def number(self, row: Delegation) -> str:
        return f"#{row.pk}"

    @display(description="state", label=LOAN_COLOURS)  # type: ignore[untyped-decorator]
    def state_now(self, row: Delegation) -> str:
        now = timezone.now()
        return "to come" if row.starts_at > now else "over" if row.ends_at <= now else "holds"

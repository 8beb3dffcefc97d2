"""Rows that a person closes, with a reason that is asked for on a page of its own."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance.admin import ReadOnly
from compliance.admin_requests import viewer
from nextrade.errors import NexTradeError


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=200, error_messages={"required": "Say why."})


class Closable(ReadOnly):
    """Rows that a person closes, with a reason that is asked for on a page of its own.

    closing: the verb; closing_note: what closing means; closing_question: what the reason tells.
    """

    closing: str
    closing_note: str
    closing_question: str
    actions = ("close_selected",)

    def close(self, row: Any, *, by: User, reason: str, at: datetime) -> None:
        """Call the service that does it. Raises NexTradeError."""
        raise NotImplementedError

    def still_open(self) -> QuerySet[Any]:
        raise NotImplementedError

    def closing_cells(self, row: Any) -> list[tuple[str, str]]:
        """Heading and text of each column of the page that asks."""
        raise NotImplementedError

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        if "close_selected" in actions:
            function, name, _ = actions["close_selected"]
            named = f"{self.closing.capitalize()} selected {self.opts.verbose_name_plural}"
            actions["close_selected"] = (function, name, named)
        return actions

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.close_view)
        return [path("close/", view, name=f"orders_{self.opts.model_name}_close"), *super().get_urls()]

    def has_close_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"orders.change_{self.opts.model_name}")

    @admin.action(description="Close selected", permissions=["close"])
    def close_selected(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponseBase:
        return self._ask(request, [str(key) for key in queryset.values_list("pk", flat=True)])

    def close_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_close_permission(request):
            raise PermissionDenied(f"this takes the right to {self.closing}")
        back = redirect(f"admin:orders_{self.opts.model_name}_changelist")
        if request.method != "POST":
            return back
        form = ReasonForm(request.POST)
        keys = [key for key in request.POST.getlist("row") if re.fullmatch(r"[0-9]{1,9}", key)]
        if not form.is_valid():
            return self._ask(request, keys, form)
        for row in self.still_open().filter(pk__in=keys).order_by("pk"):
            self._close(request, row, form.cleaned_data["reason"])
        return back

    def _close(self, request: HttpRequest, row: Any, reason: str) -> None:
        name = f"{self.opts.verbose_name.capitalize()} #{row.pk}"
        try:
            self.close(row, by=viewer(request), reason=reason, at=timezone.now())
        except NexTradeError as error:
            messages.error(request, f"{name}: {error.message}.")
        else:
            messages.success(request, f"{name} is closed.")

    def _ask(self, request: HttpRequest, keys: list[str], form: ReasonForm | None = None) -> HttpResponseBase:
        rows = list(self.still_open().filter(pk__in=keys).order_by("pk"))
        context = {
            **self.admin_site.each_context(request),
            "title": f"{self.closing.capitalize()} selected {self.opts.verbose_name_plural}",
            "opts": self.opts,
            "rows": [(row.pk, self.closing_cells(row)) for row in rows],
            "form": form,
            "closing": self.closing,
            "note": self.closing_note,
            "question": self.closing_question,
            "back": reverse(f"admin:orders_{self.opts.model_name}_changelist"),
            "here": reverse(f"admin:orders_{self.opts.model_name}_close"),
        }
        return TemplateResponse(request, "admin/orders/close.html", context)

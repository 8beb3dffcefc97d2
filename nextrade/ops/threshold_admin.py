"""Every alert in the admin: what it is for, whom it tells, from where on; and the form that moves its threshold."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from compliance.admin import ReadOnly, people
from nextrade.errors import Missing, NexTradeError
from nextrade.ops import thresholds
from nextrade.ops.alerting.rule import Rule, number
from nextrade.ops.models import Threshold
from nextrade.ops.rules import RULES

COLOURS = {"P1": "danger", "P2": "warning", "P3": "info", "P4": "", "none": ""}


class ThresholdForm(forms.Form):
    value = forms.FloatField(error_messages={"required": "Say from where on it fires."})
    reason = forms.CharField(max_length=200, error_messages={"required": "Say why."})


@admin.register(Threshold)
class ThresholdAdmin(ReadOnly):
    """The list is the catalogue's, not the rows'; a row stands only where somebody set a threshold."""

    def has_set_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("ops.change_threshold")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view alert rules")
        rows = {row.rule: row for row in Threshold.objects.all()}
        names = people(row.set_by for row in rows.values())
        shown = {
            **self.admin_site.each_context(request),
            "title": "Alert rules",
            "opts": self.opts,
            "rules": [_shown(rule, rows.get(rule.name), names) for rule in RULES],
            "may_set": self.has_set_permission(request),
        }
        return TemplateResponse(request, "admin/ops/rules.html", shown)

    def change_view(self, request: HttpRequest, object_id: str, *_: Any, **__: Any) -> HttpResponseBase:
        """One threshold: the number and the reason."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view alert rules")
        try:
            rule = thresholds.with_threshold(object_id)
        except Missing as error:
            raise Http404 from error
        form = ThresholdForm(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._set(request, rule, form):
            return redirect("admin:ops_threshold_changelist")
        row = Threshold.objects.filter(rule=rule.name).first()
        shown = {
            **self.admin_site.each_context(request),
            "title": rule.name,
            "opts": self.opts,
            "rule": _shown(rule, row, people([row.set_by] if row else [])),
            "form": form,
            "may_set": self.has_set_permission(request),
        }
        return TemplateResponse(request, "admin/ops/threshold.html", shown)

    def _set(self, request: HttpRequest, rule: Rule, form: ThresholdForm) -> bool:
        assert isinstance(request.user, User)
        told = form.cleaned_data
        try:
            thresholds.set_threshold(
                rule.name, told["value"], reason=told["reason"], by=request.user, at=timezone.now()
            )
        except NexTradeError as error:
            form.add_error(None, f"{error.message[:1].upper()}{error.message[1:]}.")
            return False
        messages.success(request, f"{rule.name} fires from {number(told['value'])} on, and it is on the trail.")
        return True


def _shown(rule: Rule, row: Threshold | None, names: dict[str, str]) -> dict[str, Any]:
    return {
        "rule": rule,
        "colour": COLOURS[rule.priority.name],
        "channels": ", ".join(rule.channels),
        "threshold": number(row.value if row else rule.threshold),
        "default": number(rule.threshold),
        "row": row,
        "by": names.get(row.set_by, row.set_by) if row else "",
        "expr": rule.with_threshold(row.value).expr if row else rule.expr,
    }

"""Checklists with their evidence, and a person's word that they have looked."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import action, display

from compliance.admin import ReadOnly, legible
from nextrade.errors import NexTradeError
from nextrade.ops.care import checklists
from nextrade.ops.models import ChecklistRun

COLOURS = {"ok": "success", "warn": "warning", "unknown": "info", "fail": "danger"}


@admin.register(ChecklistRun)
class ChecklistRunAdmin(ReadOnly):
    list_display = ("period", "kind", "state", "gathered", "signed_by", "signed_at")
    list_before_template = "admin/note.html"
    note = "What was looked at, with its evidence. manage.py checklist daily (weekly, monthly, quarterly) makes one."
    list_filter = ("kind", "verdict")
    list_select_related = ("signed_by",)
    ordering = ("-gathered_at",)
    sortable_by = ()
    show_full_result_count = False
    actions = ("sign",)
    fields = ("kind", "period", "state", "gathered_at", "evidence", "signed_by", "signed_at")
    readonly_fields = fields

    def has_sign_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(checklists.RIGHT)

    @action(description="Sign off selected checklists", permissions=["sign"])  # type: ignore[untyped-decorator]
    def sign(self, request: HttpRequest, queryset: QuerySet[ChecklistRun]) -> None:
        assert isinstance(request.user, User)
        for key in queryset.order_by("pk").values_list("pk", flat=True):
            try:
                done = checklists.sign(key, by=request.user, at=timezone.now())
            except NexTradeError as error:
                messages.error(request, error.message)
            else:
                messages.success(request, f"{done.kind} {done.period} is signed off, and on the trail.")

    @display(description="verdict", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, run: ChecklistRun) -> tuple[str, str]:
        return run.verdict, run.verdict

    @display(description="gathered (UTC)")  # type: ignore[untyped-decorator]
    def gathered(self, run: ChecklistRun) -> str:
        return f"{run.gathered_at:%Y-%m-%d %H:%M}"

    def evidence(self, run: ChecklistRun) -> Any:
        rows = ((each.verdict, each.name, legible(each.said)) for each in run.items.order_by("pk"))
        lines = format_html_join("\n", "{}\t{}\n\t{}", rows)
        return format_html('<pre class="nx-pre" tabindex="0" x-ignore>{}</pre>', lines)

"""What bills say, entered by operations; `manage.py report cost` adds it up. What staff post is on the trail."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from nextrade.ops.models import CostEntry


@admin.register(CostEntry)
class CostEntryAdmin(ModelAdmin):
    list_display = ("month", "kind", "usd", "note")
    list_filter = ("kind",)
    list_before_template = "admin/note.html"
    note = "What bills say, beside what language models cost. manage.py report cost adds both up."
    ordering = ("-month", "kind", "id")
    sortable_by = ()
    fields = ("month", "kind", "usd", "note")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

"""Breaks in the admin: what our books and the broker differ in, until a person resolves it."""

from datetime import datetime

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from unfold.decorators import display

from orders import reconciliation
from orders.admin.closing import Closable
from orders.models import Break


@admin.register(Break)
class BreakAdmin(Closable):
    nothing = "Our books and the broker’s agree. Where they differ, the difference stands here."
    list_display = ("number", "kind", "subject", "of_whom", "ours", "theirs", "state_now", "found_at", "resolution")
    list_filter = (("resolved_at", admin.EmptyFieldListFilter), "kind")
    list_select_related = ("account__owner",)
    ordering = ("-id",)
    sortable_by = ()
    closing = "resolve"
    closing_note = (
        "Approvals of the account stop while our books and the broker’s differ. They go on once you say what the"
        " difference came from."
    )
    closing_question = "What the difference came from"

    def still_open(self) -> QuerySet[Break]:
        return Break.objects.filter(resolved_at=None).select_related("account__owner")

    def close(self, row: Break, *, by: User, reason: str, at: datetime) -> None:
        reconciliation.resolve(row.pk, by=by, resolution=reason, at=at)

    def closing_cells(self, row: Break) -> list[tuple[str, str]]:
        what = [("What differs", row.get_kind_display()), ("Of", row.subject), ("Account of", self.of_whom(row))]
        return [*what, ("Ours", row.ours), ("The broker’s", row.theirs)]

    @display(description="break")  # type: ignore[untyped-decorator]
    def number(self, row: Break) -> str:
        return f"#{row.pk}"

    @display(description="account of")  # type: ignore[untyped-decorator]
    def of_whom(self, row: Break) -> str:
        return row.account.owner.get_username() if row.account else "all accounts"

    @display(description="state", label={"open": "danger", "resolved": "success"})  # type: ignore[untyped-decorator]
    def state_now(self, row: Break) -> str:
        return "resolved" if row.resolved_at else "open"

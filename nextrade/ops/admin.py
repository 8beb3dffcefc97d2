"""What other libraries put into the admin, on our theme and with our rights; the ribbon that tells which money this is.

A schedule names any importable callable and a queued task carries one, so nobody writes either here: jobs are a table
in `nextrade.ops.schedules`.
"""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice
from django_q.models import Failure, OrmQ, Schedule, Success, Task
from knox.models import get_token_model
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from compliance.admin import ReadOnly, legible
from nextrade.ops import alert_admin  # noqa: F401 - registers its pages
from nextrade.ops.models import MaintenanceRun
from nextrade.ops.schedules import JOBS
from orders import brokers

AuthToken = get_token_model()
OUTCOMES = {"succeeded": "success", "failed": "danger", "died": "danger", "skipped": "warning", "not yet": ""}

for model in (User, Group, Schedule, Success, Failure, OrmQ, AuthToken, TOTPDevice, StaticDevice):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


def environment(request: HttpRequest) -> list[str]:
    """The ribbon: which money this is."""
    return ["PAPER TRADING", "success"] if brokers.terms().mode == "paper" else ["LIVE TRADING", "danger"]


def favicon(request: HttpRequest) -> str:
    return static("nextrade/favicon.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("nextrade/admin.css")


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "roles", "is_active", "is_staff", "last_login")
    list_filter = ("groups", "is_active", "is_staff", "is_superuser")
    autocomplete_fields = ("groups",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights, which come by groups", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @display(description="groups", label=True)  # type: ignore[untyped-decorator]
    def roles(self, user: User) -> list[str]:
        return [group.name for group in user.groups.all()] + (["Superuser"] if user.is_superuser else [])


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    pass


@admin.register(Schedule)
class ScheduleAdmin(ReadOnly):
    list_display = ("name", "what", "cron", "next_run", "last_result", "func")
    ordering = ("name",)
    sortable_by = ()
    fields = ("name", "what", "func", "cron", "next_run", "last_result")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Schedule]:
        runs = MaintenanceRun.objects.filter(job=OuterRef("name")).order_by("-started_at").values("status")
        schedules: QuerySet[Schedule] = super().get_queryset(request).annotate(status=Subquery(runs[:1]))
        return schedules

    @display(description="what it does")  # type: ignore[untyped-decorator]
    def what(self, schedule: Schedule) -> str:
        return next((job.what for job in JOBS if job.name == schedule.name), "-")

    @display(description="last run", label=OUTCOMES)  # type: ignore[untyped-decorator]
    def last_result(self, schedule: Schedule) -> str:
        return schedule.status or "not yet"


class TaskAdmin(ReadOnly):
    list_display: tuple[str, ...] = ("func", "started", "took", "attempt_count", "group")
    list_filter = ("func",)
    search_fields = ("name", "func", "group")
    search_help_text = "Task, function or group"
    date_hierarchy = "started"
    ordering = ("-started",)
    sortable_by = ()
    fields = ("name", "func", "arguments", "started", "stopped", "took", "attempt_count", "outcome")
    readonly_fields = fields

    @display(description="took")  # type: ignore[untyped-decorator]
    def took(self, task: Task) -> str:
        return f"{task.time_taken():.2f} s"

    def arguments(self, task: Task) -> str:
        return _shown(f"args {task.args or ()}\nkwargs {task.kwargs or {}}")

    def outcome(self, task: Task) -> str:
        return _shown(str(task.result))


@admin.register(Success)
class SuccessAdmin(TaskAdmin):
    pass


@admin.register(Failure)
class FailureAdmin(TaskAdmin):
    nothing = "No background task has failed."
    list_display = (*TaskAdmin.list_display, "error")

    def error(self, task: Task) -> str:
        return legible(str(task.result))[:100]


@admin.register(OrmQ)
class QueueAdmin(ReadOnly):
    nothing = "No task waits: the worker has taken them all."
    list_display = ("id", "func", "name", "lock")
    ordering = ("id",)
    sortable_by = ()
    fields = ("key", "name", "func", "lock")
    readonly_fields = fields


@admin.register(AuthToken)
class TokenAdmin(ModelAdmin):
    """Who holds a token until when. The token itself is known to its holder alone; deleting the row ends it."""

    list_display = ("start", "user", "created", "expiry", "state")
    list_select_related = ("user",)
    search_fields = ("user__username", "token_key")
    search_help_text = "User name or a token's start"
    ordering = ("-created",)
    sortable_by = ()
    fields = ("start", "user", "created", "expiry", "state")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description="begins with")  # type: ignore[untyped-decorator]
    def start(self, token: Any) -> str:
        return format_html('<span class="nx-mono">{}…</span>', token.token_key[:8])

    @display(label={"valid": "success", "expired": ""})  # type: ignore[untyped-decorator]
    def state(self, token: Any) -> str:
        return "expired" if token.expiry and token.expiry <= timezone.now() else "valid"


def _shown(text: str) -> str:
    return format_html('<pre class="nx-pre" tabindex="0" x-ignore>{}</pre>', legible(text))


from nextrade.ops import (  # noqa: E402, F401 - register their pages
    checklist_admin,
    cost_admin,
    identity_admin,
    maintenance_admin,
    threshold_admin,
)

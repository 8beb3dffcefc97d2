"""The jobs of the schedule: when each ran, when it runs next, what is wrong with it, and a button to run it now."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.views.decorators.http import require_POST
from unfold.decorators import display

from compliance import audit, projection
from compliance.admin import ReadOnly, legible
from nextrade.ops import maintenance, punctuality, schedules
from nextrade.ops.models import MaintenanceRun

Status = MaintenanceRun.Status
COLOURS = {
    Status.RUNNING: "info",
    Status.SUCCEEDED: "success",
    Status.FAILED: "danger",
    Status.DIED: "danger",
    Status.SKIPPED: "warning",
}


def is_here(request: HttpRequest) -> bool:
    """Whether the sidebar marks the runs: the page of jobs, below them, has a mark of its own."""
    runs = reverse("admin:ops_maintenancerun_changelist")
    return request.path.startswith(runs) and not request.path.startswith(reverse("admin:ops_jobs"))


@admin.register(MaintenanceRun)
class MaintenanceRunAdmin(ReadOnly):
    list_display = ("started", "job", "state", "took", "by", "told")
    list_filter = ("status", "job", "started_at")
    ordering = ("-started_at",)
    sortable_by = ()
    show_full_result_count = False
    list_per_page = 50
    fields = ("job", "state", "scheduled_for", "started_at", "finished_at", "exit", "by", "told", "artefact", "sha256")
    readonly_fields = fields

    def get_urls(self) -> list[URLPattern]:
        run = require_POST(self.admin_site.admin_view(self.run_view))
        return [
            path("jobs/", self.admin_site.admin_view(self.jobs_view), name="ops_jobs"),
            path("jobs/<slug:job>/run/", run, name="ops_run_job"),
            *super().get_urls(),
        ]

    def jobs_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view the runs of jobs")
        shown = {
            **self.admin_site.each_context(request),
            "title": "Jobs",
            "opts": self.opts,
            "states": punctuality.states(at=timezone.now()),
            "colours": COLOURS,
            "may_run": request.user.has_perm("ops.run_job"),
        }
        return TemplateResponse(request, "admin/ops/jobs.html", shown)

    def run_view(self, request: HttpRequest, job: str) -> HttpResponseBase:
        if not request.user.has_perm("ops.run_job"):
            raise PermissionDenied("this takes the right to run jobs")
        try:
            found = schedules.job(job)
        except schedules.NoSuchJob as error:
            raise Http404 from error
        assert isinstance(request.user, User)
        maintenance.request(found, by=audit.person(request.user), at=timezone.now())
        messages.success(request, f"{found.name} is queued, and on the trail.")
        return redirect("admin:ops_jobs")

    @display(description="started (UTC)")  # type: ignore[untyped-decorator]
    def started(self, run: MaintenanceRun) -> str:
        return f"{run.started_at:%Y-%m-%d %H:%M:%S}"

    @display(description="how it went", label=COLOURS)  # type: ignore[untyped-decorator]
    def state(self, run: MaintenanceRun) -> tuple[str, str]:
        return run.status, run.status

    def took(self, run: MaintenanceRun) -> str:
        return f"{(run.finished_at - run.started_at).total_seconds():.1f} s" if run.finished_at else "-"

    @display(description="started by")  # type: ignore[untyped-decorator]
    def by(self, run: MaintenanceRun) -> str:
        return projection.name(run.started_by)

    @display(description="summary")  # type: ignore[untyped-decorator]
    def told(self, run: MaintenanceRun) -> Any:
        return legible(run.summary)

"""`/admin/ops/`: the system at a glance, from rows and results that are there anyway. Open to who may view alerts."""

import platform
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import django
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django_q.models import Failure, OrmQ

from agents.models import Breaker
from compliance.admin import legible
from compliance.admin_requests import viewer
from nextrade.ops import processes, punctuality, system_figures
from nextrade.ops.alert_admin import tried
from nextrade.ops.alerting import services
from nextrade.ops.models import Alert, Delivery, Heartbeat, Silence, Ticket, Watch
from nextrade.ops.results import WATCH
from nextrade.ops.rules import RULES

SHOWN = 50
SPANS = (("30", "30 minutes"), ("120", "2 hours"), ("480", "8 hours"), ("1440", "a day"), ("10080", "a week"))
BREAKERS = {Breaker.State.CLOSED: "success", Breaker.State.HALF_OPEN: "warning", Breaker.State.OPEN: "danger"}


def firing(request: HttpRequest) -> int:
    """The badge in the sidebar."""
    return Alert.objects.exclude(state=Alert.State.RESOLVED).filter(acknowledged_at=None).count()


def is_here(request: HttpRequest) -> bool:
    """Whether the sidebar marks this page: its address begins that of every other page of operations."""
    return request.path == reverse("ops-system")


@require_GET
def page(request: HttpRequest) -> HttpResponseBase:
    _require_view(request)
    at = timezone.now()
    rows = system_figures.measures(at)
    shown = {
        **admin.site.each_context(request),
        "title": "System",
        "at": at,
        "stats": system_figures.stats(rows, at),
        "charts": system_figures.charts(rows, at),
        "components": WATCH.latest().results,
        "breakers": [(each, BREAKERS[Breaker.State(each.state)]) for each in Breaker.objects.order_by("name")],
        "may_handle": request.user.has_perm(services.RIGHT),
        "spans": SPANS,
        "rules": sorted(rule.name for rule in RULES if rule.channels != ("heartbeat",)),
        **_alerts(at),
        **_work(at),
        "versions": _versions(),
        "memory": [(role, size / 1e6) for role, size in sorted(processes.memory_bytes().items())],
    }
    return TemplateResponse(request, "admin/ops/system.html", shown)


@require_POST
def acknowledge(request: HttpRequest, alert_id: int) -> HttpResponseBase:
    _require_view(request)
    tried(request, partial(services.acknowledge, alert_id, by=viewer(request), at=timezone.now()))
    return redirect("ops-system")


@require_POST
def silence(request: HttpRequest) -> HttpResponseBase:
    _require_view(request)
    minutes = request.POST.get("minutes", "")
    lasts = timedelta(minutes=int(minutes) if minutes.isdigit() and len(minutes) < 7 else 0)
    rule, reason = request.POST.get("rule", "")[:80], request.POST.get("reason", "")
    tried(request, partial(services.silence, rule, lasts=lasts, reason=reason, by=viewer(request), at=timezone.now()))
    return redirect("ops-system")


@require_POST
def end_silence(request: HttpRequest, silence_id: int) -> HttpResponseBase:
    _require_view(request)
    tried(request, partial(services.end_silence, silence_id, by=viewer(request), at=timezone.now()))
    return redirect("ops-system")


def _alerts(at: datetime) -> dict[str, Any]:
    still = Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("priority", "-fired_at")
    return {
        "alerts": [(alert, legible(alert.text)) for alert in still[:SHOWN]],
        "alert_count": still.count(),
        "silences": Silence.objects.filter(ends_at__gt=at).select_related("author").order_by("ends_at"),
        "watch": Watch.objects.first(),
        "beat": Heartbeat.objects.filter(name="alertd").first(),
        "waiting": Delivery.objects.filter(status=Delivery.Status.WAITING).count(),
        "undelivered": Delivery.objects.filter(
            status=Delivery.Status.FAILED, changed_at__gt=at - system_figures.DAY
        ).count(),
        "tickets": Ticket.objects.filter(closed_at=None).count(),
        "late_tickets": Ticket.objects.filter(closed_at=None, due__lt=at.date()).count(),
    }


def _work(at: datetime) -> dict[str, Any]:
    states = punctuality.states(at=at)
    return {
        "jobs": len(states),
        "bad_jobs": [state for state in states if state.problems],
        "queued": OrmQ.objects.count(),
        "failures": Failure.objects.filter(started__gt=at - system_figures.DAY).count(),
    }


def _versions() -> list[tuple[str, str]]:
    loader = MigrationLoader(connection)
    missing = [f"{app}.{name}" for app, name in loader.disk_migrations if (app, name) not in loader.applied_migrations]
    recorded = MigrationRecorder(connection).migration_qs.order_by("-applied", "-id")
    app, name, applied = recorded.values_list("app", "name", "applied")[0]
    version = ".".join(map(str, connection.get_database_version()))
    return [
        ("NexTrade", str(settings.SPECTACULAR_SETTINGS["VERSION"])),
        ("Python", platform.python_version()),
        ("Django", django.get_version()),
        (connection.display_name, version),
        ("Migrations", f"{len(loader.applied_migrations)} applied, {len(missing)} missing"),
        ("The newest", f"{app}.{name}, {applied:%Y-%m-%d %H:%M}"),
        ("Model", settings.MODEL),
        ("Broker, quotes", f"{settings.BROKER}, {settings.QUOTES}"),
    ]


def _require_view(request: HttpRequest) -> None:
    if not request.user.has_perm("ops.view_alert"):
        raise PermissionDenied("this takes the right to view alerts")

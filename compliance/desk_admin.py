"""Pages of the compliance desk that are no list: timelines, and whether the trail is whole."""

import uuid
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from compliance import integrity, projection, timeline
from compliance.models import ComplianceEvent, EventType


def urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("order/<uuid:order_id>/", view(order), name="compliance_timeline_order"),
        path("thread/<uuid:thread_id>/", view(thread), name="compliance_timeline_thread"),
        path("person/<str:pid>/", view(person), name="compliance_timeline_person"),
    ]


def order(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """All that happened to an order."""
    found = timeline.of_order(order_id, after=_number(request, "after"))
    links = [("The order", reverse("admin:orders_order_review", args=[order_id]))]
    links += [("Its decision file, which proves itself", reverse("order-dossier", args=[order_id]))]
    return _shown(request, found, f"Order {order_id}", step="after", links=links)


def thread(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """All that happened in a conversation."""
    found = timeline.of_thread(thread_id, after=_number(request, "after"))
    return _shown(request, found, f"Conversation {thread_id}", step="after", links=[])


def person(request: HttpRequest, pid: str) -> HttpResponse:
    """What a person did and what was done for them. Who looks here is written down (nextrade.witness)."""
    kind = request.GET.get("type", "")
    before = _number(request, "before") or None
    found = timeline.of_person(pid, kind=kind, before=before)
    name = projection.name(pid)
    known = pid if name == pid else f"{name}, {pid}"
    return _shown(request, found, known, step="before", links=[], kinds=EventType.values, kind=kind)


def whole(request: HttpRequest) -> HttpResponse:
    """Whether the trail is whole, in plain words."""
    _require(request)
    context = {
        **admin.site.each_context(request),
        **integrity.page(at=timezone.now()),
        "title": "Integrity of the trail",
        "may_verify": request.user.has_perm("compliance.sign_off"),
    }
    return TemplateResponse(request, "admin/compliance/integrity.html", context)


def _shown(
    request: HttpRequest, found: timeline.Timeline, title: str, *, step: str, links: list[tuple[str, str]], **more: Any
) -> HttpResponse:
    _require(request)
    if not found.entries and step not in request.GET and not request.GET.get("type"):
        raise Http404("nothing is on the trail about this")
    context = {
        **admin.site.each_context(request),
        "title": title,
        "found": found,
        "opts": ComplianceEvent._meta,
        "step": step,
        "links": links,
        **more,
    }
    return TemplateResponse(request, "admin/compliance/timeline.html", context)


def _number(request: HttpRequest, name: str) -> int:
    """An event's id from the query string; 0 for none or nonsense."""
    _require(request)
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _require(request: HttpRequest) -> None:
    assert isinstance(request.user, User)  # admin_view lets nobody else through
    if not request.user.has_perm("compliance.view_complianceevent"):
        raise PermissionDenied("this takes the right to view the audit trail")

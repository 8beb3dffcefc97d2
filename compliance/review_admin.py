"""The supervisor's queue: what is open, how long it has waited, whose it is, and the steps until it is signed off."""

import json
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import display

from compliance import privacy, projection, review
from compliance.admin import ReadOnly, legible
from compliance.admin_requests import attempt, viewer
from compliance.models import ComplianceEvent, LegalHold, ReviewItem
from compliance.timeline import length

KIND_COLOURS = {
    **dict.fromkeys(ReviewItem.Kind, "info"),
    ReviewItem.Kind.VIOLATION: "danger",
    ReviewItem.Kind.OVERRIDE: "warning",
    ReviewItem.Kind.TAINTED: "warning",
}


def open_items(request: HttpRequest) -> str | int:
    """The badge in the sidebar."""
    return review.open_items().count() if request.user.has_perm("compliance.view_reviewitem") else ""


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "open"), ("mine", "mine"), ("signed", "signed off")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> QuerySet[ReviewItem]:
        is_open = Q(signed_at=None)
        states = {"open": is_open, "mine": is_open & Q(assigned_to=request.user.pk), "signed": ~is_open}
        return queryset.filter(states.get(self.value() or "", Q()))


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnly):
    list_display = ("happened", "age", "what", "action_told", "person", "assigned_to", "state")
    list_filter = (StateFilter, "kind")
    list_select_related = ("assigned_to", "signed_by")
    search_fields = ("=order_id", "=whose", "=event_id")
    search_help_text = "Order, user:7 or event"
    sortable_by = ("happened",)
    list_per_page = 50
    list_disable_select_all = True
    actions = ("take", "sign_off_selected")

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """The oldest that is open first."""
        return (F("signed_at").desc(nulls_first=True), "happened_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewItem]:
        event = ComplianceEvent.objects.filter(pk=OuterRef("event_id")).values("action")
        items: QuerySet[ReviewItem] = super().get_queryset(request).annotate(action=Subquery(event[:1]))
        return items

    def get_urls(self) -> list[URLPattern]:
        report = path("report/", self.admin_site.admin_view(self.report_view), name="compliance_reviewitem_report")
        return [report, *super().get_urls()]

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("compliance.sign_off")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        if self.has_view_permission(request):
            review.collect()
        response: HttpResponseBase = super().changelist_view(request, extra_context)
        return response

    def change_view(self, request: HttpRequest, object_id: str, *_: Any, **__: Any) -> HttpResponseBase:
        """One item: the event, the notes, and the steps."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view reviews")
        item = get_object_or_404(ReviewItem, pk=object_id if object_id.isdigit() else 0)
        if request.method == "POST":
            _step(request, item, at=timezone.now())
            return redirect("admin:compliance_reviewitem_change", item.pk)
        return TemplateResponse(request, "admin/compliance/review.html", self._shown(item, request))

    def report_view(self, request: HttpRequest) -> HttpResponse:
        """A week's report: `?week=2026-W48`, or the last that is over."""
        if not self.has_view_permission(request):
            raise PermissionDenied("this takes the right to view reviews")
        now = timezone.now()
        try:
            week = review.Week.of(request.GET["week"]) if "week" in request.GET else review.Week.before(now)
        except ValueError:
            return HttpResponse("a week is written 2026-W48", status=400, content_type="text/plain")
        return HttpResponse(review.page(week, at=now))

    @display(description="happened (UTC)", ordering="happened_at")  # type: ignore[untyped-decorator]
    def happened(self, item: ReviewItem) -> str:
        return f"{item.happened_at:%Y-%m-%d %H:%M}"

    def age(self, item: ReviewItem) -> str:
        """How long it has waited, or did."""
        return length((item.signed_at or timezone.now()) - item.happened_at)

    @display(description="why", label=KIND_COLOURS)  # type: ignore[untyped-decorator]
    def what(self, item: ReviewItem) -> tuple[str, str]:
        return item.kind, item.get_kind_display()

    @display(description="event")  # type: ignore[untyped-decorator]
    def action_told(self, item: ReviewItem) -> str:
        action: str | None = getattr(item, "action", None)
        return action.replace("_", " ") if action else "past its retention"

    @display(description="person")  # type: ignore[untyped-decorator]
    def person(self, item: ReviewItem) -> str:
        return projection.name(item.whose)

    @display(description="state", label={"open": "warning", "signed": "success"})  # type: ignore[untyped-decorator]
    def state(self, item: ReviewItem) -> tuple[str, str]:
        return ("signed", item.get_conclusion_display()) if item.signed_at else ("open", "open")

    @admin.action(description="Assign to me", permissions=["review"])
    def take(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> None:
        for item in queryset:
            attempt(request, partial(review.assign, item.pk, to=viewer(request), by=viewer(request), at=timezone.now()))

    @admin.action(description="Sign off as in order", permissions=["review"])
    def sign_off_selected(self, request: HttpRequest, queryset: QuerySet[ReviewItem]) -> None:
        for item in queryset:
            sign_off(request, item)

    def _shown(self, item: ReviewItem, request: HttpRequest) -> dict[str, Any]:
        event = ComplianceEvent.objects.filter(pk=item.event_id).first() or ComplianceEvent(actor_pid=item.whose)
        reviewers = User.objects.with_perm(
            "compliance.sign_off", include_superusers=False, backend="django.contrib.auth.backends.ModelBackend"
        )
        return {
            **self.admin_site.each_context(request),
            "title": f"Review of event {item.event_id}",
            "opts": self.opts,
            "item": item,
            "event": event,
            "actor": projection.name(event.actor_pid),
            "whose": projection.name(item.whose),
            "facts": legible(json.dumps(privacy.told(event), indent=2, ensure_ascii=False)),
            "notes": item.notes.select_related("author").order_by("id"),
            "reviewers": reviewers.filter(is_active=True).order_by("username"),
            "conclusions": ReviewItem.Conclusion.choices,
            "is_own": review.is_own(item, viewer(request)),
            "may_review": self.has_review_permission(request) and item.signed_at is None,
        }


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnly):
    """What is held. Set and lifted by two people on the command line, `retention hold` and `retention lift`."""

    nothing = "Nothing is held: events go when their time of retention ends."
    list_display = ("subject", "reason", "set_by", "set_at", "lifted_by", "lifted_at")
    search_fields = ("subject",)
    ordering = ("-id",)


def sign_off(request: HttpRequest, item: ReviewItem) -> None:
    """As in order, and tell the person where that is not theirs to say."""
    attempt(request, partial(review.sign_off, item.pk, conclusion="in_order", by=viewer(request), at=timezone.now()))


def _step(request: HttpRequest, item: ReviewItem, *, at: datetime) -> None:
    by, step, text = viewer(request), request.POST.get("step", ""), request.POST.get("text", "")
    if step == "assign":
        chosen = request.POST.get("to", "")
        to = get_object_or_404(User, pk=chosen if chosen.isdigit() else 0)
        attempt(request, partial(review.assign, item.pk, to=to, by=by, at=at))
    elif step == "note":
        attempt(request, partial(review.note, item.pk, text=text, by=by, at=at))
    else:
        attempt(request, partial(review.sign_off, item.pk, conclusion=step, text=text, by=by, at=at))

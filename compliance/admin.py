"""The trail, which is only read, and the restricted list, whose every change is on the trail."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import timedelta
from io import BytesIO
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models import Max, Min, QuerySet
from django.http import FileResponse, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.admin import ModelAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from compliance import audit, export, privacy, projection, proofs, review, search
from compliance.audit import Action
from compliance.lists import AFTER, BEFORE, InfinitePaginator, LongList, address
from compliance.models import ComplianceEvent, EventType, Outcome, RestrictedSymbol
from nextrade.errors import NexTradeError

TYPE_COLOURS = {
    **dict.fromkeys(EventType, ""),
    EventType.SAFETY_VIOLATION: "danger",
    EventType.ALERT: "danger",
    EventType.ORDER: "info",
    EventType.APPROVAL: "primary",
    EventType.EXECUTION: "success",
    EventType.ACCESS: "warning",
}
OUTCOME_COLOURS = {Outcome.SUCCESS: "success", Outcome.REFUSED: "warning", Outcome.FAILED: "danger"}
STATE_COLOURS = {"appended": "warning", "sealed": "info", "anchored": "success"}
UNTOLD = frozenset(
    {"from", "to", "version", "payload_sha256", "prompts_sha256", "words_sha256", "words_salt", "tool_results"}
)
HIDDEN = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that do something to a text without being seen in it."""


def may_see_trail(request: HttpRequest) -> bool:
    return request.user.has_perm("compliance.view_complianceevent")


def legible(text: str) -> str:
    """A stranger's text with nothing hidden: line ends stay, every other invisible character is spelled out."""
    return "".join(_spelled(character) for character in text.replace("\r\n", "\n"))


class ReadOnly(ModelAdmin):  # type: ignore[misc]
    """Nobody adds, changes or deletes here, whatever their rights; who may view may look. No list counts its rows."""

    actions: tuple[str, ...] = ()
    show_full_result_count = False
    list_disable_select_all = True
    list_per_page = 50

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        title = str(self.opts.verbose_name_plural).capitalize()
        response: HttpResponseBase = super().changelist_view(request, {"title": title, **(extra_context or {})})
        return response

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LongList]:
        return LongList

    def get_paginator(self, request: HttpRequest, queryset: Any, per_page: int, *_: Any, **__: Any) -> Any:
        after, before = (request.GET.get(name, "")[:40] for name in (AFTER, BEFORE))
        return self.paginator_of(request)(queryset, per_page, after=after, before=before)

    def paginator_of(self, request: HttpRequest) -> type[InfinitePaginator]:
        return InfinitePaginator

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Trail(LongList):
    """A page of events; the people in it are looked up at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        names = people(pid for event in self.result_list for pid in (event.actor_pid, event.subject_pid))
        states = proofs.states(event.pk for event in self.result_list)
        for event in self.result_list:
            event.names, event.state = names, states.get(event.pk, "appended")


def people(pids: Iterable[str]) -> dict[str, str]:
    """User names by pseudonymous id, for those that are a user's; one query."""
    keys = {pid.removeprefix("user:") for pid in pids if pid.startswith("user:")}
    users = get_user_model().objects.filter(pk__in=[key for key in keys if key.isdigit()])
    return {f"user:{pk}": name for pk, name in users.values_list("pk", "username")}


@admin.register(ComplianceEvent)
class ComplianceEventAdmin(ReadOnly):
    list_display = ("time", "kind", "what", "who", "order", "sealed", "summary")
    list_before_template = "admin/compliance/trail_note.html"
    list_filter = ("type", "severity", "outcome", "ts_utc")
    ordering = ("-id",)
    sortable_by = ()
    search_fields = ("actor_pid", "subject_pid", "order_id", "request_id", "action")
    search_help_text = "User name, order, request, action, words"
    actions = ("sign_off_selected", "export_selected")
    fieldsets = (
        ("What happened", {"fields": ("time", "type", "action", "severity", "outcome")}),
        ("Who", {"fields": ("actor", "person", "request_id")}),
        ("About what", {"fields": ("order_page", "thread_page", "facts")}),
        ("As it is stored", {"fields": ("event_uuid", "retention_class", "schema_v", "bytes_stored")}),
        ("Proof", {"fields": ("sealed", "proof")}),
    )

    def get_urls(self) -> list[URLPattern]:
        from compliance import desk_admin  # which needs this module

        return [*desk_admin.urls(), *super().get_urls()]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Trail]:
        return Trail

    def get_readonly_fields(self, request: HttpRequest, obj: ComplianceEvent | None = None) -> list[str]:
        return [field for _, options in self.fieldsets for field in options["fields"]]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ComplianceEvent], search_term: str
    ) -> tuple[QuerySet[ComplianceEvent], bool]:
        term = search_term.strip().replace("\x00", "")
        return (search.find(queryset, term) if term else queryset), False

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("compliance.sign_off")

    @admin.action(description="Sign off", permissions=["review"])
    def sign_off_selected(self, request: HttpRequest, queryset: QuerySet[ComplianceEvent]) -> None:
        """Each as in order; what needs more words is signed off on its own page in the queue."""
        assert isinstance(request.user, User)
        for event in queryset.order_by("id"):
            try:
                item = review.choose(event)
                review.sign_off(item.pk, conclusion="in_order", by=request.user, at=timezone.now())
                messages.success(request, f"Event {event.pk} is signed off.")
            except NexTradeError as error:
                messages.error(request, f"Event {event.pk}: {error.message}.")

    @admin.action(description="Export", permissions=["review"])
    def export_selected(self, request: HttpRequest, queryset: QuerySet[ComplianceEvent]) -> HttpResponseBase | None:
        """From the first to the last that is selected, none left out, as a zip that proves itself."""
        assert isinstance(request.user, User)
        span = queryset.aggregate(first=Min("ts_utc"), last=Max("ts_utc"))
        to = span["last"] + timedelta(microseconds=1)
        out = BytesIO()
        try:
            export.write(out, from_=span["first"], to=to, by=audit.person(request.user), at=timezone.now())
        except NexTradeError as error:
            messages.error(request, error.message)
            return None
        out.seek(0)
        return FileResponse(out, as_attachment=True, filename=f"trail-{span['first']:%Y-%m-%d}-{to:%Y-%m-%d}.zip")

    @display(description="time (UTC)", ordering="id")  # type: ignore[untyped-decorator]
    def time(self, event: ComplianceEvent) -> str:
        return format_html('<span class="nx-time">{}</span>', f"{event.ts_utc:%Y-%m-%d %H:%M:%S}")

    @display(description="type", label=TYPE_COLOURS)  # type: ignore[untyped-decorator]
    def kind(self, event: ComplianceEvent) -> tuple[str, str]:
        return event.type, event.type.replace("_", " ")

    @display(description="what")  # type: ignore[untyped-decorator]
    def what(self, event: ComplianceEvent) -> str:
        """The action, and its outcome where that is not success."""
        action = event.action.replace("_", " ")
        if event.outcome == Outcome.SUCCESS:
            return action
        return format_html(
            '{} <span class="nx-badge nx-{}">{}</span>', action, OUTCOME_COLOURS[Outcome(event.outcome)], event.outcome
        )

    @display(description="proof", label=STATE_COLOURS)  # type: ignore[untyped-decorator]
    def sealed(self, event: ComplianceEvent) -> str:
        state: str = getattr(event, "state", None) or proofs.states([event.pk]).get(event.pk, "appended")
        return state

    @display(description="checkpoint")  # type: ignore[untyped-decorator]
    def proof(self, event: ComplianceEvent) -> str:
        """Leaf, path and signed root, as `GET compliance/events/{id}/proof/` gives them."""
        found = proofs.of_event(event.pk)
        if found is None:
            return "not sealed yet"
        text = json.dumps(found, indent=2, ensure_ascii=False).replace("\\n", "\n")
        return format_html('<pre class="nx-pre nx-wrap" tabindex="0" x-ignore>{}</pre>', text)

    @display(description="who")  # type: ignore[untyped-decorator]
    def who(self, event: ComplianceEvent) -> str:
        """Who did it, and for whom where that is somebody else."""
        if event.subject_pid in ("", event.actor_pid):
            return _named(event.actor_pid, event)
        return format_html("{}<br>for {}", _named(event.actor_pid, event), _named(event.subject_pid, event))

    def actor(self, event: ComplianceEvent) -> str:
        return _named(event.actor_pid, event)

    def person(self, event: ComplianceEvent) -> str:
        return _named(event.subject_pid, event)

    @display(description="order")  # type: ignore[untyped-decorator]
    def order(self, event: ComplianceEvent) -> str:
        """Its short id, which leads to all events of that order."""
        if event.order_id is None:
            return "-"
        url = address("admin:compliance_timeline_order", event.order_id)
        return format_html('<a class="nx-link nx-mono nx-nowrap" href="{}">{}</a>', url, str(event.order_id)[:8])

    @display(description="order")  # type: ignore[untyped-decorator]
    def order_page(self, event: ComplianceEvent) -> str:
        if event.order_id is None:
            return "-"
        review = reverse("admin:orders_order_review", args=[event.order_id])
        events = reverse("admin:compliance_complianceevent_changelist")
        return format_html(
            '<span class="nx-mono">{}</span> &nbsp; <a class="nx-link" href="{}">the order</a> &nbsp; '
            '<a class="nx-link" href="{}?q={}">all its events</a>',
            event.order_id,
            review,
            events,
            event.order_id,
        )

    @display(description="thread")  # type: ignore[untyped-decorator]
    def thread_page(self, event: ComplianceEvent) -> str:
        if event.thread_id is None:
            return "-"
        url = reverse("admin:compliance_timeline_thread", args=[event.thread_id])
        return format_html('<a class="nx-link nx-mono" href="{}">{}</a>', url, event.thread_id)

    @display(description="details")  # type: ignore[untyped-decorator]
    def summary(self, event: ComplianceEvent) -> str:
        """The first facts, enough to know an event by."""
        text = projection.escape("; ".join(facts(privacy.told(event))))
        return format_html('<span class="nx-summary" x-ignore>{}</span>', text if len(text) < 100 else f"{text[:98]}…")

    @display(description="details")  # type: ignore[untyped-decorator]
    def facts(self, event: ComplianceEvent) -> str:
        text = json.dumps(privacy.told(event), indent=2, ensure_ascii=False, default=str)
        return format_html('<pre class="nx-pre" tabindex="0" x-ignore>{}</pre>', legible(text))

    @display(description="bytes")  # type: ignore[untyped-decorator]
    def bytes_stored(self, event: ComplianceEvent) -> str:
        text = bytes(event.canonical).decode(errors="backslashreplace")
        return format_html('<pre class="nx-pre nx-wrap" tabindex="0" x-ignore>{}</pre>', legible(text))


class RestrictedSymbolForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = RestrictedSymbol
        fields = ("symbol", "reason")
        widgets = {"symbol": UnfoldAdminTextInputWidget(), "reason": UnfoldAdminTextInputWidget()}

    def clean_symbol(self) -> str:
        symbol = str(self.cleaned_data["symbol"]).strip().upper()
        if not re.fullmatch(r"[A-Z][A-Z0-9.]*", symbol):
            raise forms.ValidationError("A symbol is letters, digits and dots, such as AAPL or BRK.B.")
        return symbol


@admin.register(RestrictedSymbol)
class RestrictedSymbolAdmin(ModelAdmin):  # type: ignore[misc]
    """What is on the list is added or taken off, never rewritten: each of the two leaves its event."""

    form = RestrictedSymbolForm
    nothing = "Every symbol may be traded. One that is put here may not, from then on."
    list_display = ("symbol", "reason", "added_at")
    search_fields = ("symbol", "reason")
    ordering = ("symbol",)

    def has_change_permission(self, request: HttpRequest, obj: RestrictedSymbol | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: RestrictedSymbol, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        _record(Action.RESTRICTED_ADDED, obj, request)

    def delete_model(self, request: HttpRequest, obj: RestrictedSymbol) -> None:
        _record(Action.RESTRICTED_REMOVED, obj, request)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RestrictedSymbol]) -> None:
        with transaction.atomic():
            for row in queryset.select_for_update():
                self.delete_model(request, row)


def _record(action: Action, row: RestrictedSymbol, request: HttpRequest) -> None:
    assert isinstance(request.user, models.Model)  # admin_view lets nobody else through
    details = {"symbol": row.symbol, "reason": row.reason}
    audit.record(action, actor=audit.person(request.user), at=timezone.now(), details=details)


def _named(pid: str, event: ComplianceEvent) -> str:
    """A user's name, and on the event's own page the id too. The id alone for agents, the system and lost users. Each
    leads to what that person did."""
    if not pid:
        return "-"
    url = address("admin:compliance_timeline_person", pid)
    names = getattr(event, "names", None)
    if names is not None:
        return format_html('<a class="nx-nowrap nx-quiet" href="{}" title="{}">{}</a>', url, pid, names.get(pid, pid))
    name = projection.name(pid)
    return format_html(
        '<a class="nx-link" href="{}">{}</a> <span class="nx-faint">{}</span>', url, name, "" if name == pid else pid
    )


def facts(details: dict[str, Any]) -> Iterator[str]:
    """What a reader looks for first: the move, then other facts; hashes and versions are on the event's own page."""
    if "to" in details:
        yield f"{details.get('from')} → {details['to']}"
    for key, value in details.items():
        if key not in UNTOLD and value not in ("", None, []):
            yield f"{key}: {', '.join(map(str, value)) if isinstance(value, list) else value}"


def _spelled(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in HIDDEN:
        return character
    return f"\\u{ord(character):04x}"

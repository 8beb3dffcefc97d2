"""`/ht/`, `/health` and what is below them: the guide's shape and codes, of the last results (nextrade.ops.results).

200 for healthy and degraded, 503 when the database is gone: a probe that takes pods away because a provider fails
would leave nobody to answer. Nobody but who may see it is told why a component fails: reasons are reconnaissance.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.generic import TemplateView
from health_check.views import HealthCheckView, MediaType

from nextrade.ops.outages import words
from nextrade.ops.results import WATCH, Seen

CRITICAL = frozenset({"api", "database"})
KINDS: Mapping[str, str] = {
    "application/json": "json",
    "application/*": "json",
    "text/plain": "text",
    "application/openmetrics-text": "openmetrics",
    "text/html": "page",
    "application/xhtml+xml": "page",
    "text/*": "page",
    "*/*": "page",
}
STATUS = {"healthy": 200, "degraded": 200, "unhealthy": 503}


class HealthPage(HealthCheckView):
    """A page for browsers, JSON in the guide's shape for the rest. Sync, since nothing is waited for.

    With `component` in the path, that one alone: 503 when it is down.
    """

    seen: Seen
    only: str = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super(HealthCheckView, self).dispatch(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        response.headers["Vary"] = "Accept, Cookie"
        return response

    def get(self, request: HttpRequest, component: str = "", **kwargs: Any) -> HttpResponse:
        self.seen, self.only = WATCH.latest(), component
        self.results = [each for each in self.seen.results if component in ("", each.check.component)]
        if not self.results:
            raise Http404(component)
        kind = request.GET.get("format") or wanted(request.headers.get("Accept", "*/*"))
        render = {
            "json": self.render_to_response_json,
            "text": self.render_to_response_text,
            "openmetrics": self.render_to_response_openmetrics,
            "page": self.render_page,
        }.get(kind)
        return render() if render else HttpResponse("json, text, openmetrics or a page\n", status=406)

    def report(self) -> dict[str, Any]:
        """The guide's answer."""
        components = {result.check.component: result.error is None for result in self.results}
        status = grade(components)
        if self.only:
            status = "healthy" if components[self.only] else "unhealthy"
        stamp = self.seen.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"status": status, "timestamp": stamp, "components": components}

    def details(self) -> dict[str, dict[str, Any]]:
        """Why and how fast, for who may see it."""
        return {
            result.check.component: {"error": words(result), "took_ms": round(1000 * result.time_taken, 1)}
            for result in self.results
        }

    def render_to_response_json(self, *args: Any) -> JsonResponse:
        report = self.report()
        if "details" in self.request.GET and may_see(self.request):
            report["details"] = self.details()
        return JsonResponse(report, status=STATUS[report["status"]])

    def render_to_response_text(self, *args: Any) -> HttpResponse:
        report = self.report()
        lines = [f"{name}: {'ok' if is_up else 'failing'}\n" for name, is_up in report["components"].items()]
        return HttpResponse(lines, status=STATUS[report["status"]], content_type="text/plain; charset=utf-8")

    def render_page(self) -> HttpResponse:
        report, is_told = self.report(), may_see(self.request)
        context = {
            "report": report,
            "cards": [card(result, is_told=is_told) for result in self.results],
            "failing": sum(not is_up for is_up in report["components"].values()),
            "is_told": is_told,
        }
        return TemplateView.render_to_response(self, context, status=STATUS[report["status"]])


class HealthJson(HealthPage):
    """The guide's `/health`: JSON, whatever is accepted."""

    http_method_names: ClassVar[list[str]] = ["get", "head", "options"]

    def get(self, request: HttpRequest, component: str = "", **kwargs: Any) -> HttpResponse:
        self.seen, self.results = (seen := WATCH.latest()), list(seen.results)
        return self.render_to_response_json()


def alive(request: HttpRequest) -> HttpResponse:
    """This process answers; nothing else is asked."""
    return HttpResponse("ok\n", content_type="text/plain", headers={"Cache-Control": "no-store"})


def wanted(accept: str) -> str:
    """What to answer with, by an Accept header; JSON for one that is none."""
    try:
        kinds = [KINDS[media.mime_type] for media in MediaType.parse_header(accept) if media.mime_type in KINDS]
    except ValueError:
        return "json"
    return next(iter(kinds), "")


def grade(components: Mapping[str, bool]) -> str:
    """healthy, degraded, or unhealthy when something is down without which nothing works."""
    down = {name for name, is_up in components.items() if not is_up}
    return "unhealthy" if down & CRITICAL else "degraded" if down else "healthy"


def may_see(request: HttpRequest) -> bool:
    """Whether whoever asks may know details; nobody may while the database cannot say who they are."""
    try:
        user = getattr(request, "user", AnonymousUser())
        return bool(user.has_perm("ops.view_health"))
    except DatabaseError:
        return False


def card(result: Any, *, is_told: bool) -> dict[str, Any]:
    return {
        "component": result.check.component,
        "title": result.check.title,
        "state": state(result.check.component, is_up=result.error is None),
        "is_up": result.error is None,
        "error": words(result) if is_told else "",
        "took_ms": 1000 * result.time_taken,
    }


def state(component: str, *, is_up: bool) -> str:
    """The guide's words: a breaker is closed, everything else is healthy."""
    if component == "circuit_breaker":
        return "Closed" if is_up else "Open"
    return "Healthy" if is_up else "Failing"

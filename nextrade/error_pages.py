"""What is shown when a request goes wrong outside of the API's views: below the API's paths its error shape, else one
page in one style, with the request's id to quote.

The page is made without asking database, session or context processors for anything: any of them may be what is broken.
"""

import re
import sys
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.utils.cache import add_never_cache_headers

from nextrade import resilience
from nextrade.api import STATUS_OF
from nextrade.errors import NexTradeError
from nextrade.middleware import Handler, refusal

API = ("/api/", "/chat")
NO_YEAR = re.compile(r"year -?[0-9]+ is out of range")
AGAIN = "Nothing was changed. Go back, reload the page and try again."
WORDS: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        400: ("We could not read that request", AGAIN),
        403: (
            "You may not do that",
            "You are signed in without the right to this page, or not signed in at all. If you should have it, ask "
            "whoever runs this NexTrade.",
        ),
        404: ("There is no such page", "The address may be mistyped, or what it led to is gone."),
        409: ("That is not possible now", "What you saw has changed since. Reload the page and look again."),
        429: ("That was too often", "Please wait a moment, then try again. Nothing was changed by the last try."),
        500: (
            "Something broke on our side",
            "It is in the log under the id below. An order that was being decided on is either decided or untouched: "
            "look at its page before you try again.",
        ),
        503: (
            "NexTrade cannot answer just now",
            "Something that it needs does not answer. Orders that were taken are kept, and nothing is sent twice. Try "
            "again in half a minute.",
        ),
    }
)


def page(
    request: HttpRequest, status: int, *, title: str = "", text: str = "", retry_after_s: float = 0
) -> HttpResponse:
    """An error as a page. title, text: instead of the status's own. retry_after_s: whole seconds are told."""
    usual = WORDS.get(status, WORDS[500])
    shown = {
        "status": status,
        "title": title or usual[0],
        "text": text or usual[1],
        "request_id": request.META.get("nextrade.request_id", ""),
    }
    response = HttpResponse(render_to_string("error.html", shown), status=status)
    if retry_after_s:
        response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    add_never_cache_headers(response)
    return response


def unreadable(get_response: Handler) -> Handler:
    """What no field can be made of, such as an id that is none or, in a list, the year 99999, is a bad request."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_exception(request: HttpRequest, error: Exception) -> HttpResponse | None:
        is_year = isinstance(error, OverflowError) or (isinstance(error, ValueError) and NO_YEAR.match(str(error)))
        is_theirs = isinstance(error, ValidationError) or (request.method == "GET" and is_year)
        return bad_request(request, error) if is_theirs else None

    middleware.process_exception = process_exception  # type: ignore[attr-defined]
    return middleware


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.BAD_REQUEST) or page(request, 400)


def not_permitted(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.FORBIDDEN) or page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.NOT_FOUND) or page(request, 404)


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    """A surprise; or a refusal that no page told, or a database that is away, each with its own status."""
    error = sys.exc_info()[1]
    if away := resilience.away(error):
        return _told(request, away, 503)
    if isinstance(error, NexTradeError):
        return _told(request, error, next(status for family, status in STATUS_OF if isinstance(error, family)))
    return _api(request, HTTPStatus.INTERNAL_SERVER_ERROR) or page(request, 500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without its token, or with one of an earlier session."""
    title = "This page was open too long"
    text = f"Its form belongs to an earlier session, or cookies are switched off. {AGAIN}"
    return _api(request, HTTPStatus.FORBIDDEN) or page(request, 403, title=title, text=text)


def locked_out(request: HttpRequest, *, left_s: float) -> HttpResponse:
    """Too many wrong passwords for one name."""
    minutes = max(1, round(left_s / 60))
    text = (
        f"There were too many wrong passwords for this name. It may try again in {minutes} minute{'s'[: minutes > 1]}; "
        "sessions and tokens that exist go on. Whoever runs this NexTrade can unlock it sooner."
    )
    return page(request, 429, title="This name is locked for now", text=text, retry_after_s=left_s)


def _told(request: HttpRequest, error: NexTradeError, status: int) -> HttpResponse:
    """A failure that has a name, by its name, and when to come back."""
    wait_s = float(getattr(error, "wait", 0) or 0)
    if not request.path.startswith(API):
        text = "" if isinstance(error, resilience.DatabaseAway) else _sentence(error.message)
        return page(request, status, text=text, retry_after_s=wait_s)
    reply = refusal(status, error.reason, error.message, request)
    if wait_s:
        reply.headers["Retry-After"] = str(max(1, round(wait_s)))
    return reply


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _api(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    if not request.path.startswith(API):
        return None
    return refusal(status, status.name.lower(), status.description.lower() or status.phrase.lower(), request)

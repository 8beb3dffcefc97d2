"""What is shown when a request goes wrong outside of the API's views: the API's error shape below its paths, else a
page."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults

from nextrade.middleware import refusal


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.BAD_REQUEST) or defaults.bad_request(request, exception)


def not_permitted(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.FORBIDDEN) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.NOT_FOUND) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    return _api(request, HTTPStatus.INTERNAL_SERVER_ERROR) or defaults.server_error(request)


def _api(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    if not request.path.startswith(("/api/", "/chat")):
        return None
    return refusal(status, status.name.lower(), status.description.lower() or status.phrase.lower(), request)

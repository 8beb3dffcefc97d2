"""What every REST view shares: who is asking, how often they may, how lists are paged, how an error looks."""

from typing import TYPE_CHECKING, Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.db import DataError
from django.http import Http404, HttpRequest
from django.utils import timezone
from knox.auth import TokenAuthentication
from rest_framework import exceptions, throttling
from rest_framework.authentication import get_authorization_header
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from nextrade import addresses, counting, errors, resilience, scopes

if TYPE_CHECKING:  # rest_framework.views imports this module, by way of the settings
    from rest_framework.views import APIView

STATUS_OF: tuple[tuple[type[errors.NexTradeError], int], ...] = (
    (errors.Invalid, 400),
    (errors.NotPermitted, 403),
    (errors.Missing, 404),
    (errors.Refused, 409),
    (errors.Exhausted, 429),
    (errors.Unavailable, 503),
)
WRONG_CREDENTIALS = "wrong_credentials"


class BearerAuthentication(TokenAuthentication):
    """Knox tokens: hashed at rest, expiring, several a person. Every refusal reads the same."""

    def authenticate(self, request: Request) -> Any:
        known = self.known(request)
        if known is not None:
            scopes.check(known[1], request)
            structlog.contextvars.bind_contextvars(user=f"user:{known[0].pk}")
        return known

    def known(self, request: Any) -> Any:
        """Person and token of a request, whatever the token is for; None without one. Raises AuthenticationFailed."""
        if b"\0" in get_authorization_header(request):  # PostgreSQL has no such text to compare with
            raise exceptions.AuthenticationFailed("Invalid token")
        try:
            return super().authenticate(request)
        except exceptions.AuthenticationFailed as error:
            raise exceptions.AuthenticationFailed("Invalid token") from error

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"

    def _cleanup_token(self, auth_token: Any) -> bool:
        """Whether this one is over. knox would read all of the person's each time; `ops.tasks.prune` drops those."""
        return bool(auth_token.expiry and auth_token.expiry < timezone.now())


class RateLimit(throttling.SimpleRateThrottle):
    """So many requests a window, per person or, before anybody is known, per address; exact across processes.

    Counts views that name a `throttle_scope`; the window starts with its first request. One statement counts and reads.
    """

    def __init__(self) -> None:
        self.wait_s = 0.0

    def allow_request(self, request: Request, view: "APIView") -> bool:
        scope = getattr(view, "throttle_scope", "")
        return not scope or request.method in ("GET", "HEAD", "OPTIONS") or self.takes(request, scope)

    def takes(self, request: Request | HttpRequest, scope: str) -> bool:
        """Count a request of a scope; whether it is within its limit."""
        limit, period_s = self.parse_rate(self.THROTTLE_RATES[scope])
        assert limit is not None
        assert period_s is not None
        known = request.user.pk if request.user and scope != "login" else None
        who = f"user:{known}" if known else addresses.counted_as(request)
        count, left_s = counting.count_briefly(f"{scope}:{who}", period_s)
        self.wait_s = left_s
        request.META["nextrade.rate_limit"] = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - count)),
            "RateLimit-Reset": str(round(left_s)),
        }
        return count <= limit

    def wait(self) -> float:
        return self.wait_s


class NewestFirst(CursorPagination):
    """Pages by cursor; a view names its order in `ordering`, which must end in a unique column."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any] | None:
        """Raises NotFound for a cursor that is none, or another list's."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValidationError, ValueError, OverflowError, DataError) as error:
            if self.cursor_query_param not in request.query_params:
                raise
            raise exceptions.NotFound(self.invalid_cursor_message) from error

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        return tuple(view.ordering)


def error_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Any error of a view as {"code", "message", "details"?, "request_id"}; None, and so a 500, for a surprise."""
    error = resilience.away(error) or error
    described = _describe(error)
    if described is None:
        return None
    status, code, message, details = described
    body: dict[str, Any] = {"code": code, "message": message}
    if details:
        body["details"] = details
    body["request_id"] = context["request"].META.get("nextrade.request_id", "")
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None) is not None:
        headers["Retry-After"] = str(max(1, round(error.wait)))  # type: ignore[attr-defined]
    return Response(body, status=status, headers=headers)


def _describe(error: Exception) -> tuple[int, str, str, Any] | None:
    match error:
        case errors.NexTradeError():
            status = next(status for family, status in STATUS_OF if isinstance(error, family))
            return status, error.reason, error.message, error.details
        case Http404():
            return 404, "not_found", "there is no such thing", None
        case PermissionDenied():
            return 403, "not_permitted", "you may not do this", None
        case RequestDataTooBig():
            return 413, "too_large", "the request is too large", None
        case exceptions.AuthenticationFailed() if error.get_codes() == WRONG_CREDENTIALS:
            return 401, WRONG_CREDENTIALS, str(error.detail), None
        case exceptions.AuthenticationFailed() | exceptions.NotAuthenticated():
            return 401, "invalid_token", "Invalid token", None
        case exceptions.ValidationError():
            return 422, "validation_error", "some fields are not as they must be", error.detail
        case exceptions.APIException():
            return error.status_code, error.default_code, str(error.detail), None
    return None

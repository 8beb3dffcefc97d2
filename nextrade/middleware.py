"""What happens to every request: it gets an id, and a POST with an Idempotency-Key is done once."""

import hashlib
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.response import SimpleTemplateResponse
from django.urls import resolve, reverse
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed

from nextrade.ops.models import IdempotentReply

Handler = Callable[[HttpRequest], HttpResponseBase]
REQUEST_ID = re.compile(r"[\w.:-]{1,64}")
LONGEST = 200
"""Characters of an endpoint in a log line."""
PROBES = re.compile(r"/(ht/([\w-]+/)?|health(/live|/ready)?|metrics)")
IN_PROGRESS = 0
ABANDONED = timedelta(minutes=2)
"""A process that died on a request must not block its repeat; a turn is over long before."""


def request_id(get_response: Handler) -> Handler:
    """Take X-Request-ID if it is a plain word, else make one; give it back, and let every log line and event know
    it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        known = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        request.META["nextrade.request_id"] = known
        endpoint = f"{request.method} {request.path_info}"[:LONGEST]
        with structlog.contextvars.bound_contextvars(request_id=known, endpoint=endpoint, user=None, thread_id=None):
            response = get_response(request)
        response.headers["X-Request-ID"] = known
        return response

    return middleware


def probes(get_response: Handler) -> Handler:
    """Answer health and metrics before anything that needs the database: session, user, rights.

    Who comes with a session to the page may be somebody who is told more, so that goes the whole way first. Where that
    ends before the page, in an error's, the page is made without.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not PROBES.fullmatch(request.path_info):
            return get_response(request)
        if request.path_info.startswith("/ht/") and settings.SESSION_COOKIE_NAME in request.COOKIES:
            response = get_response(request)
            if request.resolver_match and response.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
                return response
        match = resolve(request.path_info)
        answer: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        return answer.render() if isinstance(answer, SimpleTemplateResponse) else answer

    return middleware


def idempotency(get_response: Handler) -> Handler:
    """Answer a repeated POST with the first answer. 409 while that is still being made, 422 for another body.

    Only for a token that lives: what was answered is not told again to one that has ended. Tokens are never kept.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("Idempotency-Key", "")
        if request.method != "POST" or not given or request.path == reverse("auth-token") or not _lives(request):
            return get_response(request)
        body = hashlib.sha256(request.body).hexdigest()
        key = hashlib.sha256("\n".join([request.headers["Authorization"], request.path, given]).encode()).hexdigest()
        abandoned = IdempotentReply.objects.filter(status=IN_PROGRESS, created_at__lt=timezone.now() - ABANDONED)
        abandoned.filter(key=key).delete()
        try:
            with transaction.atomic():
                reply = IdempotentReply.objects.create(key=key, body_sha256=body, created_at=timezone.now())
        except IntegrityError:
            return _repeat(IdempotentReply.objects.get(key=key), body, request)
        response = get_response(request)
        if response.status_code >= 500 or response.status_code in (401, 429) or response.streaming:
            reply.delete()
        else:
            assert isinstance(response, HttpResponse)
            reply.status, reply.body = response.status_code, response.content.decode()
            reply.save(update_fields=["status", "body"])
        return response

    return middleware


def _lives(request: HttpRequest) -> bool:
    """Whether a token came with it that is still good; what is wrong with another its view says."""
    from nextrade.api import BearerAuthentication

    try:
        return BearerAuthentication().known(request) is not None
    except AuthenticationFailed:
        return False


def rate_limit_headers(get_response: Handler) -> Handler:
    """Tell a caller what is left of their rate, where a view has counted it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        for header, value in request.META.get("nextrade.rate_limit", {}).items():
            response.headers[header] = value
        return response

    return middleware


def _repeat(reply: IdempotentReply, body_sha256: str, request: HttpRequest) -> HttpResponse:
    if reply.body_sha256 != body_sha256:
        return refusal(422, "idempotency_key_reused", "this Idempotency-Key came with another body before", request)
    if reply.status == IN_PROGRESS:
        return refusal(
            409, "request_in_progress", "the first request with this Idempotency-Key is not done yet", request
        )
    response = HttpResponse(reply.body, status=reply.status, content_type="application/json")
    response.headers["Idempotency-Replayed"] = "true"
    return response


def refusal(status: int, code: str, message: str, request: HttpRequest) -> JsonResponse:
    """The API's error shape, for what fails outside of the API's views."""
    return JsonResponse(
        {"code": code, "message": message, "request_id": request.META.get("nextrade.request_id", "")}, status=status
    )

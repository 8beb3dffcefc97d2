"""How long a session of the web lives: half an hour without a click, half a day in all; and how it is ended."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

BEGUN_AT, SEEN_AT = "begun_at", "seen_at"
NOTED_EVERY_S = 60
POLL = "X-Poll"
"""What a page asks for by itself is no click."""


def timeouts(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Log out who was away too long or has been here too long."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if SESSION_KEY in request.session:
            structlog.contextvars.bind_contextvars(user=f"user:{request.session[SESSION_KEY]}")
            _look(request, now=timezone.now().timestamp())
        return get_response(request)

    return middleware


def _look(request: HttpRequest, *, now: float) -> None:
    begun, seen = request.session.setdefault(BEGUN_AT, now), request.session.get(SEEN_AT, now)
    if now - seen > settings.SESSION_IDLE_S or now - begun > settings.SESSION_COOKIE_AGE:
        logout(request)
    elif SEEN_AT not in request.session or (now - seen >= NOTED_EVERY_S and POLL not in request.headers):
        request.session[SEEN_AT] = now


def of(user: User, *, at: datetime) -> Iterator[tuple[Session, dict[str, Any]]]:
    """The sessions of somebody. Reads every session that lives: they are not kept by person."""
    for session in Session.objects.filter(expire_date__gt=at).iterator():
        data = session.get_decoded()
        if data.get(SESSION_KEY) == str(user.pk):
            yield session, data


def end(user: User, *, at: datetime) -> int:
    """End all sessions of somebody; how many."""
    ended = [session.pk for session, _ in of(user, at=at)]
    Session.objects.filter(pk__in=ended).delete()
    return len(ended)

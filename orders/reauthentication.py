"""Whether the person at a session gave their password a moment ago, which a decision about money takes.

Context: a screen left unlocked decides as its owner. Choice: the moment of the last password is kept in the session, on
the server; a log-in counts. Cost: an approver types the password again every quarter of an hour.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from compliance import audit
from compliance.audit import Action

GIVEN_AT = "password_given_at"
WINDOW = timedelta(minutes=15)


@receiver(user_logged_in)
def note_login(request: HttpRequest | None, **_: Any) -> None:
    if hasattr(request, "session"):
        assert request is not None
        request.session[GIVEN_AT] = timezone.now().timestamp()


def given_at(request: HttpRequest) -> datetime | None:
    seconds = request.session.get(GIVEN_AT)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def is_recent(request: HttpRequest, *, at: datetime) -> bool:
    given = given_at(request)
    return given is not None and timedelta(0) <= at - given <= WINDOW


def give(request: HttpRequest, password: str, *, at: datetime) -> bool:
    """Take the password of the person who is logged in; whether it is right. Either leaves an event, a wrong one by
    the signal that every failed log-in sends."""
    user = authenticate(request, username=request.user.get_username(), password=password)
    if user is None or user.pk != request.user.pk:
        return False
    request.session[GIVEN_AT] = at.timestamp()
    with transaction.atomic():
        audit.record(Action.LOGIN, actor=audit.person(user), at=at, details={"door": "decision"})
    return True

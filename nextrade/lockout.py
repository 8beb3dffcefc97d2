"""Guessing passwords stops after ten tries, at every door.

Context: the admin, the token endpoint and the password before a decision all ask Django's `authenticate`. Choice: our
backend counts each try for a name before it looks at the password, in the store that all processes share; the right
password takes the count back. A name that nobody has counts too, so a lock tells nothing. Cost: whoever knows a name
can lock its log-in for a quarter of an hour; sessions and tokens that exist go on, and `manage.py unlock` ends it.
"""

import hashlib
from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from nextrade import counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TRIES = 10
WINDOW_S = 900


class PasswordBackend(ModelBackend):
    """Django's, for ten tries. Raises PermissionDenied for a locked name, right password or not."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> "User | None":
        if username is None or password is None:
            return None
        tries, _ = counting.count(_key(username), WINDOW_S)
        if tries > TRIES:
            raise PermissionDenied("locked")
        user = super().authenticate(request, username, password, **kwargs)
        if user is not None:
            unlock(username)
        return user


def left_s(username: str) -> float:
    """Seconds until a locked name may try again; 0 when it is not locked."""
    tries, left = counting.read(_key(username), WINDOW_S)
    return left if tries > TRIES else 0.0


def unlock(username: str) -> None:
    counting.forget(_key(username))


def _key(username: str) -> str:
    return "password:" + hashlib.sha256(username.casefold().encode("utf-8", "replace")).hexdigest()

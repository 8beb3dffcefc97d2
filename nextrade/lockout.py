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
from django.db import connection
from django.http import HttpRequest

from nextrade import counting

if TYPE_CHECKING:
    from django.contrib.auth.models import User

KNOWN = "_perm_cache"  # where Django keeps them
TRIES = 10
WINDOW_S = 900
RIGHTS = """
SELECT kind.app_label, permission.codename
FROM auth_permission permission JOIN django_content_type kind ON kind.id = permission.content_type_id
WHERE permission.id IN (
  SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %s
  UNION ALL
  SELECT held.permission_id FROM auth_group_permissions held
  JOIN auth_user_groups member ON member.group_id = held.group_id WHERE member.user_id = %s)
"""


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

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """Django's, by one statement: every request asks for them."""
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        known = user_obj.__dict__
        if KNOWN not in known:
            known[KNOWN] = _rights(user_obj.pk)
        rights: set[str] = known[KNOWN]
        return rights


def _rights(user_id: int) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS, [user_id, user_id])
        return {f"{app}.{name}" for app, name in cursor.fetchall()}


def left_s(username: str) -> float:
    """Seconds until a locked name may try again; 0 when it is not locked."""
    tries, left = counting.read(_key(username), WINDOW_S)
    return left if tries > TRIES else 0.0


def unlock(username: str) -> None:
    counting.forget(_key(username))


def _key(username: str) -> str:
    return "password:" + hashlib.sha256(username.casefold().encode("utf-8", "replace")).hexdigest()

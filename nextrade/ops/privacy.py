"""What the frame around the apps holds of a person: the account, sessions, tokens, Django's admin log, kept replies."""

from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q
from knox.models import get_token_model

from agents.models import Thread
from compliance import erasure
from compliance.erasure import Contributor
from nextrade.ops.models import IdempotentReply


def _export(user: User) -> dict[str, Any]:
    return {
        "username": user.get_username(),
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "joined_at": user.date_joined.isoformat(),
        "last_login": user.last_login.isoformat() if user.last_login else None,
        "groups": list(user.groups.values_list("name", flat=True)),
        "sessions": len(_sessions(user)),
        "tokens": get_token_model().objects.filter(user=user).count(),
        "admin_log": [str(entry) for entry in _log(user)],
    }


def _erase(user: User) -> int:
    """Everything but a row that says there was somebody, which orders and events point to."""
    threads = Thread.objects.filter(owner=user).values_list("pk", flat=True)
    in_replies = Q(pk__in=[])
    for thread_id in threads:
        in_replies |= Q(body__contains=str(thread_id))
    gone = IdempotentReply.objects.filter(in_replies).delete()[0]
    gone += Session.objects.filter(pk__in=_sessions(user)).delete()[0]
    gone += get_token_model().objects.filter(user=user).delete()[0]
    gone += _log(user).delete()[0]
    if user.username != erasure.alias(user):
        user.username, user.email, user.first_name, user.last_name = erasure.alias(user), "", "", ""
        user.is_active = user.is_staff = user.is_superuser = False
        user.last_login = None
        user.set_unusable_password()
        user.save()
        user.groups.clear()
        user.user_permissions.clear()
        gone += 1
    return int(gone)


def _scrub() -> None:
    """No byte of what was deleted stays in the file. On PostgreSQL the server lets it be overwritten."""
    with connection.cursor() as cursor:
        if connection.in_atomic_block:
            return  # a test's own transaction: there is no file to clean yet
        cursor.execute("VACUUM")
        if settings.SQLITE:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _log(user: User) -> Any:
    about = Q(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    named = Q(object_repr__contains=user.get_username()) | Q(change_message__contains=user.get_username())
    return LogEntry.objects.filter(Q(user=user) | about | named)


def _sessions(user: User) -> list[str]:
    """Their keys: whose a session is stands inside it."""
    return [row.pk for row in Session.objects.iterator() if row.get_decoded().get("_auth_user_id") == str(user.pk)]


CONTRIBUTOR = Contributor(name="account", export=_export, erase=_erase, scrub=_scrub)

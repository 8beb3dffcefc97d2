"""What an auditor asks for beyond orders and chats: who changed accounts and rights, who looked at personal data, what
was done in the admin, with which settings a process started.

An action in the admin is written down before it is tried: where the event cannot be written, it does not happen.
"""

import hashlib
import json
import logging
import os
import re
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.core.cache import cache
from django.db import models, transaction
from django.db.models.signals import m2m_changed, post_save, pre_delete, pre_save
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, ResolverMatch, resolve
from django.utils import timezone

from compliance import audit
from compliance.audit import Action
from compliance.models import Outcome

log = logging.getLogger(__name__)
Handler = Callable[[HttpRequest], HttpResponseBase]
SAFE = ("GET", "HEAD", "OPTIONS")
PERSONAL = re.compile(
    r"(auth_user|knox_authtoken|agents)_\w+|orders_order_review|orders_account_change|compliance_complianceevent_change"
    r"|compliance_timeline_\w+"
)
"""Names of the admin pages that show what is known of a person."""
SAME_LOOK_S = 900
"""Who looks at the same page again within this time is not written down again."""
WATCHED = ("username", "email", "is_active", "is_staff", "is_superuser", "password")
M2M = MappingProxyType({"post_add": "added", "post_remove": "removed", "pre_clear": "removed"})
STARTED = (
    "DEBUG",
    "DEMO",
    "ALLOWED_HOSTS",
    "BROKER",
    "LIVE_TRADING",
    "QUOTES",
    "MODEL",
    "MODEL_SIMPLE",
    "MODEL_FALLBACK",
    "APPROVAL_TTL_S",
    "RATE_LIMIT",
    "LOG_LEVEL",
    "PROFILING",
    "AUDIT_ORIGIN",
    "ANCHORS",
)
"""Settings that say how this installation works, none of them a secret."""


def watch_admin(get_response: Handler) -> Handler:
    """Write down what staff do and whose data they look at; let every event of the request know who it was."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/admin/") or not request.user.is_staff:
            return get_response(request)
        assert isinstance(request.user, User)
        try:
            _note_request(request, resolve(request.path_info), audit.person(request.user))
        except Resolver404:
            return get_response(request)
        with structlog.contextvars.bound_contextvars(actor=audit.person(request.user)):
            return get_response(request)

    return middleware


def _note_request(request: HttpRequest, page: ResolverMatch, actor: str) -> None:
    view, about = page.url_name or "", {name: str(value) for name, value in page.kwargs.items()}
    if request.method not in SAFE:
        chosen = request.POST.getlist("_selected_action")[:100]
        details = {"page": view, **about, "action": request.POST.get("action", "")[:64], "chosen": chosen}
        _note(Action.ADMIN_ACTION, actor, {**details, "is_superuser": getattr(request.user, "is_superuser", False)})
    elif PERSONAL.fullmatch(view) and _is_first_look(actor, request.path_info):
        _note(Action.PERSONAL_DATA_VIEWED, actor, {"page": view, **about})


def _is_first_look(actor: str, path: str) -> bool:
    key = hashlib.sha256(f"{actor} {path}".encode()).hexdigest()
    return cache.add(f"looked:{key}", 1, SAME_LOOK_S)


def _note(action: Action, actor: str, details: dict[str, Any], *, about: str = "", is_done: bool = True) -> None:
    outcome = Outcome.SUCCESS if is_done else Outcome.FAILED
    with transaction.atomic():
        audit.record(action, actor=actor, on_behalf_of=about, at=timezone.now(), outcome=outcome, details=details)


def actor() -> str:
    """Who is at work: the person of the request, or a process by itself."""
    return str(structlog.contextvars.get_contextvars().get("actor", "system:process"))


@receiver(pre_save, sender=User)
def remember_user(instance: User, update_fields: Any = None, **_: Any) -> None:
    if instance.pk and not (update_fields and set(update_fields).isdisjoint(WATCHED)):
        before = User.objects.filter(pk=instance.pk).values(*WATCHED).first() or {}
        instance._changed = sorted(name for name in before if before[name] != getattr(instance, name))  # type: ignore[attr-defined]


@receiver(post_save, sender=User)
def note_user(instance: User, created: bool, raw: bool = False, **_: Any) -> None:
    """That there is a new account, or what about one has changed; the values themselves are nobody's business here."""
    rights = {name: getattr(instance, name) for name in ("is_active", "is_staff", "is_superuser")}
    changed = instance.__dict__.pop("_changed", [])
    if created:
        _note(Action.USER_CREATED, actor(), rights, about=audit.person(instance))
    elif changed:
        _note(Action.USER_CHANGED, actor(), {"changed": changed, **rights}, about=audit.person(instance))


@receiver(pre_delete, sender=User)
def note_deletion(instance: User, **_: Any) -> None:
    _note(Action.USER_DELETED, actor(), {}, about=audit.person(instance))


@receiver(m2m_changed, sender=User.groups.through)
def note_groups(instance: Any, action: str, pk_set: set[int] | None, reverse: bool, **_: Any) -> None:
    _note_links(Action.GROUPS_CHANGED, "groups", Group, instance, action, pk_set, is_reverse=reverse)


@receiver(m2m_changed, sender=User.user_permissions.through)
def note_permissions(instance: Any, action: str, pk_set: set[int] | None, reverse: bool, **_: Any) -> None:
    _note_links(
        Action.PERMISSIONS_CHANGED, "user_permissions", Permission, instance, action, pk_set, is_reverse=reverse
    )


@receiver(m2m_changed, sender=Group.permissions.through)
def note_rights(instance: Any, action: str, pk_set: set[int] | None, reverse: bool, **_: Any) -> None:
    _note_links(Action.PERMISSIONS_CHANGED, "permissions", Permission, instance, action, pk_set, is_reverse=reverse)


def _note_links(
    kind: Action,
    field: str,
    target: type[models.Model],
    instance: Any,
    action: str,
    pk_set: set[int] | None,
    *,
    is_reverse: bool,
) -> None:
    """Whose links to groups or permissions were added or removed, and which; from whichever side it was done."""
    if action not in M2M or pk_set == set():
        return
    if is_reverse:
        details = {"of": str(instance), M2M[action]: sorted(pk_set or ["all"], key=str)}
        _note(kind, actor(), details)
        return
    linked = target._default_manager.filter(pk__in=pk_set) if pk_set else getattr(instance, field).all()
    names = sorted(_name(row) for row in linked)
    if names:
        about = audit.person(instance) if isinstance(instance, User) else ""
        of = {} if about else {"of": str(instance)}
        _note(kind, actor(), {**of, M2M[action]: names}, about=about)


def _name(row: Any) -> str:
    return f"{row.content_type.app_label}.{row.codename}" if isinstance(row, Permission) else str(row)


def note_start(process: str) -> None:
    """That a process started, and with which settings. Of the web's processes their parent is enlisted."""
    from nextrade.ops import processes

    processes.enlist(process, os.getppid() if process == "web" else os.getpid())
    told = {name.lower(): getattr(settings, name) for name in STARTED}
    database = settings.DATABASES["default"]
    told |= {"database": str(database["ENGINE"]).rpartition(".")[2], "has_redis": bool(settings.REDIS_URL)}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()
    plain = {
        name: value if isinstance(value, bool | int | str) else [str(each) for each in value]
        for name, value in told.items()
    }
    _note(Action.PROCESS_STARTED, f"system:{process}", {**plain, "settings_sha256": digest})

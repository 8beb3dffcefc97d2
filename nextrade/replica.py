"""A copy of the database that follows a little behind, for pages that only tell what has been.

Context: reports and long lists cost the primary most and decide nothing. Choice: their pages and commands are named
here, one by one, and within them alone the books, the trail and the conversations are read from the replica; who asks
and what they may do is read from the primary always, as is whatever stands in a transaction. A replica that is away,
or more than a minute behind, is not asked. Cost: a query more for each such page.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError, connections, transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, resolve
from django.utils import timezone

from nextrade.ops.models import Heartbeat

ALIAS = "replica"
PAGES = frozenset(
    {
        "executions",
        "execution-list",
        "report",
        "report-week",
        "admin-week",
        "event-list",
        "compliance_complianceevent_changelist",
        "orders_execution_changelist",
        "agents_modelcall_changelist",
    }
)
"""Names of the pages that tolerate a lag, when they are read."""
APPS = frozenset({"orders", "compliance", "agents"})
MOST_LAG = timedelta(minutes=1)
AGAIN_S = 10
Handler = Callable[[HttpRequest], HttpResponseBase]
log = logging.getLogger(__name__)
_is_tolerated: ContextVar[bool] = ContextVar("is_tolerated", default=False)
_away_until = 0.0


class Router:
    """Django's question, of each query, where it goes."""

    def db_for_read(self, model: Any, **_: Any) -> str:
        is_late_enough = _is_tolerated.get() and model._meta.app_label in APPS
        return ALIAS if is_late_enough and not transaction.get_connection().in_atomic_block else "default"

    def db_for_write(self, model: Any, **_: Any) -> str:
        return "default"

    def allow_relation(self, *_: Any, **__: Any) -> bool:
        return True

    def allow_migrate(self, db: str, *_: Any, **__: Any) -> bool:
        return db != ALIAS


@contextlib.contextmanager
def tolerated() -> Iterator[bool]:
    """Let the reads in this block go to the replica, if there is one and it is near; whether they do."""
    is_near = ALIAS in connections.settings and not problem()
    token = _is_tolerated.set(is_near)
    try:
        yield is_near
    finally:
        _is_tolerated.reset(token)


def tolerant_pages(get_response: Handler) -> Handler:
    if ALIAS not in settings.DATABASES:
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method != "GET" or not _is_tolerant(request.path_info):
            return get_response(request)
        with tolerated():
            return get_response(request)

    return middleware


def problem() -> str:
    """Why the replica is not asked; empty when it is."""
    global _away_until
    if time.monotonic() < _away_until:
        return "it did not answer a moment ago"
    try:
        lag = _lag()
    except DatabaseError as error:
        connections[ALIAS].close()
        _away_until = time.monotonic() + AGAIN_S
        log.warning("The replica is away, the primary answers: %s", type(error).__name__)
        return type(error).__name__
    return f"it is {lag.total_seconds():.0f} s behind" if lag > MOST_LAG else ""


def _lag() -> timedelta:
    """By the newest sign of life in it, which the sealer gives every ten seconds: any way to replicate carries that."""
    newest = Heartbeat.objects.using(ALIAS).order_by("-at").values_list("at", flat=True).first()
    return timezone.now() - newest if newest else timedelta.max


def _is_tolerant(path: str) -> bool:
    try:
        return resolve(path).url_name in PAGES
    except Resolver404:
        return False

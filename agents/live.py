"""Whether there is anything new about a conversation or an order, for pages that ask every few seconds.

With Redis alone: a mark each, changed after each commit of news. Who knows a mark that still stands need not look. A
mark that was not changed because Redis was away ends by itself.
"""

import uuid

from django.conf import settings
from django.core.cache import cache

KEPT_S = 60


def moved(about: uuid.UUID) -> None:
    """There is news. Called after its commit."""
    if settings.REDIS_URL:
        cache.set(key(about), uuid.uuid4().hex, KEPT_S)


def order_moved(*, order_id: uuid.UUID, **_: object) -> None:
    moved(order_id)


def key(about: object) -> str:
    return f"live.{about}"

"""The cache that all machines share, in Redis, whose absence is borne: nothing that must not be lost is in it.

While Redis is away reads find nothing, writes are dropped and `add` says yes, so what the cache would have saved is
done again: a look is noted twice rather than not at all. After a failure a process leaves Redis alone for PAUSE_S, so
that a page with ten questions waits once.

Django's caches unpickle what they read, and so would run whatever somebody has put into the table or into Redis, with
our keys at hand. Here only the classes of KEPT are read.
"""

import base64
import functools
import io
import logging
import pickle
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient, RedisSerializer
from django.db import connections, router
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

T = TypeVar("T")
ANSWER_S = 0.5
"""What connecting, and an answer, may take."""
PAUSE_S = 2.0
KEPT = frozenset(
    {
        *("datetime.date", "datetime.datetime", "datetime.timedelta", "datetime.timezone", "decimal.Decimal"),
        *("orders.quotes.base.Quote", "orders.quotes.base.Bar", "nextrade.ops.asking.Told"),
    }
)
log = logging.getLogger(__name__)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in KEPT:
            raise pickle.UnpicklingError(f"the cache holds {module}.{name}, which nothing of ours keeps there")
        return super().find_class(module, name)


def loads(data: bytes) -> Any:
    """Raises UnpicklingError for what is not of KEPT."""
    return _Unpickler(io.BytesIO(data)).load()


class TableCache(DatabaseCache):
    """Django's, but for how it reads."""

    def get_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        known = {self.make_and_validate_key(key, version=version): key for key in keys}
        if not known:
            return {}
        connection = connections[router.db_for_read(self.cache_model_class)]
        table = connection.ops.quote_name(self._table)  # type: ignore[attr-defined]
        places = ", ".join(["%s"] * len(known))
        query = f"SELECT cache_key, value FROM {table} WHERE expires >= %s AND cache_key IN ({places})"  # noqa: S608 - names of ours
        with connection.cursor() as cursor:
            cursor.execute(query, [connection.ops.adapt_datetimefield_value(timezone.now()), *known])
            rows = cursor.fetchall()
        return {known[key]: loads(base64.b64decode(value)) for key, value in rows}


class Serializer(RedisSerializer):
    def loads(self, data: Any) -> Any:
        try:
            return int(data)
        except ValueError:
            return loads(data)


class Client(RedisCacheClient):
    """Connections are the process's: Django's own are a thread's, and tools run in threads that soon end."""

    _shared: dict[tuple[str, ...], dict[int, Any]] = {}

    def __init__(self, servers: list[str], **options: Any) -> None:
        once_more = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))  # a restart leaves dead connections
        limits: dict[str, Any] = {"socket_connect_timeout": ANSWER_S, "socket_timeout": ANSWER_S, "retry": once_more}
        super().__init__(servers, **(limits | {"serializer": Serializer} | options))
        self._pools = self._shared.setdefault(tuple(servers), {})


def _borne(method: Callable[..., T], otherwise: T) -> Callable[..., T]:
    @functools.wraps(method)
    def bearing(self: "SharedCache", *args: Any, **kwargs: Any) -> T:
        return self.tried(lambda: method(self, *args, **kwargs), otherwise)

    return bearing


class SharedCache(RedisCache):
    """Django's, without its errors."""

    _back_at: dict[str, float] = {}
    """By time.monotonic(), for each address that did not answer."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = Client
        self._address = server

    def tried(self, ask: Callable[[], T], otherwise: T) -> T:
        """What Redis answers, or that other thing while it does not."""
        if self.is_away:
            return otherwise
        try:
            return ask()
        except (RedisError, OSError) as error:
            self._back_at[self._address] = time.monotonic() + PAUSE_S
            log.warning("Redis does not answer and is done without: %s", type(error).__name__)
            return otherwise

    @property
    def is_away(self) -> bool:
        """Whether it did not answer a moment ago."""
        return time.monotonic() < self._back_at.get(self._address, 0)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self.tried(lambda: RedisCache.get(self, key, default, version), default)

    add = _borne(RedisCache.add, True)
    set = _borne(RedisCache.set, None)
    touch = _borne(RedisCache.touch, False)
    delete = _borne(RedisCache.delete, False)
    has_key = _borne(RedisCache.has_key, False)
    get_many = _borne(RedisCache.get_many, {})
    set_many = _borne(RedisCache.set_many, [])
    delete_many = _borne(RedisCache.delete_many, None)

    def count(self, key: str, period_s: int) -> tuple[int, float] | None:
        """Count one in a window that starts with its first: how many, and the seconds that are left of it; None while
        Redis is away."""
        known = self.make_and_validate_key(key)

        def ask() -> tuple[int, float]:
            with self._cache.get_client(known, write=True).pipeline() as together:
                together.set(known, 0, ex=period_s, nx=True)
                together.incr(known)
                together.pttl(known)
                _, counted, left_ms = together.execute()
            return counted, left_ms / 1000

        return self.tried(ask, None)

"""The cache that all machines share, in Redis, whose absence is borne: nothing that must not be lost is in it.

While Redis is away reads find nothing, writes are dropped and `add` says yes, so what the cache would have saved is
done again: a look is noted twice rather than not at all. After a failure a process leaves Redis alone for PAUSE_S, so
that a page with ten questions waits once.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

T = TypeVar("T")
ANSWER_S = 0.5
"""What connecting, and an answer, may take."""
PAUSE_S = 2.0
log = logging.getLogger(__name__)


class Client(RedisCacheClient):
    """Connections are the process's: Django's own are a thread's, and tools run in threads that soon end."""

    _shared: dict[tuple[str, ...], dict[int, Any]] = {}

    def __init__(self, servers: list[str], **options: Any) -> None:
        once_more = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))  # a restart leaves dead connections
        limits: dict[str, Any] = {"socket_connect_timeout": ANSWER_S, "socket_timeout": ANSWER_S, "retry": once_more}
        super().__init__(servers, **(limits | options))
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

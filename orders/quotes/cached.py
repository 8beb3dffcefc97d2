"""One question to the provider for everybody who asks the same within a moment. A quote keeps its own time.

Whoever takes the lock asks; the others wait for the answer a little and then ask for themselves. The cache is a help
and no more: when it is away, everybody asks.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.core.cache import cache

from orders import instruments
from orders.quotes.base import Bar, Quote, QuoteProvider

T = TypeVar("T")
log = logging.getLogger(__name__)
LATEST_S = 15
HISTORY_S = 3600
LOCK_S = 15
WAIT_S = 3.0
PAUSE_S = 0.05


class CachedQuotes:
    """Another provider, asked less often. A symbol that is not listed goes through, to be refused."""

    def __init__(self, provider: QuoteProvider) -> None:
        self.name = provider.name
        self._provider = provider

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        listed = instruments.find(symbol)
        if listed is None:
            return self._provider.latest(symbol, at=at)
        key = f"quotes:{self.name}:{listed.symbol}"
        return _shared(key, lambda: self._provider.latest(listed.symbol, at=at), keep_s=LATEST_S)

    def several(self, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
        listed = {symbol: found.symbol for symbol in symbols if (found := instruments.find(symbol))}
        keys = {f"quotes:{self.name}:{name}": symbol for symbol, name in listed.items()}
        known: dict[str, Quote] = _tried(lambda: cache.get_many(keys), otherwise={})
        missing = sorted(keys.keys() - known.keys())
        if missing:
            known |= _shared(_key_of(missing), lambda: self._ask(missing, keys, at=at), keep_s=LATEST_S)
        return {keys[key]: quote for key, quote in known.items()}

    def _ask(self, missing: Sequence[str], keys: dict[str, str], *, at: datetime) -> dict[str, Quote]:
        """One question for all of them; each is kept for whoever asks for it alone."""
        found = self._provider.several([keys[key] for key in missing], at=at)
        told = {key: found[keys[key]] for key in missing if keys[key] in found}
        _tried(lambda: cache.set_many(told, LATEST_S), otherwise=None)
        return told

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        listed = instruments.find(symbol)
        if listed is None:
            return self._provider.history(symbol, days=days, at=at)
        key = f"quotes:{self.name}:{listed.symbol}:{days}:{at.date()}"
        return _shared(key, lambda: self._provider.history(listed.symbol, days=days, at=at), keep_s=HISTORY_S)


def _key_of(keys: Sequence[str]) -> str:
    return f"quotes:{hashlib.sha256(' '.join(keys).encode()).hexdigest()}"


def _shared(key: str, ask: Callable[[], T], *, keep_s: int) -> T:
    """What the cache has, or what `ask` says, asked by one at a time. Raises what `ask` raises."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        found: T | None = _tried(lambda: cache.get(key), otherwise=None)
        if found is not None:
            return found
        if _tried(lambda: cache.add(f"{key}:lock", 1, LOCK_S), otherwise=True):
            try:
                return _kept(key, ask, keep_s=keep_s)
            finally:
                _tried(lambda: cache.delete(f"{key}:lock"), otherwise=False)
        time.sleep(PAUSE_S)
    return ask()


def _kept(key: str, ask: Callable[[], T], *, keep_s: int) -> T:
    found: T | None = _tried(lambda: cache.get(key), otherwise=None)  # the one before may have just let go of the lock
    if found is not None:
        return found
    answer = ask()
    _tried(lambda: cache.set(key, answer, keep_s), otherwise=None)
    return answer


def _tried(action: Callable[[], Any], *, otherwise: Any) -> Any:
    try:
        return action()
    except Exception as error:  # noqa: BLE001 - each cache backend has errors of its own
        log.warning("The cache is away, quotes are asked for one by one: %s", error)
        return otherwise

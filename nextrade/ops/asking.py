"""What is asked of other houses: in the background, once a minute for all processes, the answer kept with its time.

A probe comes every few seconds from several sides; a provider that is asked each time would be asked thousands of
times a day, and would hold the probe. The answer lives in the cache; while that is away, each process keeps its own.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.core.cache import cache
from django.db import connections

from nextrade.errors import NexTradeError

log = logging.getLogger(__name__)
EVERY_S, STALE_S = 60, 180
WAIT_S = 2.5
"""How long a probe waits for an answer where there is none that counts."""
LOCK_S = 30
KEPT_S = 3600
Ask = Callable[[], object]


@dataclass(frozen=True, kw_only=True)
class Told:
    """problem: empty when all was well. at: seconds since 1970."""

    problem: str
    at: float

    @property
    def age_s(self) -> float:
        return time.time() - self.at


_here: dict[str, Told] = {}


def problem(name: str, ask: Ask) -> str:
    """What was wrong when `ask` was last called by anybody, empty for nothing.

    ask: raises a NexTradeError for what is wrong. name: of the question, in the cache. An answer of more than STALE_S
    is none.
    """
    told = known(name)
    if told is None or told.age_s > EVERY_S:
        _ask_soon(name, ask)
    end = time.monotonic() + WAIT_S
    while (told is None or told.age_s > STALE_S) and time.monotonic() < end:
        time.sleep(0.1)
        told = known(name)
    if told is None:
        return "no answer yet"
    return told.problem if told.age_s <= STALE_S else f"the last answer is {told.age_s:.0f} s old"


def known(name: str) -> Told | None:
    try:
        found: Told | None = cache.get(f"asked:{name}")
    except Exception:  # noqa: BLE001 - each cache backend has errors of its own
        found = None
    here = _here.get(name)
    return max((told for told in (found, here) if told), key=lambda told: told.at, default=None)


def keep(name: str, problem: str) -> None:
    """Let all processes know what came of a question."""
    told = Told(problem=problem, at=time.time())
    try:
        cache.set(f"asked:{name}", told, KEPT_S)
    except Exception:  # noqa: BLE001 - as above
        log.debug("The answer about %s is kept by this process alone", name)
    _here[name] = told


def forget() -> None:
    _here.clear()


def _ask_soon(name: str, ask: Ask) -> None:
    """Ask in a thread of its own, unless somebody is at it."""
    if any(thread.name == f"ask-{name}" for thread in threading.enumerate()):
        return
    threading.Thread(target=_ask, args=(name, ask), name=f"ask-{name}", daemon=True).start()


def _ask(name: str, ask: Ask) -> None:
    try:
        if not _is_mine(name):
            return
        try:
            ask()
        except NexTradeError as error:
            keep(name, error.message)
        except Exception:
            log.exception("Asking about %s failed", name)
            keep(name, "it could not be asked: see the log")
        else:
            keep(name, "")
    finally:
        connections.close_all()


def _is_mine(name: str) -> bool:
    """Whether nobody else asks in these seconds. A cache that is away keeps nobody from asking."""
    try:
        return bool(cache.add(f"asked:{name}:lock", 1, LOCK_S)) or cache.get(f"asked:{name}:lock") is None
    except Exception:  # noqa: BLE001 - as above
        return True

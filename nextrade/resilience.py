"""What every border to a slow or failing thing shares: retry under a budget, and execution time.

One layer retries. Waits grow from a second, with jitter; what the other side asks for by Retry-After is waited at
least. Repeats may add a tenth to the calls, so that an outage is not answered by a flood.
"""

import functools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import psycopg
import psycopg_pool
import tenacity
from django.db import InterfaceError, OperationalError
from prometheus_client import Counter

from nextrade.errors import NexTradeError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
MAX_RETRIES = 2
FIRST_WAIT_S, LONGEST_WAIT_S = 1, 60
RETRIES = Counter("nextrade_retries", "Calls that were made again after a failure", ["operation"])
log = logging.getLogger(__name__)


class DatabaseAway(Unavailable):
    """The database does not answer. wait: seconds, for Retry-After."""

    code = "database_unavailable"
    wait = 30


class DatabaseBusy(DatabaseAway):
    """Every connection of this process is in use."""

    code = "database_busy"
    wait = 5


def away(error: BaseException | None) -> DatabaseAway | None:
    """What a caller may know of an error that comes of a database's absence; None for any other error."""
    if not isinstance(error, OperationalError | InterfaceError | psycopg.OperationalError | sqlite3.OperationalError):
        return None
    if isinstance(error, psycopg_pool.PoolTimeout) or isinstance(error.__cause__, psycopg_pool.PoolTimeout):
        return DatabaseBusy("Every database connection is in use. Please try again in a moment.")
    return DatabaseAway("The database does not answer. What was taken is kept; please try again in half a minute.")


class RetryBudget:
    """How many repeats are left: each first call earns a share of one. Kept by a process for one provider."""

    def __init__(self, *, share: float = 0.1, reserve: float = 3) -> None:
        self._share, self._most, self._left = share, reserve, reserve
        self._lock = threading.Lock()

    def earn(self) -> None:
        with self._lock:
            self._left = min(self._most, self._left + self._share)

    def spend(self) -> bool:
        """Take one repeat, if there is one."""
        with self._lock:
            if self._left < 1:
                return False
            self._left -= 1
            return True


class Transient(Exception):
    """A failure that may be over a moment later. wait_s: what the other side asked to be waited."""

    wait_s: float = 0


def retry_with_backoff(call: Callable[[], T], *, operation: str, until: float, budget: RetryBudget) -> T:
    """Call until it works, three times at most; the last failure is raised. Only for what may be done twice.

    until: by time.monotonic(); no wait ends after it. Retries what is Transient alone.
    """

    def is_enough(state: tenacity.RetryCallState) -> bool:
        is_late = time.monotonic() + state.upcoming_sleep >= until
        return state.attempt_number > MAX_RETRIES or is_late or not budget.spend()

    budget.earn()
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Transient),
        wait=_wait,
        stop=is_enough,
        before_sleep=functools.partial(_announce, operation),
        reraise=True,
    )
    return retrying(call)


_backoff = tenacity.wait_exponential_jitter(initial=FIRST_WAIT_S, max=LONGEST_WAIT_S)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome and state.outcome.exception()
    asked = error.wait_s if isinstance(error, Transient) else 0
    return max(_backoff(state), asked)


def _announce(operation: str, state: tenacity.RetryCallState) -> None:
    RETRIES.labels(operation).inc()
    log.warning(
        "Attempt %d/%d failed for %s: %s. Retrying in %.2fs...",
        state.attempt_number,
        MAX_RETRIES + 1,
        operation,
        state.outcome and state.outcome.exception(),
        state.upcoming_sleep,
    )


def log_execution_time(function: Callable[P, T]) -> Callable[P, T]:
    """Log how long a call took, in seconds by the monotonic clock, whether it returned or raised; a refusal is no
    error of ours."""
    log = logging.getLogger(function.__module__)

    @functools.wraps(function)
    def timed(*args: P.args, **kwargs: P.kwargs) -> T:
        start = time.monotonic()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            is_refusal = isinstance(error, NexTradeError) and not isinstance(error, Unavailable)
            level = logging.WARNING if is_refusal else logging.ERROR
            log.log(level, "Function %s failed after %.2fs", function.__name__, time.monotonic() - start)
            raise
        log.info("Function %s completed in %.2fs", function.__name__, time.monotonic() - start)
        return result

    return timed

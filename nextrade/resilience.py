"""What every border to a slow or failing thing shares. Execution time now; retry and breaker belong here too."""

import functools
import logging
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from nextrade.errors import NexTradeError, Unavailable

P = ParamSpec("P")
T = TypeVar("T")


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

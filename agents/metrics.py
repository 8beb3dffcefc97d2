"""The three metrics of the guide, with its names. A refusal of ours (4xx) is no error: no user can page the on-call."""

import contextlib
import time
from collections.abc import Iterator

from django.http import Http404
from prometheus_client import Counter, Gauge, Histogram
from rest_framework.exceptions import APIException

from nextrade.errors import NexTradeError, Unavailable

REQUESTS = Counter("nextrade_requests", "Total requests", ["endpoint", "status"])
SECONDS = Histogram(
    "nextrade_response_seconds",
    "Response time in seconds",
    ["endpoint"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120),
)
ACTIVE = Gauge("nextrade_active_requests", "Number of active requests", multiprocess_mode="livesum")

for status in ("started", "success", "rejected", "error"):  # a series born above zero is invisible to increase()
    REQUESTS.labels("/chat", status)
SECONDS.labels("/chat")


@contextlib.contextmanager
def counted(endpoint: str) -> Iterator[None]:
    """Count, time and weigh one request of an endpoint."""
    REQUESTS.labels(endpoint, "started").inc()
    ACTIVE.inc()
    start = time.monotonic()
    status = "success"
    try:
        yield
    except BaseException as error:
        status = outcome(error)
        raise
    finally:
        ACTIVE.dec()
        SECONDS.labels(endpoint).observe(time.monotonic() - start)
        REQUESTS.labels(endpoint, status).inc()


def outcome(error: BaseException) -> str:
    """ "rejected" for what the caller did wrong, "error" for what we did."""
    if isinstance(error, Unavailable):
        return "error"
    refused = isinstance(error, NexTradeError | Http404) or (
        isinstance(error, APIException) and error.status_code < 500
    )
    return "rejected" if refused else "error"

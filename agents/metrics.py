"""The metrics of chat and of language models. A refusal of ours (4xx) is no error: no user can page the on-call."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from rest_framework.exceptions import APIException

from agents.models import Breaker, ModelCall
from nextrade.errors import NexTradeError, Unavailable
from nextrade.resilience import RETRIES

OFFLINE = "offline-rules"
REQUESTS = Counter("nextrade_requests", "Total requests", ["endpoint", "status"])
SECONDS = Histogram(
    "nextrade_response_seconds",
    "Response time in seconds",
    ["endpoint"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 45, 60, 120),
)
LLM_SECONDS = Histogram(
    "nextrade_llm_request_seconds",
    "Response time of language models in seconds",
    ["provider", "model", "outcome"],
    buckets=(0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60),
)
LLM_TOKENS = Counter("nextrade_llm_tokens", "Tokens of language models", ["model", "kind"])
LLM_COST = Counter("nextrade_llm_cost_usd", "Cost of language models in USD, where the price is known", ["model"])
BREAKER_TRIPS = Counter("nextrade_circuit_breaker_trips", "How often a circuit breaker opened", ["name"])
ACTIVE = Gauge("nextrade_active_requests", "Number of active requests", multiprocess_mode="livesum")


def count_calls(calls: Iterable[ModelCall]) -> None:
    """Tokens and, where the price is known, cost of a turn's calls."""
    for call in calls:
        kinds = {"input": call.input_tokens, "output": call.output_tokens, "cached": call.cached_tokens}
        for kind, tokens in kinds.items():
            LLM_TOKENS.labels(call.model, kind).inc(tokens)
        if call.cost_usd is not None:
            LLM_COST.labels(call.model).inc(float(call.cost_usd))


class BreakerStates:
    """The state of each circuit breaker as its row has it: 0 closed, 1 half-open, 2 open."""

    def collect(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("nextrade_circuit_breaker_state", "0 closed, 1 half-open, 2 open", labels=["name"])
        failures = GaugeMetricFamily("nextrade_circuit_breaker_failures", "Failures in a row", labels=["name"])
        for breaker in Breaker.objects.order_by("name"):
            states.add_metric([breaker.name], list(Breaker.State).index(Breaker.State(breaker.state)))
            failures.add_metric([breaker.name], breaker.failures)
        yield from (states, failures)


STATUSES = ("started", "success", "rejected", "error")
OUTCOMES = (
    *("ok", "timeout", "connect_timeout", "connection_refused", "broken_line", "server_error", "rate_limited"),
    *("provider_error", "bad_key", "no_quota", "unknown_model", "not_accepted", "too_large", "bad_answer"),
    *("empty_answer", "client_error"),
)
"""How a call of a model may end: "ok", or the kind of a failure (agents.faults)."""
KINDS = ("input", "output", "cached")


def prepare() -> None:
    """Make every series that this installation can have: one born above zero is invisible to increase()."""
    for status in STATUSES:
        REQUESTS.labels("/chat", status)
    SECONDS.labels("/chat")
    RETRIES.labels("chat_completion")
    for model in {settings.MODEL, settings.MODEL_SIMPLE, settings.MODEL_FALLBACK} - {""}:
        for outcome in OUTCOMES if model != OFFLINE else ("ok",):
            LLM_SECONDS.labels(provider(model), model, outcome)
        for kind in KINDS:
            LLM_TOKENS.labels(model, kind)
        LLM_COST.labels(model)
        BREAKER_TRIPS.labels(f"{provider(model)}/{model}")


def provider(model: str) -> str:
    """Who runs a model, as it stands in metrics and on its breaker: the server's host."""
    return "embedded" if model == OFFLINE else str(urlsplit(settings.OPENAI_BASE_URL).netloc)


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

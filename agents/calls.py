"""One answer of a language model: breaker, retry, fallback, measurement.

A call is made again, or by the next model, only while nothing has come of it: tools run after an answer, so no
proposal is ever repeated from here.
"""

import functools
import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.db import connections
from django.utils import timezone
from langchain_core.messages import AIMessage

from agents import breakers, faults, line, llm, metrics
from agents.faults import Failure
from agents.models import Breaker
from agents.turn import Call, ModelRefused, ModelUnavailable, Turn
from nextrade.resilience import RetryBudget, retry_with_backoff

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.1
Ask = Callable[[str], AIMessage]
"""Asks the model of a name. Raises one of `faults.RAISED`."""


class Shut(Failure):
    """The breaker lets nothing through."""


def complete(turn: Turn, agent: str, ask: Ask) -> AIMessage:
    """The answer of the first of the turn's models that gives one.

    Raises ModelUnavailable when none does in time, ModelRefused when the provider does not accept the conversation.
    """
    for name in turn.models:
        try:
            return retry_with_backoff(
                functools.partial(_once, turn, agent, name, ask),
                operation="chat_completion",
                until=turn.deadline,
                budget=_budget(llm.provider(name), name),
            )
        except Failure as failure:
            if failure.is_persons:
                raise ModelRefused(f"Please say it in other words: {failure.message}.") from failure
            log.warning("No answer of %s: %s", name, failure)
            last = failure
    raise ModelUnavailable(f"The language model does not answer ({last.message}). Please try again in a moment.")


def release_connections() -> None:
    """Give this thread's database connections back, unless a transaction is open on them."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def lend_connections() -> None:
    """Give them back for a wait, or for another thread to go on: a pool is short of them, a file is not."""
    if not settings.SQLITE:
        release_connections()


def _once(turn: Turn, agent: str, name: str, ask: Ask) -> AIMessage:
    try:
        return _measured(turn, agent, name, ask, _enter(name, until=turn.deadline))
    finally:
        lend_connections()  # tools run in other threads, which would wait for a connection that this one keeps


def _measured(turn: Turn, agent: str, name: str, ask: Ask, breaker: Breaker | None) -> AIMessage:
    lend_connections()
    start = time.monotonic()
    try:
        with line.limited(llm.seconds(turn.deadline)):
            answer = ask(name)
        faults.require_content(answer)
    except faults.RAISED as error:
        failure = faults.failure(error)
        _leave(breaker, failure)
        _measure(turn, agent, name, start, outcome=failure.kind)
        raise failure from error
    _leave(breaker, None)
    _measure(turn, agent, name, start, outcome="ok", answer=answer)
    return answer


def _enter(name: str, *, until: float) -> Breaker | None:
    """Wait for the breaker to let this call through; None for the embedded model, which has none. Raises Shut."""
    if name == llm.OFFLINE:
        return None
    key = f"{llm.provider(name)}/{name}"
    while time.monotonic() < until:
        if row := breakers.admit(key, at=timezone.now()):
            return row
        if breakers.is_shut(key):
            raise Shut("circuit_open", "its circuit breaker is open")
        release_connections()
        time.sleep(LOOK_EVERY_S)
    raise Shut("no_turn", "it is busy")


def _leave(breaker: Breaker | None, failure: Failure | None) -> None:
    if breaker is None:
        return
    if failure is None or failure.is_persons:
        breakers.succeeded(breaker, at=timezone.now())
    else:
        breakers.failed(breaker, failure.message, at=timezone.now())


def _measure(turn: Turn, agent: str, name: str, start: float, *, outcome: str, answer: AIMessage | None = None) -> None:
    usage = (answer and answer.usage_metadata) or None
    took_s = time.monotonic() - start
    metrics.LLM_SECONDS.labels(llm.provider(name), name, outcome).observe(took_s)
    turn.calls.append(
        Call(
            agent=agent,
            provider=llm.provider(name),
            model=name,
            input_tokens=usage["input_tokens"] if usage else 0,
            output_tokens=usage["output_tokens"] if usage else 0,
            cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0) if usage else 0,
            latency_ms=round(took_s * 1000),
            outcome=outcome,
            at=timezone.now(),
        )
    )


@functools.cache
def _budget(provider: str, name: str) -> RetryBudget:
    return RetryBudget()

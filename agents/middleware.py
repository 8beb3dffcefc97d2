"""What surrounds every model call and every tool call: limits, the books' facts, measurement, connections, errors."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import openai
from django.conf import settings
from django.db import connections
from django.utils import timezone
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, SystemMessage, ToolMessage, trim_messages
from langgraph.types import Command

from agents.llm import ModelUnavailable
from agents.turn import Call, Turn
from nextrade.errors import NexTradeError

MAX_MODEL_CALLS = 10
MAX_HISTORY = 24
"""Messages of a thread that a model is shown; older ones stay in the database."""


class Desk(AgentMiddleware[Any, Turn]):
    """One agent's borders. name: of the agent, as it stands on each model call's row."""

    def __init__(self, agent: str) -> None:
        self.agent = agent

    @property
    def name(self) -> str:
        return f"desk-{self.agent}"

    def wrap_model_call(
        self, request: ModelRequest[Turn], handler: Callable[[ModelRequest[Turn]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        """Call the model within the turn's limits. Raises ModelUnavailable when it fails or the turn is over."""
        turn = request.runtime.context
        if turn.is_over or len(turn.calls) >= MAX_MODEL_CALLS:
            raise ModelUnavailable("the answer took too long and was given up")
        prompt = SystemMessage(f"{request.system_prompt}\n\n{turn.facts}".strip())
        ready = request.override(messages=presentable(request.messages), system_message=prompt)
        if not settings.SQLITE:  # a pool is short of connections while a model takes its time, a file is not
            release_connections()
        start = time.monotonic()
        try:
            response = handler(ready)
        except openai.OpenAIError as error:
            kind = type(error.__cause__ or error).__name__  # langchain-openai raises its own from the client's
            self._measure(turn, start, outcome=kind)
            raise ModelUnavailable(f"the language model does not answer ({kind})") from error
        self._measure(turn, start, outcome="ok", answer=response.result[0])
        return response

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Tell the model of a refusal as the tool's result. Tools run in threads of their own, which end without
        connections."""
        try:
            return handler(request)
        except ModelUnavailable:
            raise
        except NexTradeError as error:
            content = json.dumps({"error": error.reason, "message": error.message})
            return ToolMessage(
                content, tool_call_id=request.tool_call["id"], name=request.tool_call["name"], status="error"
            )
        finally:
            release_connections()

    def _measure(self, turn: Turn, start: float, *, outcome: str, answer: Any = None) -> None:
        usage = getattr(answer, "usage_metadata", None) or {}
        turn.calls.append(
            Call(
                agent=self.agent,
                model=turn.model,
                input_tokens=usage.get("input_tokens", 0),
                output_tokens=usage.get("output_tokens", 0),
                cached_tokens=usage.get("input_token_details", {}).get("cache_read", 0),
                latency_ms=round((time.monotonic() - start) * 1000),
                outcome=outcome,
                at=timezone.now(),
            )
        )


def release_connections() -> None:
    """Give this thread's database connections back, unless a transaction is open on them."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def presentable(messages: Sequence[AnyMessage]) -> list[Any]:
    """The newest messages that a provider accepts: from a person's on, every tool call with its answer."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    asked = {
        call["id"]
        for message in messages
        if isinstance(message, AIMessage) and all(call["id"] in answered for call in message.tool_calls)
        for call in message.tool_calls
    }
    whole = [message for message in messages if _is_whole(message, asked)]
    return trim_messages(whole, strategy="last", token_counter=len, max_tokens=MAX_HISTORY, start_on="human")


def _is_whole(message: AnyMessage, asked: set[str | None]) -> bool:
    if isinstance(message, ToolMessage):
        return message.tool_call_id in asked
    if isinstance(message, AIMessage):
        return all(call["id"] in asked for call in message.tool_calls)
    return True

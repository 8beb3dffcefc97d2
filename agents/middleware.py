"""What surrounds every model call and every tool call: limits, the books' facts, measurement, connections, errors."""

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

from django.utils import timezone
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse, ToolCallRequest
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.types import Command

from agents import calls, canary, limits, llm
from agents.turn import ModelRefused, ModelUnavailable, Turn
from nextrade.errors import NexTradeError

MAX_HISTORY = 24
"""Messages of a thread that a model is shown; older ones stay in the database."""
WORK = {
    "lookup_symbol": "Looking up a symbol",
    "get_quote": "Getting a price",
    "get_price_history": "Getting past prices",
    "get_company_profile": "Reading a company's profile",
    "search_news": "Searching the news",
    "search_web": "Searching the web",
    "get_portfolio": "Reading your portfolio",
    "get_performance": "Measuring your account",
    "get_positions": "Reading your positions",
    "propose_order": "Proposing an order",
    "withdraw_order": "Taking an order back",
    "list_orders": "Reading your orders",
    "get_order": "Reading an order",
    "list_executions": "Reading your fills",
}


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
        """Call a model within the turn's limits. Raises ModelUnavailable when none answers, Stopped at a limit."""
        turn = request.runtime.context
        _require_time(turn)
        limits.count_model_call(turn)
        today = f"Today is {timezone.now():%A, %Y-%m-%d} (UTC)."
        parts = (request.system_prompt or "", today, turn.facts, canary.line(turn.thread_id))
        prompt = SystemMessage("\n\n".join(filter(None, parts)))
        ready = request.override(messages=presentable(request.messages), system_message=prompt)

        def ask(name: str) -> AIMessage:
            return _answer(handler(ready.override(model=llm.chat_model(name))))

        return ModelResponse(result=[calls.complete(turn, self.agent, ask)])

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        """Tell the model of a refusal as the tool's result. Tools run in threads of their own, which end without
        connections."""
        turn: Turn = request.runtime.context  # type: ignore[assignment]
        _require_time(turn)
        try:
            name = request.tool_call["name"]
            limits.count_tool_call(turn, self.agent, name, request.tool_call["args"])
            canary.require_no_leak(turn, name, request.tool_call["args"])
            kind, facts = _step(name)
            turn.tell(kind, facts)
            result = handler(request)
            if isinstance(result, ToolMessage) and kind == "tool":
                turn.results.append({"tool": name, "sha256": hashlib.sha256(result.text.encode()).hexdigest()})
                turn.evidence.note(result.text)
            return limits.shorten(result) if isinstance(result, ToolMessage) else result
        except (ModelUnavailable, ModelRefused):
            raise
        except NexTradeError as error:
            content = json.dumps({"error": error.reason, "message": error.message})
            return ToolMessage(
                content, tool_call_id=request.tool_call["id"], name=request.tool_call["name"], status="error"
            )
        finally:
            calls.release_connections()


def _step(tool: str) -> tuple[str, dict[str, str]]:
    """A call of a tool as an event: a hand-over is a status of the turn."""
    kind, _, agent = tool.partition("transfer_to_")
    if agent and not kind:
        return "status", {"step": tool, "text": f"Asking the {agent} agent"}
    return "tool", {"step": tool, "text": WORK.get(tool, tool)}


class Memory(AgentMiddleware[Any, Turn]):
    """What stays of a turn: the newest words of both sides. Calls of tools and their results, which may hold strangers'
    text, are dropped with the turn."""

    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        messages = state["messages"]
        kept = {message.id for message in [message for message in messages if _is_spoken(message)][-MAX_HISTORY:]}
        dropped = [RemoveMessage(id=message.id) for message in messages if message.id not in kept]
        return {"messages": dropped} if dropped else None


def _is_spoken(message: AnyMessage) -> bool:
    return isinstance(message, HumanMessage) or (isinstance(message, AIMessage) and not message.tool_calls)


def _require_time(turn: Turn) -> None:
    if turn.is_over:
        raise ModelUnavailable("The answer took too long and was given up. Please try again.")


def _answer(response: ModelResponse[Any]) -> AIMessage:
    answer = response.result[0]
    assert isinstance(answer, AIMessage)
    return answer


def presentable(messages: Sequence[AnyMessage]) -> list[Any]:
    """The newest messages that a provider accepts: from a person's on, every tool call with its answer."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    asked = {
        call["id"]
        for message in messages
        if isinstance(message, AIMessage) and all(call["id"] in answered for call in message.tool_calls)
        for call in message.tool_calls
    }
    newest = [message for message in messages if _is_whole(message, asked)][-MAX_HISTORY:]
    return list(itertools.dropwhile(lambda message: not isinstance(message, HumanMessage), newest))


def _is_whole(message: AnyMessage, asked: set[str | None]) -> bool:
    if isinstance(message, ToolMessage):
        return message.tool_call_id in asked
    if isinstance(message, AIMessage):
        return all(call["id"] in asked for call in message.tool_calls)
    return True

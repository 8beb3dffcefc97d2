"""The graph, as the diagram has it: a supervisor with memory over three agents without."""

import functools
import logging
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Checkpointer, Durability

from agents import canary, database, llm, memory, portfolio, research, supervisor
from agents.middleware import Desk, Memory
from agents.stream import Preview
from agents.turn import Turn

log = logging.getLogger(__name__)
PROMPTS = Path(__file__).with_name("prompts")
Graph = CompiledStateGraph[Any, Turn, Any, Any]
KEPT: Durability = "exit"
"""A turn is remembered when it ends, well or badly: nothing resumes in its middle, so nobody would read what each step
wrote."""


def build_graph(model: BaseChatModel, checkpointer: BaseCheckpointSaver[Any] | None) -> Graph:
    agents = [(agent.NAME, _agent(model, agent.NAME, agent.TOOLS, False)) for agent in (research, portfolio, database)]
    transfers = [supervisor.transfer(name, agent) for name, agent in agents]
    return _agent(model, supervisor.NAME, transfers, checkpointer)


@functools.cache
def desk() -> Graph:
    """This process's graph, built once."""
    log.info("Initializing supervisor instance...")
    return build_graph(llm.chat_model(settings.MODEL), memory.checkpointer())


def answer(turn: Turn) -> str:
    """Run one turn; the graph's last words. Raises ModelUnavailable."""
    said = desk().invoke(_asked(turn), _config(turn), context=turn, durability=KEPT)
    return str(said["messages"][-1].text).strip()


def answer_aloud(turn: Turn) -> str:
    """The same, told while the supervisor writes it."""
    preview, last = Preview(turn.tell, canary=canary.of(turn.thread_id)), ""
    # langgraph's own waiting for messages takes one of the two
    config: RunnableConfig = {**_config(turn), "max_concurrency": 2}
    parts: Iterator[Any] = desk().stream(
        _asked(turn), config, context=turn, durability=KEPT, stream_mode=["messages", "values"]
    )
    for kind, part in parts:
        if kind == "values":
            last = str(part["messages"][-1].text)
        elif _is_answer(*part):
            preview.add(part[0].id or "", str(part[0].text))
    return last.strip()


def _is_answer(message: BaseMessage, about: Mapping[str, Any]) -> bool:
    """Whether it is the supervisor's own writing, and no call of a tool."""
    is_own = about.get("langgraph_node") == "model" and "|" not in str(about.get("langgraph_checkpoint_ns", ""))
    return is_own and isinstance(message, AIMessage) and not getattr(message, "tool_call_chunks", message.tool_calls)


def _asked(turn: Turn) -> dict[str, Any]:
    return {"messages": [HumanMessage(turn.words)]}


def _config(turn: Turn) -> RunnableConfig:
    return {"configurable": {"thread_id": str(turn.thread_id)}, "max_concurrency": 1, "recursion_limit": 40}


def remember(turn: Turn, said: str) -> None:
    """Add an exchange that needed no model to what the supervisor remembers."""
    words = {"messages": [HumanMessage(turn.words), AIMessage(said)]}
    desk().update_state({"configurable": {"thread_id": str(turn.thread_id)}}, words, as_node="model")


def forget(thread_id: uuid.UUID) -> None:
    """Drop what the supervisor remembers of a conversation."""
    memory.checkpointer().delete_thread(str(thread_id))


def _agent(model: BaseChatModel, name: str, tools: Any, checkpointer: Checkpointer = None) -> Graph:
    """checkpointer: False for a sub-agent, which would inherit the supervisor's and keep what its tools gave."""
    return create_agent(
        model,
        list(tools),
        system_prompt=(PROMPTS / f"{name}.md").read_text(),
        middleware=[Desk(name), Memory()] if checkpointer else [Desk(name)],
        context_schema=Turn,
        checkpointer=checkpointer,
        name=name,
    )

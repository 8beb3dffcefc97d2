"""The graph, as the diagram has it: a supervisor with memory over three agents without."""

import functools
import logging
import uuid
from pathlib import Path
from typing import Any

from django.conf import settings
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph

from agents import database, llm, memory, portfolio, research, supervisor
from agents.middleware import Desk
from agents.turn import Turn

log = logging.getLogger(__name__)
PROMPTS = Path(__file__).with_name("prompts")
Graph = CompiledStateGraph[Any, Turn, Any, Any]


def build_graph(model: BaseChatModel, checkpointer: BaseCheckpointSaver[Any] | None) -> Graph:
    agents = [(agent.NAME, _agent(model, agent.NAME, agent.TOOLS)) for agent in (research, portfolio, database)]
    transfers = [supervisor.transfer(name, agent) for name, agent in agents]
    return _agent(model, supervisor.NAME, transfers, checkpointer)


@functools.cache
def desk() -> Graph:
    """This process's graph, built once."""
    log.info("Initializing supervisor instance...")
    return build_graph(llm.chat_model(settings.MODEL), memory.checkpointer())


def answer(turn: Turn) -> str:
    """Run one turn; the graph's last words. Raises ModelUnavailable."""
    said = desk().invoke(
        {"messages": [HumanMessage(turn.words)]},
        {"configurable": {"thread_id": str(turn.thread_id)}, "max_concurrency": 1, "recursion_limit": 40},
        context=turn,
        durability="sync",
    )
    return str(said["messages"][-1].text).strip()


def forget(thread_id: uuid.UUID) -> None:
    """Drop what the supervisor remembers of a conversation."""
    memory.checkpointer().delete_thread(str(thread_id))


def _agent(model: BaseChatModel, name: str, tools: Any, checkpointer: BaseCheckpointSaver[Any] | None = None) -> Graph:
    return create_agent(
        model,
        list(tools),
        system_prompt=(PROMPTS / f"{name}.md").read_text(),
        middleware=[Desk(name)],
        context_schema=Turn,
        checkpointer=checkpointer,
        name=name,
    )

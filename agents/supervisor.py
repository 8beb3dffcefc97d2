"""The supervisor: reads the person's message, hands work to the three agents, and answers.

A sub-agent is a tool with one argument, and is compiled without a checkpointer: what it does within a turn is not
remembered.
"""

import warnings
from collections.abc import Callable
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph.state import CompiledStateGraph

from agents.tools import Runtime

NAME = "supervisor"
PURPOSE = {
    "research": "Ask the research agent about prices, price history, companies and news.",
    "portfolio": "Ask the portfolio agent about holdings, or to propose or take back orders for this person.",
    "database": "Ask the database agent to look up this person's orders, fills and positions.",
}

warnings.filterwarnings("ignore", message="`durability` has no effect")  # it has: see below


def transfer(name: str, agent: CompiledStateGraph[Any, Any, Any, Any]) -> BaseTool:
    """The tool by which the supervisor hands work to one agent and gets its last words back."""

    def run(instructions: str, runtime: Runtime) -> str:
        said = agent.invoke(
            {"messages": [HumanMessage(instructions)]},
            {"max_concurrency": 1, "recursion_limit": 40},
            context=runtime.context,
            durability="exit",  # it keeps nothing, and langgraph 1.2 cannot wait for nothing to be kept
        )
        return str(said["messages"][-1].text)

    described: Callable[[Callable[..., str]], BaseTool] = tool(f"transfer_to_{name}", description=PURPOSE[name])
    return described(run)

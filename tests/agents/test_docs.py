"""docs/agents.md shows the graph as the code has it. `PRINT=1 pytest tests/agents/test_docs.py` writes it anew."""

import os
import re
from pathlib import Path

from agents import database, graph, portfolio, research, supervisor
from agents.offline import OfflineRules

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agents.md"
DRAWING = re.compile(r"```mermaid\n.*?```", re.DOTALL)


def drawn() -> str:
    """The supervisor, the agents it hands work to, and the tools of each, read from the graph's own nodes."""
    tools = graph.build_graph(OfflineRules(), None).nodes["tools"].bound.tools_by_name  # type: ignore[union-attr]
    lines = ["graph LR", "  person([person]) --> supervisor"]
    for agent in (research, portfolio, database):
        transfer = f"transfer_to_{agent.NAME}"
        assert transfer in tools
        lines.append(f"  {supervisor.NAME} -- {transfer} --> {agent.NAME}")
        lines += [f"  {agent.NAME} --> {agent.NAME}_{tool.__name__}[{tool.__name__}]" for tool in agent.TOOLS]
    return "```mermaid\n" + "\n".join(lines) + "\n```"


def test_the_page_shows_the_graph_of_the_code() -> None:
    text = PAGE.read_text()
    if os.environ.get("PRINT"):
        PAGE.write_text(DRAWING.sub(drawn(), text))
    assert drawn() in PAGE.read_text()

"""How much one turn may do. Whoever passes a limit ends the turn, and the person is told which one it was."""

import json
from typing import Any

from langchain_core.messages import ToolMessage

from agents.turn import Stopped, Turn
from nextrade.errors import Invalid

MAX_MODEL_CALLS = 10
MAX_TOOL_CALLS = 12
MAX_SAME = 2
"""How often a tool may be called with the same arguments."""
MAX_ARGUMENTS = 4_000
MAX_RESULT = 12_000
MAX_ANSWER = 12_000


class ArgumentsTooLong(Invalid):
    code = "arguments_too_long"


def count_model_call(turn: Turn) -> None:
    """Raises Stopped."""
    if turn.steps["model"] >= MAX_MODEL_CALLS:
        raise Stopped(
            f"I stopped after {MAX_MODEL_CALLS} steps without coming to an answer. Please ask for less at once."
        )
    turn.steps["model"] += 1


def count_tool_call(turn: Turn, agent: str, name: str, arguments: dict[str, Any]) -> None:
    """Raises Stopped at a limit or a loop, ArgumentsTooLong."""
    written = json.dumps(arguments, sort_keys=True, default=str)
    same = f"{agent} {name} {written}"
    if turn.steps["tool"] >= MAX_TOOL_CALLS:
        raise Stopped(
            f"I stopped after {MAX_TOOL_CALLS} look-ups without coming to an answer. Please ask for less at once."
        )
    if turn.steps[same] >= MAX_SAME:
        raise Stopped(f"I stopped because I kept repeating the same step ({name}) and got nowhere.")
    turn.steps["tool"] += 1
    turn.steps[same] += 1
    if len(written) > MAX_ARGUMENTS:
        raise ArgumentsTooLong(f"the arguments of {name} are longer than {MAX_ARGUMENTS:,} characters")


def shorten(result: ToolMessage) -> ToolMessage:
    """A tool's result as a model is shown it."""
    if len(result.text) <= MAX_RESULT:
        return result
    return result.model_copy(update={"content": f"{result.text[:MAX_RESULT]}\n[cut after {MAX_RESULT:,} characters]"})


def shorten_answer(text: str) -> str:
    return (
        text
        if len(text) <= MAX_ANSWER
        else f"{text[:MAX_ANSWER]}\n\nThe answer was longer than I may give; this is its beginning."
    )

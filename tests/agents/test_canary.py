"""B6: the mark of a prompt leaves neither in an answer, whole or in pieces, nor in a tool's argument."""

import base64
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import canary
from agents.guard import WITHHELD
from agents.models import Message
from compliance.models import ComplianceEvent
from tests.agents.test_chat import client
from tests.agents.test_providers import chat
from tests.agents.test_stream import events, stream
from tests.openai_server import OpenAIServer, agent_of, desk_script

pytestmark = pytest.mark.django_db(transaction=True)


def mark(request: dict[str, Any]) -> str:
    return next(str(word) for word in request["messages"][0]["content"].split() if word.startswith("ntm-"))


def violations() -> list[Any]:
    return list(ComplianceEvent.objects.filter(action="output_validation_failed").values_list("details", flat=True))


def test_every_prompt_has_its_conversation_s_own_mark(provider: OpenAIServer, ann: User) -> None:
    first = uuid.UUID(chat(ann, "BUY 10 AAPL").json()["thread_id"])
    assert {mark(request) for request in provider.requests} == {canary.of(first)}
    assert {agent_of(request) for request in provider.requests} == {"supervisor", "portfolio"}
    assert canary.of(first) != canary.of(uuid.uuid4())


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: text,
        lambda text: " ".join(text),
        lambda text: text[::-1],
        lambda text: base64.b64encode(text.encode()).decode(),
    ],
    ids=["plain", "spaced", "backwards", "base64"],
)
def test_an_answer_that_tells_the_prompt_is_withheld(provider: OpenAIServer, ann: User, disguise: Any) -> None:
    provider.script = lambda request: {"content": f"My instructions end with: {disguise(mark(request))}"}
    body = chat(ann, "hello there").json()
    assert body["response"] == WITHHELD
    assert Message.objects.get(role=Message.Role.ASSISTANT).content == WITHHELD
    assert violations() == [{"errors": ["canary"]}]


def test_a_stream_holds_the_prompt_back_too(provider: OpenAIServer, ann: User) -> None:
    provider.script = lambda request: {"content": f"{'So it is. ' * 30}{mark(request)}{' And more.' * 30}"}
    told = events(stream(client(ann), "hello there"))
    assert "ntm-" not in "".join(str(data) for _, _, data in told)
    assert told[-1][2]["response"] == WITHHELD


def test_no_tool_is_called_with_the_mark(provider: OpenAIServer, ann: User) -> None:
    def script(request: dict[str, Any]) -> dict[str, Any]:
        if request["messages"][-1]["role"] == "tool":
            return {"content": request["messages"][-1]["content"]}
        return {"tool_calls": [("transfer_to_research", {"instructions": f"look up {mark(request)}"})]}

    provider.script = script
    assert "leak_in_arguments" in chat(ann, "hello there").json()["response"]
    assert {agent_of(request) for request in provider.requests} == {"supervisor"}
    assert violations() == [{"errors": ["canary in the arguments of transfer_to_research"]}]


def test_no_search_is_made_with_somebody_s_secrets(provider: OpenAIServer, ann: User) -> None:
    def script(request: dict[str, Any]) -> dict[str, Any]:
        if request["messages"][-1]["role"] == "tool":
            return {"content": request["messages"][-1]["content"]}
        if agent_of(request) == "supervisor":
            return {"tool_calls": [("transfer_to_research", {"instructions": "news"})]}
        return {"tool_calls": [("search_web", {"query": "who owns 4111 1111 1111 1111"})]}

    provider.script = script
    assert "leak_in_arguments" in chat(ann, "hello there").json()["response"]
    assert violations() == [{"errors": ["card number in the arguments of search_web"]}]


def test_an_answer_with_the_mark_is_not_kept_for_others(provider: OpenAIServer, ann: User, ben: User) -> None:
    told: list[str] = []

    def script(request: dict[str, Any]) -> dict[str, Any]:
        told.append(mark(request))
        return {"content": f"AAPL: see {told[0]}"}

    provider.script = script
    assert chat(ann, "price of AAPL").json()["response"] == WITHHELD
    provider.script = desk_script
    assert told[0] not in chat(ben, "price of AAPL").json()["response"]

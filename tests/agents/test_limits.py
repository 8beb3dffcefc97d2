"""What ends a turn, and what the person is told then."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import limits
from agents.models import ModelCall
from orders.models import Order, Status
from tests.agents.test_providers import chat
from tests.openai_server import OpenAIServer, agent_of, desk_script

pytestmark = pytest.mark.django_db(transaction=True)
LOOPS = {
    "supervisor": ("transfer_to_research", {"instructions": "PRICE AAPL"}),
    "research": ("get_quote", {"symbol": "AAPL"}),
    "portfolio": ("propose_order", {"symbol": "AAPL", "side": "buy", "quantity": "10"}),
    "database": ("list_orders", {}),
}


@pytest.mark.parametrize("agent", LOOPS)
def test_a_loop_ends_in_a_sentence_and_one_order_at_most(provider: OpenAIServer, ann: User, agent: str) -> None:
    words = {"portfolio": "BUY 10 AAPL", "research": "PRICE AAPL", "database": "ORDERS", "supervisor": "PRICE AAPL"}

    def script(request: dict[str, Any]) -> dict[str, Any]:
        return {"tool_calls": [LOOPS[agent]]} if agent_of(request) == agent else desk_script(request)

    provider.script = script
    body = chat(ann, words[agent]).json()
    assert "I stopped because I kept repeating the same step" in body["response"]
    assert Order.objects.filter(status=Status.PENDING_APPROVAL).count() <= (agent == "portfolio")
    assert body["requires_approval"] is (agent == "portfolio")


def test_a_model_that_always_wants_another_step_is_stopped(provider: OpenAIServer, ann: User) -> None:
    count = iter(range(1000))

    def script(request: dict[str, Any]) -> dict[str, Any]:
        if agent_of(request) == "research":
            return {"tool_calls": [("get_price_history", {"symbol": "AAPL", "days": next(count)})]}
        return desk_script(request)

    provider.script = script
    assert "I stopped after 10 steps" in chat(ann, "PRICE AAPL").json()["response"]
    assert ModelCall.objects.count() == limits.MAX_MODEL_CALLS


def test_a_model_that_calls_everything_at_once_is_stopped(provider: OpenAIServer, ann: User) -> None:
    def script(request: dict[str, Any]) -> dict[str, Any]:
        if agent_of(request) == "portfolio":
            calls = [("propose_order", {"symbol": "AAPL", "side": "buy", "quantity": n}) for n in range(1, 50)]
            return {"tool_calls": calls}
        return desk_script(request)

    provider.script = script
    body = chat(ann, "BUY 10 AAPL").json()
    assert "I stopped after 12 look-ups" in body["response"]
    assert len(body["orders"]) == limits.MAX_TOOL_CALLS - 1


def test_an_order_made_before_the_model_fails_is_told_of(provider: OpenAIServer, ann: User) -> None:
    provider.faults = ["", "", "401"]
    reply = chat(ann, "BUY 10 AAPL")
    assert reply.status_code == 200
    assert "does not answer (bad key" in reply.json()["response"]
    assert "buy 10 AAPL" in reply.json()["response"]
    assert reply.json()["requires_approval"] is True


def test_an_endless_answer_is_cut_and_endless_arguments_are_refused(provider: OpenAIServer, ann: User) -> None:
    provider.script = lambda request: {"content": "word " * 20_000}
    assert len(chat(ann, "hello").json()["response"]) < limits.MAX_ANSWER + 100

    def script(request: dict[str, Any]) -> dict[str, Any]:
        long = ("propose_order", {"symbol": "AAPL", "side": "buy", "quantity": "10", "rationale": "x" * 50_000})
        is_first = agent_of(request) == "portfolio" and request["messages"][-1]["role"] == "user"
        return {"tool_calls": [long]} if is_first else desk_script(request)

    provider.script = script
    assert "arguments_too_long" in chat(ann, "BUY 10 AAPL").json()["response"]
    assert not Order.objects.exists()

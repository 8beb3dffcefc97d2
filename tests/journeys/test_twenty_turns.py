"""One conversation of twenty turns over all that the desk can do, with the embedded model and with one behind HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.conftest import Product, launch
from tests.journeys.test_main_job import approve
from tests.openai_server import desk_script, openai_server


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with openai_server(desk_script) as server:
        yield from launch(
            tmp_path_factory.mktemp("twenty"),
            OPENAI_API_KEY="sk-scripted",
            OPENAI_BASE_URL=server.url,
            NEXTRADE_MODEL="scripted",
        )


def test_twenty_turns_with_the_embedded_model(product: Product) -> None:
    talk = Talk(product, "ben")
    assert "What would you like" in talk.say("hello")
    assert "AAPL" in talk.say("AAPL?")
    assert "MSFT" in talk.say("and Microsoft?")
    assert "NVIDIA" in talk.say("research Nvidia")
    assert {"KO", "PEP"} <= set(talk.say("compare Coca-Cola and Pepsi").replace("(", " ").replace(")", " ").split())
    assert "TSLA" in talk.say("how did Tesla do this month")
    assert "Cash" in talk.say("how much cash do I have")
    assert "no positions" in talk.say("what do I hold")
    assert "How many shares" in talk.say("buy Apple")
    assert "Proposed" in talk.say("buy 10 shares of Apple limit 9000") or talk.last["orders"]
    talk.say("buy 4 shares of Coca-Cola")
    first = talk.last["approval_details"]["order_id"]
    assert "Proposed: buy 3 KO" in talk.say("make it 3")
    assert product.order("ben", first)["status"] == "withdrawn"
    second = talk.last["approval_details"]["order_id"]
    assert "pending approval" in talk.say("my open orders")
    assert approve(product, "bob", second).status == 200
    product.wait_for("ben", second, "filled")
    assert "3 KO" in talk.say("what do I hold")
    assert "3 KO" in talk.say("my fills")
    assert "KO" in talk.say("how is my portfolio doing")
    talk.say("sell 1 Coca-Cola")
    third = talk.last["approval_details"]["order_id"]
    assert "Withdrawn" in talk.say("cancel that")
    assert product.order("ben", third)["status"] == "withdrawn"
    talk.say("thanks")
    assert "I can" in talk.say("what can you do")
    assert talk.turns == 20
    messages = product.call("GET", f"/api/v1/threads/{talk.thread_id}/", "ben").body["messages"]
    assert [message["role"] for message in messages].count("assistant") == 20


def test_twenty_turns_with_a_model_behind_http(scripted: Product) -> None:
    talk = Talk(scripted, "ann")
    for number in range(1, 6):
        assert "AAPL" in talk.say("PRICE AAPL")
        assert "order_id" in talk.say(f"BUY {number} KO")
        order = talk.last["approval_details"]
        assert (order["symbol"], order["quantity"]) == ("KO", str(number))
        assert "pending_approval" in talk.say("ORDERS")
        assert approve(scripted, "bea", order["order_id"]).status == 200
        scripted.wait_for("ann", order["order_id"], "filled")
        assert talk.say("that is all") == "Hello."
    assert talk.turns == 20
    usage = scripted.call("GET", "/api/v1/usage/", "ann").body
    assert usage["today"]["calls"] > 20
    assert usage["today"]["cost_usd"] in (None, "0.00000000")
    assert usage["today"]["unpriced_calls"] == usage["today"]["calls"]


class Talk:
    """One conversation of one person."""

    def __init__(self, product: Product, who: str) -> None:
        self._product, self._who = product, who
        self.turns = 0
        self.last: Any = {"thread_id": None}

    @property
    def thread_id(self) -> str:
        return str(self.last["thread_id"])

    def say(self, words: str) -> str:
        self.last = self._product.say(self._who, words, self.last["thread_id"])
        self.turns += 1
        return str(self.last["response"])

"""The same job with a language model behind an OpenAI-compatible server, through the real client."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.journeys.conftest import Product, launch
from tests.journeys.test_main_job import approve
from tests.openai_server import openai_server

TTL_S = 3


def script(request: dict[str, Any]) -> dict[str, Any]:
    """A model that buys what it is told to: BUY <quantity> <symbol>, several in a message; FAULT: an error; HACK:
    what it may not."""
    tools = {tool["function"]["name"] for tool in request.get("tools", ())}
    last = max(number for number, message in enumerate(request["messages"]) if message["role"] == "user")
    said = request["messages"][last]["content"]
    results = [message["content"] for message in request["messages"][last:] if message["role"] == "tool"]
    if "FAULT" in said:
        return {"status": 500}
    if results:
        return {"content": " / ".join(results)}
    if "HACK" in said and "transfer_to_portfolio" in tools:
        return {"tool_calls": [("approve_order", {"order_id": "1"}), ("transfer_to_portfolio", {"instructions": said})]}
    if "HACK" in said:
        theirs = {
            "symbol": "AAPL",
            "side": "buy",
            "quantity": 1,
            "user_id": "1",
            "status": "filled",
            "approved_by": "bob",
        }
        return {"tool_calls": [("propose_order", theirs), ("submit_order", {}), ("propose_order", {"symbol": 5})]}
    if "transfer_to_portfolio" in tools:
        return {"tool_calls": [("transfer_to_portfolio", {"instructions": said})]}
    words = said.split()
    wishes = [(words[number + 1], words[number + 2]) for number, word in enumerate(words) if word == "BUY"]
    return {
        "tool_calls": [
            ("propose_order", {"symbol": symbol, "side": "buy", "quantity": amount}) for amount, symbol in wishes
        ]
    }


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with openai_server(script) as server:
        yield from launch(
            tmp_path_factory.mktemp("openai"),
            OPENAI_API_KEY="sk-scripted",
            OPENAI_BASE_URL=server.url,
            NEXTRADE_MODEL="scripted",
            NEXTRADE_APPROVAL_TTL_S=str(TTL_S * 10),
        )


def test_a_model_s_proposal_is_approved_and_filled(desk: Product) -> None:
    answer = desk.say("ann", "BUY 10 AAPL and BUY 3 MSFT")
    assert answer["model"] == "scripted"
    first, second = answer["orders"]
    assert [(card["symbol"], card["quantity"]) for card in (first, second)] == [("AAPL", "10"), ("MSFT", "3")]
    assert approve(desk, "bob", first["order_id"]).status == 200
    desk.wait_for("ann", first["order_id"], "filled")
    assert desk.order("ann", second["order_id"])["status"] == "pending_approval"


def test_the_same_tool_call_id_in_the_next_turn_is_another_order(desk: Product) -> None:
    first = desk.say("ben", "BUY 1 KO")
    second = desk.say("ben", "BUY 2 KO", first["thread_id"])
    assert first["orders"][0]["order_id"] != second["orders"][0]["order_id"]
    assert second["orders"][0]["quantity"] == "2"


def test_a_hostile_model_proposes_at_the_most(desk: Product) -> None:
    answer = desk.say("ben", "HACK")
    (card,) = answer["orders"]
    assert card["status"] == "pending_approval"
    order = desk.order("ben", card["order_id"])
    assert (order["user"], order["approval"], order["executions"]) == ("ben", None, [])


def test_a_model_that_fails_is_said_so_and_the_thread_stays_usable(desk: Product) -> None:
    thread = desk.say("ann", "BUY 1 DIS")["thread_id"]
    failed = desk.call("POST", "/api/v1/chat/", "ann", {"message": "FAULT", "thread_id": thread})
    assert (failed.status, failed.body["code"]) == (503, "llm_unavailable")
    assert desk.say("ann", "BUY 1 NKE", thread)["orders"][0]["symbol"] == "NKE"


def test_an_order_nobody_decides_on_lapses_and_leaves_no_fill(desk: Product) -> None:
    answer = desk.say("ann", "BUY 1 IBM")
    order_id = answer["orders"][0]["order_id"]
    time.sleep(TTL_S * 10)
    late = approve(desk, "bob", order_id)
    assert (late.status, late.body["code"]) in ((409, "approval_expired"), (409, "illegal_transition"))
    order = desk.wait_for("ann", order_id, "lapsed", seconds=100)
    assert order["executions"] == []
    told = desk.wait_for_messages("ann", answer["thread_id"], 3)[-1]
    assert told["content"].startswith("Lapsed: buy 1 IBM")


def test_every_model_call_is_kept(desk: Product) -> None:
    columns = "'agent', 'model', 'input_tokens', 'outcome'"
    code = f"from agents.models import ModelCall as M; print(list(M.objects.values_list({columns})))"
    rows = desk.manage("shell", "--no-imports", "-c", code)
    assert "('portfolio', 'scripted', 1000, 'ok')" in rows
    assert "server_error" in rows, rows
    assert json.loads(desk.manage("demo_cast", "--json"))

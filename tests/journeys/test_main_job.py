"""From a sentence to a fill and its proof, over HTTP, with the product's own processes."""

import signal
from decimal import Decimal

import pytest

from tests.journeys.conftest import Product


def approve(product: Product, who: str, order_id: str, decision: str = "approve", reason: str = "fine"):  # type: ignore[no-untyped-def]
    version = product.order(who, order_id)["version"]
    body = {"decision": decision, "reason": reason, "version": version}
    return product.call("POST", f"/api/v1/approvals/{order_id}/", who, body)


def test_a_sentence_becomes_a_fill_after_a_second_person_s_yes(product: Product) -> None:
    answer = product.say("ann", "Buy 10 shares of Apple")
    card = answer["approval_details"]
    assert answer["requires_approval"] is True
    assert answer["approved"] is None
    assert answer["model"] == "offline-rules"
    assert (card["symbol"], card["side"], card["quantity"], card["order_type"]) == ("AAPL", "buy", "10", "market")
    assert answer["orders"] == [card]
    before = product.call("GET", "/api/v1/portfolio/", "ann").body
    assert before["positions"] == []

    mine = approve(product, "ann", card["order_id"])
    assert (mine.status, mine.body["code"]) == (403, "not_an_approver")
    assert product.order("ann", card["order_id"])["status"] == "pending_approval"
    assert [order["id"] for order in product.call("GET", "/api/v1/approvals/", "bob").body["results"]] == [
        card["order_id"]
    ]

    assert approve(product, "bob", card["order_id"]).status == 200
    order = product.wait_for("ann", card["order_id"], "filled")
    assert order["approval"]["checker"] == "bob"
    assert (order["cum_qty"], len(order["executions"])) == ("10", 1)
    after = product.call("GET", "/api/v1/portfolio/", "ann").body
    (position,) = after["positions"]
    assert (position["symbol"], position["quantity"], position["source"]) == ("AAPL", "10", "simulated")
    assert Decimal(after["cash"]) == Decimal(before["cash"]) - 10 * Decimal(order["avg_px"])

    messages = product.wait_for_messages("ann", answer["thread_id"], 4)
    assert [message["role"] for message in messages] == ["user", "assistant", "notice", "notice"]
    assert messages[-1]["content"].startswith("Filled: buy 10 AAPL at $")
    assert messages[-1]["content"].endswith("approved by bob.")

    events = product.call("GET", "/api/v1/compliance/events/?limit=100", "carol").body["results"]
    told = [
        (event["type"], event["action"], event["actor_pid"])
        for event in reversed(events)
        if event["thread_id"] == answer["thread_id"]
    ]
    actors = {action: actor for _, action, actor in told}
    assert [(kind, action) for kind, action, _ in told if action != "refused"] == [
        ("USER_ACTION", "chat_request"),
        ("VALIDATION", "input"),
        ("ORDER", "order_proposed"),
        ("VALIDATION", "output"),
        ("APPROVAL", "order_approved"),
        ("EXECUTION", "order_submitted"),
        ("EXECUTION", "order_filled"),
    ]
    assert actors["order_proposed"] == "agent:portfolio"
    assert actors["order_submitted"] == "system:executor"
    assert actors["order_filled"] == "broker:paper"
    assert actors["chat_request"] != actors["order_approved"]


def test_a_declined_order_leaves_no_fill(product: Product) -> None:
    order_id = product.say("ann", "please pick up 7 Microsoft")["approval_details"]["order_id"]
    assert approve(product, "bea", order_id, "decline", "").status == 400
    assert approve(product, "bea", order_id, "decline", "not this week").body["status"] == "declined"
    order = product.order("ann", order_id)
    assert (order["executions"], order["cum_qty"]) == ([], "0")
    again = approve(product, "bob", order_id)
    assert (again.status, again.body["code"]) == (409, "illegal_transition")


def test_two_orders_in_one_message_are_two_cards_and_declining_one_never_runs_the_other(product: Product) -> None:
    answer = product.say("ann", "Buy 3 shares of Nvidia and buy 4 Tesla limit 100")
    first, second = answer["orders"]
    assert [(card["symbol"], card["quantity"]) for card in (first, second)] == [("NVDA", "3"), ("TSLA", "4")]
    approve(product, "bob", first["order_id"], "decline", "no")
    assert product.order("ann", second["order_id"])["status"] == "pending_approval"
    approve(product, "bob", second["order_id"])
    product.wait_for("ann", second["order_id"], "new")
    assert product.order("ann", first["order_id"])["status"] == "declined"
    assert product.say("ann", "cancel that order", answer["thread_id"])["response"].startswith("I asked the broker")
    product.wait_for("ann", second["order_id"], "canceled")


@pytest.mark.parametrize(
    "message",
    [
        "buy 10 shares of Snapple",
        "buy 10 XQZW",
        "buy 0 shares of Apple",
        "buy -5 shares of Apple",
        "buy 1e308 shares of Apple",
        "sell 5000 shares of Intel",
        "buy 900 shares of Apple",
        "sell all my Oracle",
        "buy NaN shares of Apple",
        "buy 99999999999999999999999999 shares of Apple",
    ],
)
def test_an_order_that_cannot_be_gets_a_clear_answer_and_no_approval(product: Product, message: str) -> None:
    answer = product.say("ben", message)
    assert answer["requires_approval"] is False
    assert [card["status"] for card in answer["orders"]] in ([], ["denied"])
    assert len(answer["response"]) > 20


def test_nobody_sees_or_touches_another_person_s_things(product: Product) -> None:
    answer = product.say("ann", "buy 2 shares of Visa")
    order_id, thread = answer["approval_details"]["order_id"], answer["thread_id"]
    assert product.call("GET", f"/api/v1/orders/{order_id}/", "ben").status == 404
    assert product.call("POST", f"/api/v1/orders/{order_id}/cancel/", "ben").status == 404
    assert product.call("GET", f"/api/v1/threads/{thread}/", "ben").status == 404
    assert product.call("DELETE", f"/api/v1/threads/{thread}/", "ben").status == 404
    assert product.call("POST", "/api/v1/chat/", "ben", {"message": "hi", "thread_id": thread}).status == 404
    assert product.call("POST", "/api/v1/chat/", "ben", {"message": "hi", "user_id": "ann"}).status == 403
    assert all(order["user"] == "ben" for order in product.call("GET", "/api/v1/orders/", "ben").body["results"])
    assert product.call("POST", f"/api/v1/orders/{order_id}/cancel/", "ann").body["status"] == "withdrawn"


def test_killing_the_worker_between_approval_and_fill_fills_once(product: Product) -> None:
    product.stop("worker", signal.SIGKILL)
    order_id = product.say("ann", "buy 6 shares of Coca-Cola")["approval_details"]["order_id"]
    assert approve(product, "bob", order_id).body["status"] == "approved"
    product.start("worker")
    order = product.wait_for("ann", order_id, "filled")
    assert len(order["executions"]) == 1


def test_restarting_everything_loses_no_pending_approval(product: Product) -> None:
    order_id = product.say("ann", "buy 5 shares of Disney")["approval_details"]["order_id"]
    for name in ("web", "worker"):
        product.stop(name)
    for name in ("web", "worker"):
        product.start(name)
    product.wait_until_up()
    assert approve(product, "bob", order_id).status == 200
    product.wait_for("ann", order_id, "filled")

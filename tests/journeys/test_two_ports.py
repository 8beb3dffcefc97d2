"""Two installations of the web process on two ports share one database and nothing else that a person could notice."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.journeys.conftest import Product, free_port, launch
from tests.journeys.test_main_job import approve


@pytest.fixture
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Product, Product]]:
    settings = {"WEB_WORKERS": "1", "NEXTRADE_RATE_LIMIT": "20/min"}
    for first in launch(tmp_path_factory.mktemp("ports"), **settings):
        port = free_port()
        second = replace(first, port=port, env={**first.env, "PORT": str(port)}, processes={})
        second.start("web")
        try:
            second.wait_until_up()
            yield first, second
        finally:
            second.stop("web")


def test_asked_for_on_one_port_approved_on_the_other_gone_on_with_on_the_first(ports: tuple[Product, Product]) -> None:
    here, there = ports
    talk = here.say("ann", "buy 3 KO")
    (order,) = talk["orders"]
    assert approve(there, "bob", order["order_id"]).status == 200
    assert here.wait_for("ann", order["order_id"], "filled")["status"] == "filled"
    here.wait_for_messages("ann", talk["thread_id"], 3)
    assert here.say("ann", "what do I own?", talk["thread_id"])["thread_id"] == talk["thread_id"]
    assert there.call("GET", f"/api/v1/threads/{talk['thread_id']}/", "ann").body["messages"][-1]["role"] == "assistant"


def test_counters_and_rates_are_one_over_both(ports: tuple[Product, Product]) -> None:
    here, there = ports
    left = [
        each.call("POST", "/api/v1/chat/", "ben", {"message": "hello"}).headers["RateLimit-Remaining"]
        for each in (here, there, here, there)
    ]
    assert left == ["19", "18", "17", "16"]
    told = [counted(each.call("GET", "/metrics").body) for each in ports]
    assert told[0] == told[1]
    assert told[0]['nextrade_requests_total{endpoint="/chat",status="success"}'] >= 4


def counted(text: str) -> dict[str, float]:
    """What is counted of requests to the chat."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("nextrade_requests_total"))
    return {name: float(value) for name, value in lines if "chat" in name}

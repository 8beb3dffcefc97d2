"""On PostgreSQL a web process serves many chats by one connection, since nobody keeps it while a model answers."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.journeys.conftest import Product, Reply, launch
from tests.openai_server import OpenAIServer, desk_script, openai_server

pytestmark = pytest.mark.skipif(not os.environ.get("TEST_DATABASE_URL"), reason="a file has no pool")
MODEL_S = 3.0
CHATS = 8
WORDS = ("PRICE AAPL", "BUY 1 KO", "ORDERS", "hello")
IDLE_IN_TRANSACTION = (
    "SELECT query, now() - state_change FROM pg_stat_activity WHERE datname = %s AND state LIKE 'idle in transaction%%'"
    " AND now() - state_change > interval '1500 milliseconds'"
)


@pytest.fixture(scope="module")
def model() -> Iterator[OpenAIServer]:
    with openai_server(desk_script) as server:
        yield server


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, model: OpenAIServer) -> Iterator[Product]:
    yield from launch(
        tmp_path_factory.mktemp("pool"),
        OPENAI_API_KEY="sk-scripted",
        OPENAI_BASE_URL=model.url,
        NEXTRADE_MODEL="scripted",
        NEXTRADE_ANSWER_CACHE_S="0",
        NEXTRADE_DB_POOL_SIZE="1",
        WEB_WORKERS="1",
    )


@pytest.mark.parametrize("path", ["/api/v1/chat/", "/api/v1/chat/stream/"])
def test_one_connection_is_enough_for_chats_that_wait_for_their_model(
    product: Product, model: OpenAIServer, path: str
) -> None:
    product.say("ann", "hello")  # a proof for the breaker, which lets few through without
    model.latency_s = MODEL_S
    calls = len(model.calls)

    def say(number: int) -> Reply:
        return product.call("POST", path, ("ann", "ben")[number % 2], {"message": WORDS[number % len(WORDS)]})

    with ThreadPoolExecutor(CHATS) as crowd, psycopg.connect(product.env["DATABASE_URL"], autocommit=True) as watcher:
        name = watcher.info.dbname
        start = time.monotonic()
        answers = [crowd.submit(say, number) for number in range(CHATS)]
        while not all(answer.done() for answer in answers):
            assert watcher.execute(IDLE_IN_TRANSACTION, [name]).fetchall() == []
            time.sleep(0.05)
        took_s = time.monotonic() - start
    model.latency_s = 0
    replies = [answer.result() for answer in answers]
    assert [reply.status for reply in replies] == [200] * CHATS, replies
    if "stream" in path:
        assert all("event: done" in reply.body for reply in replies)
    one_after_the_other_s = MODEL_S * (len(model.calls) - calls)
    assert took_s < one_after_the_other_s / 2


def test_who_gets_no_connection_is_told_when_to_come_back(product: Product) -> None:
    with psycopg.connect(product.env["DATABASE_URL"]) as other, ThreadPoolExecutor(1) as one:
        other.execute("LOCK TABLE agents_thread")
        held = one.submit(product.say, "ann", "hello")
        time.sleep(1)
        refused = product.call("GET", "/api/v1/orders/", "ben")
        other.rollback()
        held.result(timeout=30)
    assert (refused.status, refused.body["code"], refused.headers["Retry-After"]) == (503, "database_busy", "5")
    assert product.call("GET", "/api/v1/orders/", "ben").status == 200

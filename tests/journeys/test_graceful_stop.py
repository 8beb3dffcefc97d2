"""SIGTERM while a chat waits for its model: the chat is finished, and only then is the process gone."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.conftest import Product, Reply, launch
from tests.openai_server import OpenAIServer, openai_server

SLOW_S = 5.0


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with openai_server(lambda request: {"content": "Slowly, but here."}) as server:
        yield server


@pytest.fixture
def product(tmp_path: Path, model: OpenAIServer) -> Iterator[Product]:
    yield from launch(tmp_path, OPENAI_API_KEY="key", OPENAI_BASE_URL=model.url, NEXTRADE_MODEL="gpt-4o-mini")


def test_sigterm_lets_a_chat_finish(product: Product, model: OpenAIServer) -> None:
    model.latency_s = SLOW_S
    answers: list[Any] = []
    chat = threading.Thread(
        target=lambda: answers.append(product.call("POST", "/api/v1/chat/", "ann", {"message": "Tell me something."}))
    )
    before = len(model.calls)
    chat.start()
    deadline = time.monotonic() + 20
    while len(model.calls) == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    web = product.processes.pop("web")
    web.send_signal(signal.SIGTERM)
    chat.join(timeout=40)
    web.wait(timeout=40)
    (reply,) = answers
    assert isinstance(reply, Reply)
    assert reply.status == 200, reply
    assert reply.body["response"]

"""A provider that fails, over HTTP on loopback: what the person gets, and what is called again."""

import logging
import re
import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents import line, llm
from agents.models import Breaker, ModelCall
from orders.models import Order
from tests.agents.test_chat import client
from tests.openai_server import OpenAIServer, deaf_server

pytestmark = pytest.mark.django_db(transaction=True)
FAST = ["429", "429_soon", "429_late", "500", "503", "drop", "cut_json", "wrong_schema", "empty", "huge", "401"]


def chat(user: User, message: str, **more: Any) -> Any:
    return client(user).post("/api/v1/chat/", {"message": message, **more}, content_type="application/json")


def test_a_real_client_gets_an_answer_and_proposes(provider: OpenAIServer, ann: User) -> None:
    body = chat(ann, "BUY 10 AAPL").json()
    assert [order["symbol"] for order in body["orders"]] == ["AAPL"]
    assert body["model"] == "main"
    row = ModelCall.objects.order_by("id")[0]
    assert (row.agent, row.outcome, row.input_tokens, row.output_tokens, row.cached_tokens) == (
        *("supervisor", "ok", 1000, 500, 200),
    )
    assert row.provider in provider.url


@pytest.mark.parametrize("agent", ["supervisor", "portfolio"])
@pytest.mark.parametrize("fault", FAST)
def test_each_fault_gives_a_sentence_and_no_order(provider: OpenAIServer, ann: User, fault: str, agent: str) -> None:
    provider.fault, provider.agents = fault, (agent,)
    reply = chat(ann, "BUY 10 AAPL")
    assert (reply.status_code, reply.json()["code"]) == (503, "llm_unavailable")
    assert "The language model does not answer" in reply.json()["message"]
    assert "sk-secret" not in reply.content.decode()
    assert not Order.objects.exists()


@pytest.mark.parametrize("fault", ["hang", "drip"])
def test_who_holds_the_line_is_left(provider: OpenAIServer, ann: User, settings: Any, fault: str) -> None:
    settings.LLM_TIMEOUT_S, settings.TURN_DEADLINE_S = 1, 10
    llm._client.cache_clear()
    provider.fault, provider.hang_s = fault, 12
    start = time.monotonic()
    assert chat(ann, "PRICE AAPL").json()["code"] == "llm_unavailable"
    assert time.monotonic() - start < settings.TURN_DEADLINE_S - 2, "the call's time ended it, not the turn's"
    assert ModelCall.objects.get().outcome == "timeout"
    llm._client.cache_clear()


def test_who_takes_no_connection_is_tried_again(
    provider: OpenAIServer, ann: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "CONNECT_S", 0.3)
    with deaf_server() as url:
        settings.OPENAI_BASE_URL = url
        assert chat(ann, "hi there").json()["code"] == "llm_unavailable"
    assert list(ModelCall.objects.values_list("outcome", flat=True)) == ["connect_timeout"] * 3


def test_a_short_fault_is_tried_again_and_said_so_in_the_log(
    provider: OpenAIServer, ann: User, caplog: pytest.LogCaptureFixture
) -> None:
    provider.faults = ["500", "503"]
    with caplog.at_level(logging.WARNING):
        assert chat(ann, "hello").json()["response"] == "Hello."
    assert re.search(r"Attempt 1/3 failed for \w+: .*\. Retrying in \d+\.\d\ds\.\.\.", caplog.text)
    assert "Attempt 2/3" in caplog.text
    assert [call.outcome for call in ModelCall.objects.order_by("id")] == ["server_error", "server_error", "ok"]


def test_what_retry_after_asks_is_waited(provider: OpenAIServer, ann: User) -> None:
    provider.faults = ["429_soon"]
    assert chat(ann, "hello").status_code == 200
    first, second = (at for at, _ in provider.calls)
    assert second - first >= 1


def test_a_wait_beyond_the_turn_is_not_waited(provider: OpenAIServer, ann: User) -> None:
    provider.faults = ["429_late"]
    assert chat(ann, "hello").status_code == 503
    assert len(provider.calls) == 1


@pytest.mark.parametrize("fault", ["400", "422"])
def test_a_message_that_is_not_accepted_is_the_person_s_and_opens_nothing(
    provider: OpenAIServer, ann: User, fault: str
) -> None:
    provider.fault = fault
    for _ in range(8):
        assert chat(ann, "hello").json()["code"] == "llm_rejected"
    assert len(provider.calls) == 8
    assert Breaker.objects.get().state == Breaker.State.CLOSED


def test_the_fallback_answers_and_is_named(provider: OpenAIServer, ann: User, settings: Any) -> None:
    settings.MODEL_FALLBACK = "offline-rules"
    provider.fault = "500"
    body = chat(ann, "buy 3 Apple").json()
    assert body["model"] == "offline-rules"
    assert [order["quantity"] for order in body["orders"]] == ["3"]
    assert Order.objects.get().model == "offline-rules"


def test_a_simple_question_goes_to_the_simple_model(provider: OpenAIServer, ann: User, settings: Any) -> None:
    settings.MODEL_SIMPLE = "small"
    assert chat(ann, "What is AAPL?").json()["model"] == "small"
    assert chat(ann, "buy 3 AAPL").json()["model"] == "main"
    assert [request["model"] for request in provider.requests] == ["small", "main"]


def test_azure_is_asked_by_deployment_and_version(provider: OpenAIServer, ann: User, settings: Any) -> None:
    settings.AZURE_API_VERSION = "2025-04-01"
    url = str(llm.chat_model("main").root_client.base_url)  # type: ignore[attr-defined]
    assert url.endswith("/openai/deployments/main/")


def test_a_budget_of_repeats_ends_a_flood(provider: OpenAIServer, ann: User) -> None:
    provider.fault = "500"
    for _ in range(20):
        Breaker.objects.all().delete()
        chat(ann, "hello")
    assert len(provider.calls) <= 20 * 1.2 + 2

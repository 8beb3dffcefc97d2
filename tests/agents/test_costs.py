"""What models cost, who pays, and what is remembered."""

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from agents import costs, graph, memory, services
from agents.middleware import MAX_HISTORY
from agents.models import Message, ModelCall, ModelPrice, Thread
from agents.turn import Call
from compliance.models import ComplianceEvent
from tests.agents.test_chat import client
from tests.agents.test_providers import chat
from tests.openai_server import OpenAIServer

pytestmark = pytest.mark.django_db(transaction=True)
DAY = datetime(2026, 11, 23, 15, tzinfo=UTC)


@pytest.fixture
def price(db: None) -> ModelPrice:
    return make_price("main", "2", "1", "8")


def make_price(model: str, fresh: str, cached: str, output: str, since: date = date(2026, 1, 1)) -> ModelPrice:
    costs._prices.cache_clear()
    return ModelPrice.objects.create(
        model=model,
        valid_from=since,
        input_usd=Decimal(fresh),
        cached_usd=Decimal(cached),
        output_usd=Decimal(output),
        source="a list",
        set_by="user:1",
    )


def call(**changes: Any) -> Call:
    wanted = {"agent": "a", "provider": "p", "model": "main", "latency_ms": 1, "outcome": "ok", "at": DAY}
    return Call(**{"input_tokens": 1000, "output_tokens": 500, "cached_tokens": 400, **wanted, **changes})


def test_a_call_costs_its_tokens_at_the_price_of_its_day(price: ModelPrice) -> None:
    make_price("main", "4", "2", "16", since=date(2026, 11, 24))
    assert costs.cost_usd(call(), costs.prices({"main"}, at=DAY)["main"]) == Decimal("0.0056")
    later = costs.prices({"main", "unheard-of"}, at=DAY + timedelta(days=1))
    assert costs.cost_usd(call(), later["main"]) == Decimal("0.0112")
    assert "unheard-of" not in later
    assert costs.cost_usd(call(), None) is None


def test_each_call_keeps_its_cost_and_an_unknown_model_s_is_unknown(provider: OpenAIServer, ann: User) -> None:
    chat(ann, "hello there")
    assert [row.cost_usd for row in ModelCall.objects.all()] == [None]
    make_price("main", "2", "1", "8")
    chat(ann, "hello again")
    newest = ModelCall.objects.latest("pk")
    assert newest.cost_usd == costs.cost_usd(
        call(
            input_tokens=newest.input_tokens,
            output_tokens=newest.output_tokens,
            cached_tokens=newest.cached_tokens,
        ),
        ModelPrice.objects.get(model="main"),
    )


def test_usage_tells_a_person_their_own_alone(provider: OpenAIServer, price: ModelPrice, ann: User, ben: User) -> None:
    chat(ann, "hello there")
    chat(ben, "hello there")
    body = client(ann).get("/api/v1/usage/").json()
    assert body["today"]["calls"] == 1
    assert Decimal(body["today"]["cost_usd"]) > 0
    assert [row["model"] for row in body["models"]] == ["main"]
    assert body["budgets"] == []
    assert Client().get("/api/v1/usage/").status_code == 401


def spend(user: User, usd: str) -> None:
    ModelCall.objects.create(
        user=user,
        thread_id=Thread.objects.create(owner=user, title="t", created_at=DAY, updated_at=DAY).pk,
        turn_id=Thread().pk,
        agent="supervisor",
        model="main",
        latency_ms=1,
        outcome="ok",
        cost_usd=Decimal(usd),
        at=timezone.now(),
    )


def test_a_budget_that_is_spent_stops_the_next_turn(
    provider: OpenAIServer, ann: User, ben: User, settings: Any
) -> None:
    settings.BUDGET_USER_USD, settings.BUDGET_FIRM_USD = "1", "2.5"
    spend(ann, "1")
    reply = chat(ann, "hello there")
    assert (reply.status_code, reply.json()["code"]) == (429, "budget_exceeded")
    assert 0 < int(reply["Retry-After"]) <= 86_400
    assert provider.requests == []
    assert chat(ben, "hello there").status_code == 200
    spend(ben, "1.6")
    ModelCall.objects.filter(user=ann).update(cost_usd=Decimal("0.9"))
    assert chat(ann, "hello there").json()["code"] == "budget_exceeded"
    left = client(ann).get("/api/v1/usage/").json()["budgets"]
    assert [(row["whose"], Decimal(row["left_usd"])) for row in left] == [("yours", Decimal("0.1")), ("the firm's", 0)]


def test_a_budget_four_fifths_spent_is_an_alert_once_a_day(provider: OpenAIServer, ann: User, settings: Any) -> None:
    settings.BUDGET_USER_USD = "1"
    spend(ann, "0.8")
    chat(ann, "hello there")
    chat(ann, "hello again")
    alerts = ComplianceEvent.objects.filter(action="alert_raised", details__alert="model_budget")
    assert [event.details["of"] for event in alerts] == [f"user:{ann.pk}"]


def test_a_public_question_is_paid_for_once_a_minute(provider: OpenAIServer, ann: User, ben: User) -> None:
    first = chat(ann, "PRICE AAPL").json()
    asked = len(provider.requests)
    again = chat(ben, "PRICE AAPL").json()
    assert again["cached"] is True
    assert again["citations"] == first["citations"] != []
    assert len(provider.requests) == asked
    assert again["response"] == first["response"]
    assert Message.objects.filter(thread_id=again["thread_id"]).count() == 2
    remembered = graph.desk().get_state({"configurable": {"thread_id": again["thread_id"]}}).values["messages"]
    assert [message.type for message in remembered] == ["human", "ai"]


def test_what_is_a_person_s_own_is_never_kept(provider: OpenAIServer, ann: User, ben: User) -> None:
    for words in ("How is my AAPL doing?", "ORDERS", "BUY 10 AAPL"):
        chat(ann, words)
        assert chat(ben, words).json()["cached"] is False


def test_prices_are_added_in_the_admin_and_never_changed(client: Client, olga: User, bob: User) -> None:
    client.force_login(olga)
    form = {
        "model": "big",
        "valid_from": "2026-12-01",
        "input_usd": "1",
        "cached_usd": "0.5",
        "output_usd": "4",
        "source": "the maker's list, 2026-11-25",
    }
    assert client.post("/admin/agents/modelprice/add/", form).status_code == 302
    row = ModelPrice.objects.get(model="big")
    assert row.set_by == f"user:{olga.pk}"
    assert ComplianceEvent.objects.get(action="price_set").details["output_usd"] == "4"
    assert client.post("/admin/agents/modelprice/add/", {**form, "source": "again"}).status_code == 200
    assert client.post(f"/admin/agents/modelprice/{row.pk}/change/", form).status_code == 403
    assert client.post(f"/admin/agents/modelprice/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    client.force_login(bob)
    assert client.get("/admin/agents/modelprice/").status_code == 403


def test_the_report_sums_by_person_agent_and_model(provider: OpenAIServer, ann: User) -> None:
    chat(ann, "hello there")
    out = StringIO()
    call_command("llm", "report", "--json", stdout=out)
    (row,) = json.loads(out.getvalue())
    assert (row["user__username"], row["agent"], row["model"], row["calls"]) == ("ann", "supervisor", "main", 1)


def say(ann: User, words: str, thread_id: Any = None) -> services.Answer:
    return services.process_chat_request(by=ann, message=words, thread_id=thread_id, at=timezone.now())


def test_nothing_of_a_tool_s_result_outlives_its_turn(ann: User) -> None:
    answer = say(ann, "AAPL?")
    remembered = graph.desk().get_state({"configurable": {"thread_id": str(answer.thread_id)}}).values["messages"]
    assert [message.type for message in remembered] == ["human", "ai"]
    assert not any(getattr(message, "tool_calls", None) for message in remembered)
    config: Any = {"configurable": {"thread_id": str(answer.thread_id)}}
    kept = list(memory.checkpointer().list(config))
    assert {checkpoint.config["configurable"]["checkpoint_ns"] for checkpoint in kept} == {""}


def test_a_long_talk_stays_short_for_the_model_and_keeps_what_was_named(ann: User) -> None:
    answer = say(ann, "AAPL?")
    for _ in range(MAX_HISTORY):
        say(ann, "thanks", answer.thread_id)
    remembered = graph.desk().get_state({"configurable": {"thread_id": str(answer.thread_id)}}).values["messages"]
    assert len(remembered) <= MAX_HISTORY
    thread = Thread.objects.get()
    assert thread.topics == ["AAPL"]
    assert "AAPL" in services._facts(thread)


def test_old_checkpoints_are_pruned_and_the_talk_goes_on(ann: User) -> None:
    answer = say(ann, "AAPL?")
    say(ann, "MSFT?", answer.thread_id)
    assert memory.prune() > 0
    assert memory.prune() == 0
    remembered = graph.desk().get_state({"configurable": {"thread_id": str(answer.thread_id)}}).values["messages"]
    assert len(remembered) == 4
    assert "at $" in say(ann, "how did it do this month", answer.thread_id).response
    services.delete_thread(answer.thread_id, by=ann, at=timezone.now())
    assert not graph.desk().get_state({"configurable": {"thread_id": str(answer.thread_id)}}).values

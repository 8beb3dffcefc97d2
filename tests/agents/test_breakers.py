"""The circuit breaker as its row tells, on a clock of the test's own, and how people see and reset it."""

import json
import logging
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from agents import breakers
from agents.models import Breaker
from compliance.models import ComplianceEvent
from tests.agents.test_providers import chat
from tests.conftest import NOON
from tests.openai_server import OpenAIServer

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "api.example/gpt"
LATER = NOON + breakers.RECOVERY


def break_it(times: int = breakers.THRESHOLD) -> None:
    for _ in range(times):
        row = breakers.admit(NAME, at=NOON)
        assert row
        breakers.failed(row, "connection refused", at=NOON)


def test_it_opens_once_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    rows = [breakers.admit(NAME, at=NOON) for _ in range(breakers.THRESHOLD)]
    for row in rows:
        assert row
        breakers.failed(row, "connection refused", at=NOON)
    assert breakers.admit(NAME, at=NOON + timedelta(seconds=29)) is None
    assert breakers.is_shut(NAME)
    assert caplog.text.count("Circuit breaker 'api.example/gpt' OPENED after 5 failures") == 1
    alert = ComplianceEvent.objects.get(action="alert_raised")
    assert (alert.details["alert"], alert.details["breaker"]) == ("circuit_breaker_opened", NAME)


def test_without_a_proof_only_so_many_are_let_through_at_once() -> None:
    assert sum(breakers.admit(NAME, at=NOON) is not None for _ in range(50)) == breakers.THRESHOLD
    assert not breakers.is_shut(NAME)


def test_with_a_proof_all_are() -> None:
    row = breakers.admit(NAME, at=NOON)
    assert row
    breakers.succeeded(row, at=NOON)
    assert all(breakers.admit(NAME, at=NOON) for _ in range(50))


def test_calls_that_died_with_their_process_are_forgotten() -> None:
    for _ in range(breakers.THRESHOLD):
        breakers.admit(NAME, at=NOON)
    assert breakers.admit(NAME, at=NOON + breakers.LEASE)


def test_half_open_lets_one_probe_through_and_its_answer_closes(caplog: pytest.LogCaptureFixture) -> None:
    break_it()
    probes = [row for row in (breakers.admit(NAME, at=LATER) for _ in range(50)) if row]
    assert len(probes) == 1
    with caplog.at_level(logging.INFO):
        breakers.succeeded(probes[0], at=LATER)
    assert "Circuit breaker 'api.example/gpt' recovered. Closing circuit." in caplog.text
    assert breakers.admit(NAME, at=LATER)


def test_a_probe_that_fails_waits_again_and_one_that_dies_is_followed() -> None:
    break_it()
    probe = breakers.admit(NAME, at=LATER)
    assert probe
    breakers.failed(probe, "timeout", at=LATER)
    assert breakers.admit(NAME, at=LATER + timedelta(seconds=29)) is None
    assert breakers.admit(NAME, at=LATER + breakers.RECOVERY)
    assert breakers.admit(NAME, at=LATER + breakers.RECOVERY + breakers.LEASE)


def test_a_late_answer_of_before_closes_nothing() -> None:
    late = breakers.admit(NAME, at=NOON)
    assert late
    break_it(breakers.THRESHOLD - 1)
    breakers.failed(late, "timeout", at=NOON)
    breakers.succeeded(late, at=NOON)
    assert Breaker.objects.get().state == Breaker.State.OPEN


def test_the_commands_list_and_reset() -> None:
    break_it()
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("breakers", "list", "--json", stdout=out)
    assert [(row["name"], row["state"]) for row in json.loads(out.getvalue())] == [(NAME, "open")]
    call_command("breakers", "reset", NAME, stdout=out)
    call_command("breakers", "list", stdout=out)
    assert ComplianceEvent.objects.get(action="breaker_reset").details == {"breaker": NAME}
    with pytest.raises(CommandError):
        call_command("breakers", "reset", "nobody")


def test_operations_see_and_reset_it_in_the_admin_and_others_do_not(client: Client, olga: User, carol: User) -> None:
    break_it()
    url = "/admin/agents/breaker/"
    client.force_login(carol)
    assert client.get(url).status_code == 403
    client.force_login(olga)
    assert b"connection refused" in client.get(url).content
    client.post(url, {"action": "reset_selected", "_selected_action": NAME})
    assert Breaker.objects.get().state == Breaker.State.CLOSED
    assert ComplianceEvent.objects.get(action="breaker_reset").actor_pid == f"user:{olga.pk}"


def test_metrics_show_its_state_and_the_calls(client: Client, provider: OpenAIServer, ann: User) -> None:
    provider.fault = "503"
    for _ in range(3):
        chat(ann, "hello")
    text = client.get("/metrics").content.decode()
    name = Breaker.objects.get().name
    assert f'nextrade_circuit_breaker_state{{name="{name}"}} 2.0' in text
    assert f'nextrade_circuit_breaker_trips_total{{name="{name}"}} 1.0' in text
    assert 'nextrade_retries_total{operation="chat_completion"}' in text
    assert 'outcome="server_error"' in text
    assert client.get("/health").json()["components"]["circuit_breaker"] is False


def test_llm_ping_tells_model_and_latency(provider: OpenAIServer) -> None:
    out = StringIO()
    call_command("llm", "ping", stdout=out)
    assert re.fullmatch(r"main answers \(\d+ ms\)\n", out.getvalue())


@pytest.mark.parametrize(("fault", "words"), [("401", "bad key"), ("503", "answered 503")])
def test_llm_ping_tells_the_class_of_the_error(provider: OpenAIServer, fault: str, words: str) -> None:
    provider.fault = fault
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("llm", "ping", stdout=out)
    assert ended.value.code == 1
    assert words in out.getvalue()


def test_llm_ping_at_a_closed_port_says_so(settings: Any) -> None:
    settings.MODEL, settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "m", "k", "http://127.0.0.1:9/v1"
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("llm", "ping", stdout=out)
    assert "connection refused" in out.getvalue()

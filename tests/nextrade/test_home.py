"""The admin's first page: what waits, what is wrong and what happened, for each role its own."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django_q.models import Task

from agents.models import Breaker
from compliance import audit, verify
from nextrade.ops.models import Alert, Heartbeat
from orders import safeguards, services
from orders.models import Break, Order
from tests.conftest import Propose, person

HOSTILE = '<script>alert(1)</script><b x-data="alert(2)">'


@pytest.fixture
def otto(db: None) -> User:
    """Operations, and no superuser."""
    return person("otto", "Operations", is_staff=True)


def home(client: Client, user: User) -> Any:
    client.force_login(user)
    return client.get("/admin/").context


def titles(context: Any, part: str) -> list[str]:
    return [card.title for card in context[part]]


def lines(context: Any, title: str) -> list[Any]:
    cards = [*context["waits"], *context["wrong"], *([context["mine"]] if context["mine"] else [])]
    return next(card.lines for card in cards if card.title == title)


def test_an_approver_sees_what_waits_for_how_long_and_what_they_decided(
    client: Client, propose: Propose, bob: User
) -> None:
    now = timezone.now().replace(hour=12)  # all of it on one day, whenever this runs
    done = propose(at=now - timedelta(minutes=20))
    propose(symbol="MSFT", at=now - timedelta(minutes=25))
    services.decline(done.pk, by=bob, version=done.version, reason="no", at=now)

    with time_machine.travel(now):
        shown = home(client, bob)

    (waiting,) = lines(shown, "Orders that wait for a decision")
    assert "MSFT" in waiting.text
    assert "waiting 25 min" in waiting.note
    assert waiting.badge == "expiring"
    (decided,) = lines(shown, "Your decisions of the last seven days")
    assert decided.text == "Declined: buy 10 AAPL"
    assert titles(shown, "wrong") == []
    assert {figure.label: figure.value for figure in shown["figures"]}["Orders proposed"] == "2"


def test_what_an_approver_approved_is_among_their_decisions(client: Client, propose: Propose, bob: User) -> None:
    order = propose(at=timezone.now())
    services.approve(order.pk, by=bob, version=order.version, at=timezone.now())

    assert lines(home(client, bob), "Your decisions of the last seven days")[0].text == "Approved: buy 10 AAPL"


def test_compliance_sees_reviews_violations_and_whether_the_trail_is_whole(client: Client, carol: User) -> None:
    shown = home(client, carol)
    assert [line.text for line in lines(shown, "The audit trail")][-1] == "All of it has never been verified"

    report = verify.verify(processes=1)
    verify.note(report, is_full=True, at=timezone.now())
    shown = home(client, carol)

    assert "never" not in "".join(line.text for line in lines(shown, "The audit trail"))
    assert titles(shown, "waits") == [
        "Orders that wait for an approver",
        "Limits that wait for a second person",
        "Reviews that wait for a sign-off",
    ]
    assert "Safety violations of the last 24 hours" in titles(shown, "wrong")
    assert "Processes" not in titles(shown, "wrong")


def test_operations_see_what_is_down_and_what_failed(client: Client, otto: User) -> None:
    now = timezone.now()
    Heartbeat.objects.update_or_create(name="scheduler", defaults={"at": now})
    Breaker.objects.create(name="openai/gpt", state=Breaker.State.OPEN, last_error=HOSTILE[:200])
    Alert.objects.create(
        uid="1", rule="BackupTooOld", priority="P2", text=HOSTILE, value=1, state="firing", fired_at=now, changed_at=now
    )
    Break.objects.create(kind="position", subject="AAPL", ours="10", theirs="9", found_at=now)
    safeguards.halt(symbol="AAPL", reason="news pending", by="user:1", at=now)
    Task.objects.create(id="a" * 32, name="x", func="orders.tasks.execute", started=now, stopped=now, success=False)

    shown = home(client, otto)

    assert [line.text for line in lines(shown, "Processes")] == [
        "The sealer has made no round in two minutes",
        "Circuit breaker of openai/gpt",
    ]
    assert [(line.text, line.badge) for line in lines(shown, "Alerts")] == [("BackupTooOld", "P2")]
    assert lines(shown, "Our books and the broker’s")[0].note.startswith("ours 10, theirs 9")
    assert lines(shown, "Trading")[0].text == "AAPL: halted"
    assert lines(shown, "Background tasks")[0].text == "orders.tasks.execute"
    assert "The audit trail" not in titles(shown, "wrong")
    assert HOSTILE not in client.get("/admin/").content.decode()


def test_where_there_is_nothing_the_page_says_so_in_words(client: Client, bob: User, otto: User) -> None:
    shown = home(client, bob)
    page = client.get("/admin/").content.decode()
    assert "Nothing waits for you" in page
    assert "No order waits." in page
    assert "You have decided on nothing in seven days." in page
    assert shown["waiting_count"] == 0

    client.force_login(otto)
    page = client.get("/admin/").content.decode()
    assert "Nothing is halted or reduced." in page
    assert "They agree." in page


def test_staff_without_a_part_are_told_who_gives_one(client: Client, db: None) -> None:
    clerk = User.objects.create_user("clerk", "clerk@nextrade.example", "secret", is_staff=True)

    shown = home(client, clerk)

    assert (shown["waits"], shown["wrong"], shown["figures"], shown["mine"]) == ([], [], [], None)
    assert "Nobody has given you a part" in client.get("/admin/").content.decode()


@pytest.mark.parametrize(("who", "most"), [("bob", 12), ("carol", 30), ("otto", 24), ("olga", 34)])
def test_the_page_takes_as_many_queries_for_thirty_orders_as_for_none(
    client: Client,
    propose: Propose,
    request: pytest.FixtureRequest,
    django_assert_max_num_queries: Any,
    who: str,
    most: int,
) -> None:
    user = request.getfixturevalue(who)
    home(client, user)
    with django_assert_max_num_queries(most) as before:
        client.get("/admin/")
    for number in range(30):
        propose(symbol="F", quantity=str(number + 1), at=timezone.now())
    assert Order.objects.count() == 30
    with django_assert_max_num_queries(len(before) + 3):  # a count, and names of people
        client.get("/admin/")


def test_an_erased_or_lost_person_does_not_break_the_page(client: Client, carol: User) -> None:
    with transaction.atomic():
        audit.record(
            audit.Action.INPUT_VALIDATION_FAILED, actor="user:999999", at=timezone.now(), details={"errors": [HOSTILE]}
        )

    shown = home(client, carol)

    assert "user:999999" in lines(shown, "Safety violations of the last 24 hours")[0].note

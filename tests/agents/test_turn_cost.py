"""What a turn costs the database: statements and commits, counted so that neither grows unseen."""

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission, User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from agents import costs, graph, memory
from agents.models import ModelPrice, Thread
from nextrade import counting, sqlite
from orders.models import Order
from tests.agents.test_chat import client
from tests.agents.test_costs import DAY, make_price

pytestmark = pytest.mark.django_db(transaction=True)
KEPT = ("compliance_complianceevent", "agents_message", "agents_modelcall")


def test_a_turn_is_ten_statements_and_waits_for_two_commits(ann: User) -> None:
    web = client(ann)
    web.post("/api/v1/chat/", {"message": "hi"}, content_type="application/json")
    with CaptureQueriesContext(connection) as asked:
        web.post("/api/v1/chat/", {"message": "hi"}, content_type="application/json")
    statements = [query["sql"] for query in asked]
    of_the_line = [sql for sql in statements if sql.startswith(("BEGIN", "COMMIT", "PRAGMA", "SET "))]
    rates = 0 if settings.REDIS_URL else 1
    assert len(statements) - len(of_the_line) == 9 + rates, statements
    of_a_rate = rates if settings.SQLITE else 0  # which waits for no disk
    assert of_the_line.count("COMMIT") - of_a_rate == 2
    for table in KEPT:
        assert any(f'INSERT INTO "{table}"' in sql for sql in statements)


def test_a_conversation_is_remembered_by_one_row_a_turn(ann: User) -> None:
    thread_id = None
    for words in ("AAPL?", "and MSFT?", "thanks"):
        body = {"message": words, "thread_id": thread_id}
        thread_id = client(ann).post("/api/v1/chat/", body, content_type="application/json").json()["thread_id"]
    config: Any = {"configurable": {"thread_id": thread_id}}
    kept = list(memory.checkpointer().list(config))
    assert len(kept) == 3
    assert not any(checkpoint.pending_writes for checkpoint in kept)
    spoken = graph.desk().get_state(config).values["messages"]
    assert [message.type for message in spoken] == ["human", "ai"] * 3
    assert Thread.objects.get().topics == ["AAPL", "MSFT"]


def test_an_order_is_in_the_answer_of_its_turn_alone(ann: User) -> None:
    web = client(ann)
    bought = web.post("/api/v1/chat/", {"message": "buy 1 AAPL"}, content_type="application/json").json()
    more = {"message": "hi", "thread_id": bought["thread_id"]}
    assert [order["order_id"] for order in bought["orders"]] == [str(Order.objects.get().pk)]
    assert web.post("/api/v1/chat/", more, content_type="application/json").json()["orders"] == []


def test_a_price_set_here_holds_for_the_next_call(ann: User) -> None:
    make_price("main", "1", "1", "1")
    assert costs.prices({"main"}, at=DAY)["main"].input_usd == 1
    price = ModelPrice(model="main", valid_from=DAY.date(), input_usd=2, cached_usd=2, output_usd=2, source="a list")
    costs.set_price(price, by=ann, at=DAY)
    assert costs.prices({"main"}, at=DAY)["main"].input_usd == 2


def test_rights_are_django_s_own(ann: User, bob: User, olga: User) -> None:
    ann.user_permissions.add(Permission.objects.get(codename="view_logentry"))
    for user in (ann, bob, olga):
        fresh = User.objects.get(pk=user.pk)
        expected = {*fresh.get_user_permissions(), *fresh.get_group_permissions()}
        assert expected
        assert fresh.get_all_permissions() == expected
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert User.objects.get(pk=bob.pk).get_all_permissions() == set()
    assert "admin.view_logentry" in User.objects.get(pk=ann.pk).get_all_permissions()


@pytest.mark.skipif(not settings.SQLITE, reason="the pragma is SQLite's")
def test_only_a_rate_is_counted_without_waiting_for_the_disk() -> None:
    def level() -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute("PRAGMA synchronous").fetchone()[0])

    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=FULL")
    with sqlite.unsynced():
        assert level() == sqlite.NORMAL
    assert level() == 2
    assert [counting.count_briefly("a", 60)[0] for _ in range(3)] == [1, 2, 3]
    assert level() == 2
    with transaction.atomic(), sqlite.unsynced():
        assert level() == 2

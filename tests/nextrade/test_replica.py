"""What only tells of the past is read from the replica; what is decided, never."""

import copy
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, connections, transaction
from django.db.utils import InternalError, OperationalError
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from knox.models import get_token_model

from nextrade import replica
from nextrade.ops.models import Heartbeat
from orders.models import Order, Status
from tests.conftest import Propose

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.owner]
JSON = "application/json"


@pytest.fixture
def second(db: None, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Any]:
    """Another connection to the same data, which may write nothing."""
    one = copy.deepcopy(connection.settings_dict)
    one["OPTIONS"].pop("factory", None)
    if connection.vendor == "sqlite":
        one |= {"NAME": f"file:{one['NAME']}?mode=ro", "OPTIONS": {"uri": True}}
    else:
        one["OPTIONS"]["options"] = "-c default_transaction_read_only=on"
    monkeypatch.setitem(connections.settings, replica.ALIAS, one)
    assert replica.ALIAS in settings.DATABASES
    second = connections[replica.ALIAS]
    monkeypatch.setattr(second, "ensure_connection", lambda: second.connection or _connect(second))
    settings.DATABASE_ROUTERS = ["nextrade.replica.Router"]
    monkeypatch.setattr(replica, "_away_until", 0.0)
    Heartbeat.objects.update_or_create(name="sealer", defaults={"at": timezone.now()})
    with pytest.raises((OperationalError, InternalError)):
        Heartbeat.objects.using(replica.ALIAS).update(at=timezone.now())
    yield second
    second.close()
    del connections[replica.ALIAS]


def _connect(second: Any) -> None:
    """Past Django's guard of tests, which knows the databases that there were when it was set up."""
    with second.wrap_database_errors:
        second.connect()


def about(captured: Any) -> list[str]:
    """The statements that are about our own tables."""
    words = ("orders_", "compliance_", "agents_")
    return [each["sql"] for each in captured if any(word in each["sql"] for word in words)]


def test_reports_and_long_lists_are_read_from_the_replica(second: Any, ann: User, carol: User, approved: Order) -> None:
    for person, names in ((ann, ["executions", "report"]), (carol, ["admin:compliance_complianceevent_changelist"])):
        web = Client()
        web.force_login(person)
        web.get(reverse(names[0]))  # notes that its data were looked at, once
        for name in names:
            with CaptureQueriesContext(second) as there, CaptureQueriesContext(connection) as here:
                assert web.get(reverse(name)).status_code == 200
            assert about(there.captured_queries), name
            assert about(here.captured_queries) == [], name
            assert [each for each in here.captured_queries if "django_session" in each["sql"]]


def test_what_is_decided_asks_the_primary_alone(second: Any, ann: User, bob: User, propose: Propose) -> None:
    maker, checker = (
        Client(headers={"Authorization": f"Bearer {get_token_model().objects.create(user=user)[1]}"})
        for user in (ann, bob)
    )
    with CaptureQueriesContext(second) as there:
        assert maker.post("/api/v1/chat/", {"message": "buy 1 Nike"}, content_type=JSON).status_code == 200
        order = Order.objects.get()
        assert maker.get(f"/api/v1/orders/{order.pk}/").status_code == 200
        assert maker.get("/api/v1/portfolio/").status_code == 200
        assert [row["id"] for row in checker.get("/api/v1/approvals/").json()["results"]] == [str(order.pk)]
        wanted = {"decision": "approve", "reason": "x", "version": order.version}
        assert checker.post(f"/api/v1/approvals/{order.pk}/", wanted, content_type=JSON).status_code == 200
        with replica.tolerated() as is_near, transaction.atomic():
            assert is_near
            assert Order.objects.select_for_update().get().status == Status.APPROVED
    assert there.captured_queries[1:] == []  # but for how far behind it is, for the block above


def test_a_replica_that_is_away_or_far_behind_is_not_asked(
    second: Any, ann: User, monkeypatch: pytest.MonkeyPatch, approved: Order
) -> None:
    web = Client()
    web.force_login(ann)
    Heartbeat.objects.update(at=timezone.now() - 2 * replica.MOST_LAG)
    assert "behind" in replica.problem()
    with CaptureQueriesContext(connection) as here:
        assert web.get(reverse("executions")).status_code == 200
    assert about(here.captured_queries)
    Heartbeat.objects.update(at=timezone.now() - timedelta(seconds=5))
    assert replica.problem() == ""
    second.close()
    gone = {"NAME": "/nowhere/at/all"} if settings.SQLITE else {"HOST": "127.0.0.1", "PORT": "9"}
    for name, value in gone.items():
        monkeypatch.setitem(second.settings_dict, name, value)
    with CaptureQueriesContext(connection) as here:
        assert web.get(reverse("executions")).status_code == 200
    assert about(here.captured_queries)
    assert replica.problem() == "it did not answer a moment ago"

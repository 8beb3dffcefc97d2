"""The approval console's live parts: the queue that keeps itself up to date, prices, filters, keys, mail."""

import html
import re
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from compliance.models import ComplianceEvent
from nextrade import sessions
from orders import notices, services
from orders.models import Conflict, Order, Status
from tests.conftest import Propose, person

QUEUE = "/admin/orders/order/"
LIVE = f"{QUEUE}live/"


@pytest.fixture
def now() -> datetime:
    return timezone.now()


@pytest.fixture
def approver(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def listed(client: Client, **query: str) -> list[uuid.UUID]:
    return [row.pk for row in client.get(QUEUE, query).context["cl"].result_list]


def of_order(order: Order, name: str) -> str:
    return reverse(f"admin:orders_order_{name}", args=[order.pk])


def test_the_mark_changes_when_an_order_comes_or_goes(
    approver: Client, propose: Propose, bob: User, now: datetime
) -> None:
    first = approver.get(LIVE).json()
    order = propose(at=now)
    second = approver.get(LIVE).json()
    services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)
    third = approver.get(LIVE).json()

    assert [first["waiting"], second["waiting"], third["waiting"]] == [0, 1, 0]
    assert first["mark"] == third["mark"] != second["mark"]


def test_an_open_review_page_learns_that_its_order_lapsed_before_the_job_says_so(
    approver: Client, propose: Propose, now: datetime
) -> None:
    fresh, late = propose(at=now), propose(symbol="MSFT", at=now - timedelta(minutes=31))

    page = approver.get(of_order(fresh, "review")).content.decode()
    assert f'data-mark="{approver.get(of_order(fresh, "live_one")).json()["mark"]}"' in page
    assert approver.get(of_order(late, "live_one")).json()["mark"] == "pending_approval:1:True"


@pytest.mark.parametrize("name", ["live_one", "prices"])
def test_what_pages_ask_for_is_for_who_may_view_orders(client: Client, propose: Propose, ann: User, name: str) -> None:
    order = propose()
    client.force_login(person("tom", "Traders", is_staff=True))
    assert client.get(of_order(order, name)).status_code == 403
    assert client.get(LIVE).status_code == 403
    client.force_login(ann)
    assert client.get(of_order(order, name)).status_code == 302
    assert client.get(reverse(f"admin:orders_order_{name}", args=[uuid.UUID(int=1)])).status_code == 302


def test_asking_leaves_no_event_and_keeps_no_session_awake(approver: Client, propose: Propose, settings: Any) -> None:
    order = propose()
    approver.get(QUEUE)
    session = approver.session
    session[sessions.SEEN_AT] = timezone.now().timestamp() - 120
    session.save()
    before = ComplianceEvent.objects.count()

    for url in (LIVE, of_order(order, "live_one")):
        assert approver.get(url, headers={"X-Poll": "1"}).status_code == 200
    assert approver.session[sessions.SEEN_AT] == session[sessions.SEEN_AT]
    assert ComplianceEvent.objects.count() == before
    approver.get(QUEUE)
    assert approver.session[sessions.SEEN_AT] > session[sessions.SEEN_AT]


def test_a_session_ends_under_a_page_that_keeps_asking(approver: Client, settings: Any) -> None:
    settings.SESSION_IDLE_S = 600
    approver.get(QUEUE)
    session = approver.session
    session[sessions.SEEN_AT] = timezone.now().timestamp() - 601
    session.save()

    assert approver.get(LIVE, headers={"X-Poll": "1"}).status_code == 302


def test_prices_before_and_since_come_with_what_they_were_asked_for(
    approver: Client, propose: Propose, bob: User, now: datetime
) -> None:
    order = propose(order_type="limit", limit_price="231.5", at=now - timedelta(minutes=20))

    told = approver.get(of_order(order, "prices")).json()

    assert (told["source"], told["symbol"], told["limit"], told["stop"]) == ("simulated", "AAPL", 231.5, None)
    assert len(told["closes"]) == 20
    assert len(told["since"]) > 10
    assert [what for _, _, what in told["marks"]] == ["proposed", "now"]
    assert told["marks"][0][1] == float(order.quote_usd or 0)
    services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)
    assert [what for _, _, what in approver.get(of_order(order, "prices")).json()["marks"]] == ["proposed"]
    assert approver.get(of_order(order, "prices")).json()["since"] == []


def test_a_provider_that_knows_no_past_leaves_the_picture_out(
    approver: Client, propose: Propose, monkeypatch: pytest.MonkeyPatch, now: datetime
) -> None:
    order = propose(at=now - timedelta(minutes=20))
    Order.objects.filter(pk=order.pk).update(symbol="ZZZZ")

    told = approver.get(of_order(order, "prices")).json()

    assert (told["closes"], told["since"]) == ([], [])


def test_the_filters_tell_what_is_mine_and_what_is_nearly_over(
    approver: Client, propose: Propose, bob: User, bea: User, now: datetime
) -> None:
    services.open_account(bob, cash_usd=services.Decimal(50_000), by="system:test", at=now)
    old = propose(at=now - timedelta(minutes=25))
    own = propose(owner=bob, symbol="MSFT", at=now)
    new = propose(symbol="KO", at=now)

    assert set(listed(approver, mine="decide")) == {old.pk, new.pk}
    assert listed(approver, mine="own") == [own.pk]
    assert listed(approver, soon="yes") == [old.pk]


def test_what_waits_longest_comes_first_and_the_newest_of_the_rest_after(
    approver: Client, propose: Propose, bob: User, now: datetime
) -> None:
    orders = [
        propose(symbol="F", quantity=str(number), at=now - timedelta(minutes=10 - number)) for number in range(1, 6)
    ]
    for order in orders[:2]:
        services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)

    shown = listed(approver)

    assert shown == [order.pk for order in (orders[2], orders[3], orders[4], orders[1], orders[0])]


def test_pages_of_the_queue_leave_out_none_and_show_none_twice(
    approver: Client, propose: Propose, bob: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.admin.queue import OrderAdmin

    monkeypatch.setattr(OrderAdmin, "list_per_page", 3)
    orders = [propose(symbol="F", quantity=str(number + 1), at=now) for number in range(10)]
    for order in orders[:5]:
        services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)

    shown = [pk for page in "1234" for pk in listed(approver, p=page)]

    assert len(shown) == len(set(shown)) == 10
    statuses = dict(Order.objects.values_list("pk", "status"))
    assert [statuses[pk] for pk in shown[:5]] == [Status.PENDING_APPROVAL] * 5


def test_leafing_by_the_links_there_and_back_shows_what_the_page_numbers_show(
    approver: Client, propose: Propose, bob: User, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.admin.queue import OrderAdmin

    monkeypatch.setattr(OrderAdmin, "list_per_page", 2)
    orders = [propose(symbol="F", quantity=str(number + 1), at=now) for number in range(11)]
    for order in orders[:7]:
        services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)
    by_number = [listed(approver, p=str(page + 1)) for page in range(6)]

    there, (queue, found) = [], (QUEUE, approver.get(QUEUE))
    while older := re.search(r'rel="next" href="([^"]+)"', found.content.decode()):
        there.append(queue)
        queue = QUEUE + html.unescape(older[1])
        found = approver.get(queue)
    pages = [*there, queue]

    assert [_rows(approver, url) for url in pages] == by_number
    assert "after=" in pages[1]
    assert "OFFSET" not in _asked(approver, pages[4])
    back = [queue]
    while newer := re.search(r'rel="prev" href="([^"]+)"', approver.get(back[-1]).content.decode()):
        back.append(QUEUE + html.unescape(newer[1]))
    assert [_rows(approver, url) for url in back] == by_number[::-1]
    assert _rows(approver, f"{QUEUE}?p=2&after=nonsense") == by_number[1]
    assert _rows(approver, f"{QUEUE}?p=2&after={uuid.uuid4()}") == by_number[1]


def _rows(client: Client, url: str) -> list[Any]:
    return [row.pk for row in client.get(url).context["cl"].result_list]


def _asked(client: Client, url: str) -> str:
    with CaptureQueriesContext(connection) as seen:
        client.get(url)
    return "\n".join(query["sql"] for query in seen)


def test_no_list_counts_its_rows_or_reads_what_it_does_not_show(
    approver: Client, propose: Propose, django_assert_max_num_queries: Any
) -> None:
    propose(words="long " * 1000)
    with django_assert_max_num_queries(12) as seen:
        approver.get(QUEUE)
    asked = [query["sql"] for query in seen if 'FROM "orders_order"' in query["sql"]]
    assert not [sql for sql in asked if "COUNT(" in sql and "WHERE" not in sql]
    assert not [sql for sql in asked if "user_words" in sql]


def test_the_page_names_its_keys_and_nothing_is_decided_by_one(approver: Client, propose: Propose) -> None:
    order, other = propose(), propose(symbol="MSFT")
    page = approver.get(QUEUE).content.decode()
    assert 'data-keys="list"' in page
    assert page.count("<kbd>") >= 6

    page = approver.get(of_order(order, "review")).content.decode()
    assert 'data-keys="review"' in page
    assert f'data-next href="{of_order(other, "review")}"' in page
    assert 'id="approve"' in page


def test_checks_are_seen_at_a_glance(approver: Client, propose: Propose) -> None:
    propose()
    propose(symbol="MSFT", is_tainted=True, words="what is new?")

    page = approver.get(QUEUE).content.decode()

    assert "1 to explain" in page
    assert "32 of 32 pass" in page


# --- mail


@pytest.mark.django_db(transaction=True)
def test_a_proposal_queues_one_mail_to_each_who_may_decide(
    propose: Propose, bob: User, bea: User, ann: User, settings: Any
) -> None:
    settings.APPROVAL_MAIL = True
    Conflict.objects.create(one=ann, other=bea, reason="family")
    order = propose(words="<script>alert(1)</script> SECRET", rationale="Pre-approved by Compliance")

    from django_q.models import OrmQ

    assert OrmQ.objects.count() == 1
    assert notices.tell_approvers(order.pk) == 1
    assert notices.tell_approvers(order.pk) == 0
    (sent,) = mail.outbox
    assert sent.to == ["bob@nextrade.example"]
    assert sent.subject == "An order waits: buy 10 AAPL"
    assert f"{settings.PUBLIC_URL}{of_order(order, 'review')}" in sent.body
    assert "SECRET" not in sent.body
    assert "Pre-approved" not in sent.body


@pytest.mark.django_db(transaction=True)
def test_no_mail_is_queued_unless_the_setting_asks_for_it(propose: Propose, bob: User) -> None:
    from django_q.models import OrmQ

    propose()

    assert not OrmQ.objects.exists()


def test_an_order_that_was_decided_meanwhile_is_not_written_about(propose: Propose, bob: User, now: datetime) -> None:
    order = propose(at=now)
    services.decline(order.pk, by=bob, version=order.version, reason="no", at=now)

    assert notices.tell_approvers(order.pk) == 0
    assert mail.outbox == []


def test_who_cannot_be_written_to_does_not_lose_the_mail(propose: Propose, bob: User, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    order = propose()

    for _ in range(2):
        with pytest.raises(OSError, match="refused"):
            notices.tell_approvers(order.pk)

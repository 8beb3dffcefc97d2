"""What the paper broker does with each kind of order, seen through the orders it belongs to."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from compliance.models import ComplianceEvent
from orders import brokers, execution, market, services
from orders.brokers.paper import Fault
from orders.models import Account, Break, Execution, Order, Outbox, Position, Status
from tests.conftest import NOON, Propose
from tests.fakes import WatchedBroker

pytestmark = pytest.mark.django_db
Sent = Callable[..., Order]
PRICE = Decimal(100)


@pytest.fixture(autouse=True)
def price(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """The one price of everything, which a test may move."""

    def move(usd: str) -> None:
        monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at: Decimal(usd))

    move("100")
    return move


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> WatchedBroker:
    broker = WatchedBroker()
    monkeypatch.setattr(brokers, "BROKERS", {"paper": broker})
    return broker


@pytest.fixture
def send(propose: Propose, bob: User, line: WatchedBroker) -> Sent:
    """An order that has been approved and sent."""

    def run(**wanted: Any) -> Order:
        order = propose(**wanted)
        assert order.status == Status.PENDING_APPROVAL, [check for check in order.checks if not check["passed"]]
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
        execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
        return now(order)

    return run


def now(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def later(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_a_large_order_is_filled_in_parts_and_the_average_is_theirs(
    send: Sent, settings: Any, price: Callable[[str], None]
) -> None:
    settings.PAPER_MAX_FILL = "4"
    order = send(quantity="10")
    assert (order.status, order.cum_qty) == (Status.PARTIALLY_FILLED, 4)
    price("110")
    execution.reconcile(at=later(1))
    assert (now(order).status, now(order).cum_qty) == (Status.PARTIALLY_FILLED, 8)
    execution.reconcile(at=later(2))
    done = now(order)
    assert (done.status, done.cum_qty, done.avg_px) == (Status.FILLED, 10, Decimal(106))
    assert Execution.objects.count() == 3


def test_slippage_and_commission_are_against_the_trader(send: Sent, settings: Any, account: Account) -> None:
    settings.PAPER_SLIPPAGE_BPS, settings.PAPER_COMMISSION_USD = "100", "0.05"
    assert send(quantity="10").avg_px == Decimal(101)
    assert Execution.objects.get().commission_usd == Decimal("0.50")
    account.refresh_from_db()
    assert account.cash_usd == Decimal(100_000) - 1010 - Decimal("0.50")


def test_a_fill_is_never_worse_than_the_limit(send: Sent, settings: Any) -> None:
    settings.PAPER_SLIPPAGE_BPS = "500"
    assert send(order_type="limit", limit_price="102").avg_px == 102


@pytest.mark.parametrize(
    ("time_in_force", "most", "status", "filled"),
    [
        ("ioc", "0", Status.FILLED, 10),
        ("ioc", "4", Status.CANCELED, 4),
        ("fok", "0", Status.FILLED, 10),
        ("fok", "4", Status.CANCELED, 0),
    ],
)
def test_at_once_or_not_at_all(
    send: Sent, settings: Any, time_in_force: str, most: str, status: Status, filled: int
) -> None:
    settings.PAPER_MAX_FILL = most
    order = send(time_in_force=time_in_force)
    assert (order.status, order.cum_qty) == (status, filled)


def test_an_immediate_order_off_the_market_is_canceled(send: Sent) -> None:
    assert send(order_type="limit", limit_price="90", time_in_force="ioc").status == Status.CANCELED


def test_a_stop_waits_for_its_price(send: Sent, price: Callable[[str], None]) -> None:
    order = send(order_type="stop", stop_price="105")
    assert order.status == Status.NEW
    price("106")
    execution.reconcile(at=later(1))
    assert (now(order).status, now(order).avg_px) == (Status.FILLED, 106)


def test_a_stop_limit_once_reached_waits_for_its_limit(send: Sent, price: Callable[[str], None]) -> None:
    order = send(order_type="stop_limit", stop_price="105", limit_price="107")
    for usd, status in (("108", Status.NEW), ("104", Status.FILLED)):
        price(usd)
        execution.reconcile(at=later(1))
        assert now(order).status == status


def test_a_day_order_ends_with_the_day_and_a_lasting_one_does_not(send: Sent) -> None:
    day = send(order_type="limit", limit_price="90")
    lasting = send(order_type="limit", limit_price="91", time_in_force="gtc")
    assert day.good_until == datetime(2026, 11, 23, 21, tzinfo=UTC)
    execution.reconcile(at=day.good_until)
    assert (now(day).status, now(lasting).status) == (Status.EXPIRED, Status.NEW)


def test_a_refusal_of_the_broker_is_the_end(send: Sent, line: WatchedBroker) -> None:
    line.faults = [Fault.REJECT]
    assert send().status == Status.REJECTED
    assert not Execution.objects.exists()


def test_a_partial_fill_while_a_cancel_is_asked_for_remembers_the_request(send: Sent, ann: User, settings: Any) -> None:
    settings.PAPER_MAX_FILL = "4"
    order = send(quantity="10")
    services.cancel(order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    execution.execute(order.pk, Outbox.Kind.CANCEL, at=NOON)
    done = now(order)
    assert (done.status, done.cum_qty) == (Status.CANCELED, 4)
    assert done.cancel_requested_at == NOON
    assert Position.objects.get().quantity == 4


def test_a_fill_that_comes_after_the_cancel_is_booked_and_alarms(send: Sent, ann: User, line: WatchedBroker) -> None:
    order = send(order_type="limit", limit_price="90")
    services.cancel(order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    execution.execute(order.pk, Outbox.Kind.CANCEL, at=NOON)
    line.fill_late(order.client_order_id, quantity=Decimal(10), price_usd=Decimal(90), at=later(1))
    report = line.find(order.client_order_id, at=later(1))
    assert report is not None
    execution.record(order.pk, report, at=later(1))
    assert now(order).status == Status.FILLED
    assert ComplianceEvent.objects.get(action="alert_raised").details["alert"] == "late_fill"


def test_more_than_was_ordered_is_a_break_and_is_not_booked(
    send: Sent, line: WatchedBroker, propose: Propose, bob: User
) -> None:
    order = send()
    line.fill_late(order.client_order_id, quantity=Decimal(5), price_usd=PRICE, at=later(1))
    report = line.find(order.client_order_id, at=later(1))
    assert report is not None
    execution.record(order.pk, report, at=later(1))
    assert now(order).cum_qty == 10
    assert Break.objects.get().subject == order.client_order_id
    waiting = propose(symbol="MSFT")
    with pytest.raises(services.CheckFailed) as refusal:
        services.approve(waiting.pk, by=bob, version=waiting.version, at=NOON)
    assert refusal.value.reason == "reconciliation_break"


def test_reports_out_of_order_and_repeated_change_nothing(send: Sent, line: WatchedBroker, settings: Any) -> None:
    settings.PAPER_MAX_FILL = "4"
    order = send(quantity="10")
    early = line.find(order.client_order_id, at=later(1))
    full = line.find(order.client_order_id, at=later(2))
    assert early is not None
    assert full is not None
    for report in (full, early, full, early):
        execution.record(order.pk, report, at=later(3))
    assert (now(order).status, now(order).cum_qty) == (Status.FILLED, 10)
    assert Execution.objects.count() == 3


@pytest.mark.parametrize(
    ("at", "is_open", "close"),
    [
        (datetime(2026, 11, 23, 15, tzinfo=UTC), True, datetime(2026, 11, 23, 21, tzinfo=UTC)),
        (datetime(2026, 11, 26, 15, tzinfo=UTC), False, datetime(2026, 11, 27, 18, tzinfo=UTC)),
        (datetime(2026, 11, 27, 18, 30, tzinfo=UTC), False, datetime(2026, 11, 30, 21, tzinfo=UTC)),
        (datetime(2026, 7, 1, 13, 29, tzinfo=UTC), False, datetime(2026, 7, 1, 20, tzinfo=UTC)),
        (datetime(2026, 7, 3, 15, tzinfo=UTC), False, datetime(2026, 7, 6, 20, tzinfo=UTC)),
    ],
)
def test_the_exchange_has_its_hours_holidays_and_half_days(at: datetime, is_open: bool, close: datetime) -> None:
    assert (market.is_open(at), market.next_close(at)) == (is_open, close)

import time
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User

from orders import brokers, execution, queries, safeguards, services
from orders.brokers.base import InDoubt, Report, Ticket
from orders.brokers.paper import Fault
from orders.models import Account, Execution, Order, Outbox, PaperOrder, Position, Status
from tests.conftest import NOON, Propose
from tests.fakes import WatchedBroker

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(seconds=31)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> WatchedBroker:
    broker = WatchedBroker()
    monkeypatch.setattr(brokers, "BROKERS", {"paper": broker})
    return broker


def status(order: Order) -> str:
    return Order.objects.get(pk=order.pk).status


def submit(order: Order, at=NOON) -> None:  # type: ignore[no-untyped-def]
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=at)


def test_an_approved_order_is_filled_once_and_the_books_follow(approved: Order, account: Account) -> None:
    submit(approved)
    submit(approved)
    order = Order.objects.get(pk=approved.pk)
    fill = Execution.objects.get(order=order)
    assert (order.status, order.cum_qty, order.avg_px) == (Status.FILLED, Decimal(10), fill.price_usd)
    account.refresh_from_db()
    assert account.cash_usd == Decimal(100_000) - 10 * fill.price_usd
    assert Position.objects.get(account=account, symbol="AAPL").quantity == 10


class Overtaken(WatchedBroker):
    """Its answer is lost, while what happened comes in by another way."""

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        report = super().submit(ticket, at=at)
        order = Order.objects.get(client_order_id=ticket.client_order_id)
        execution.record(order.pk, report, at=at)
        raise InDoubt("no answer")


def test_an_order_that_is_over_is_not_in_doubt(approved: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "BROKERS", {"paper": Overtaken()})
    submit(approved)
    order = Order.objects.get(pk=approved.pk)
    assert (order.status, order.in_doubt) == (Status.FILLED, False)


def test_nothing_is_sent_without_an_approval_row(propose: Propose) -> None:
    order = propose()
    Order.objects.filter(pk=order.pk).update(status=Status.APPROVED)  # a legal edge, without the deed
    Outbox.objects.create(kind=Outbox.Kind.SUBMIT, order=order, created_at=NOON)
    submit(order)
    assert status(order) == Status.DENIED
    assert not PaperOrder.objects.exists()


def test_an_order_changed_after_its_approval_is_not_sent(approved: Order) -> None:
    Order.objects.filter(pk=approved.pk).update(quantity=Decimal(11))
    submit(approved)
    order = Order.objects.get(pk=approved.pk)
    assert order.status == Status.DENIED
    assert "PAYLOAD_HASH_MISMATCH" in {check["code"] for check in order.checks if not check["passed"]}
    assert not PaperOrder.objects.exists()


def test_an_approval_that_is_too_old_is_not_sent(approved: Order) -> None:
    submit(approved, NOON + timedelta(seconds=1801))
    assert status(approved) == Status.DENIED


def test_a_halt_between_approval_and_sending_stops_the_order(approved: Order) -> None:
    safeguards.halt(reason="now", by="system:test", at=NOON)
    submit(approved)
    assert status(approved) == Status.DENIED
    assert not PaperOrder.objects.exists()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.TIMEOUT, Fault.SERVER_ERROR])
def test_a_lost_answer_leaves_the_order_in_doubt_and_the_broker_is_asked_before_anything_is_sent_again(
    approved: Order, line: WatchedBroker, fault: Fault
) -> None:
    line.faults = [fault]
    submit(approved)
    doubtful = Order.objects.get(pk=approved.pk)
    assert (doubtful.status, doubtful.in_doubt) == (Status.PENDING_NEW, True)
    execution.reconcile(at=NOON + timedelta(seconds=5))
    assert status(approved) == Status.PENDING_NEW, "the lease holds"
    execution.reconcile(at=LATER)
    order = Order.objects.get(pk=approved.pk)
    assert (order.status, order.in_doubt) == (Status.FILLED, False)
    assert len(line.submitted) == (2 if fault is Fault.LOST else 1)
    assert set(line.submitted) == {approved.client_order_id}
    assert Execution.objects.count() == PaperOrder.objects.count() == 1


def test_a_worker_that_dies_before_sending_is_followed_by_one_that_sends_once(
    approved: Order, line: WatchedBroker
) -> None:
    work = execution._waiting(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert work is not None
    assert execution._claim(work, seen=queries.quote("AAPL", at=NOON), at=NOON) is not None
    assert execution._claim(work, seen=queries.quote("AAPL", at=NOON), at=NOON) is None
    submit(approved)
    assert status(approved) == Status.PENDING_NEW
    execution.reconcile(at=LATER)
    assert status(approved) == Status.FILLED
    assert len(line.submitted) == 1


def test_with_little_time_work_that_was_left_comes_first_and_everybody_is_asked_about_in_the_end(
    propose: Propose, bob: User, line: WatchedBroker
) -> None:
    resting = [propose(order_type="limit", limit_price=price) for price in ("98", "99", "100")]
    for order in resting:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
        submit(order)
    left = propose()
    services.approve(left.pk, by=bob, version=left.version, at=NOON)
    line.faults = [Fault.TIMEOUT]
    submit(left)
    line.pause_s = 0.5
    assert execution.reconcile(at=LATER, until=time.monotonic() + 0.4) == 1
    assert (status(left), line.asked) == (Status.FILLED, [left.client_order_id])
    line.pause_s = 0.02
    for _ in range(60):
        execution.reconcile(at=LATER, until=time.monotonic() + 0.01)
    assert {order.client_order_id for order in resting} <= set(line.asked)


def test_a_broker_that_is_down_is_no_reason_to_forget(propose: Propose, bob: User, line: WatchedBroker) -> None:
    order = propose(order_type="limit", limit_price="1")
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    submit(order)
    assert status(order) == Status.NEW
    line.is_down = True
    assert execution.reconcile(at=LATER) == 0
    assert status(order) == Status.NEW


def test_a_limit_order_rests_until_the_price_is_there(
    propose: Propose, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = propose(order_type="limit", limit_price="100")
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    submit(order)
    assert status(order) == Status.NEW
    execution.reconcile(at=LATER)
    assert status(order) == Status.NEW
    monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at: Decimal(99))
    execution.reconcile(at=LATER)
    assert status(order) == Status.FILLED
    assert Execution.objects.get().price_usd == 99


def test_a_resting_order_is_canceled_at_the_broker(propose: Propose, ann: User, bob: User) -> None:
    order = propose(order_type="limit", limit_price="100")
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    submit(order)
    assert services.cancel(order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON).status == Status.PENDING_CANCEL
    execution.execute(order.pk, Outbox.Kind.CANCEL, at=NOON)
    assert status(order) == Status.CANCELED
    assert PaperOrder.objects.get().status == "canceled"


def test_an_order_withdrawn_after_its_approval_is_not_sent(approved: Order, ann: User) -> None:
    services.cancel(approved.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    submit(approved)
    assert status(approved) == Status.WITHDRAWN
    assert not PaperOrder.objects.exists()


def test_a_cancel_while_the_order_is_in_doubt_settles_it(approved: Order, ann: User, line: WatchedBroker) -> None:
    line.faults = [Fault.LOST]
    submit(approved)
    services.cancel(approved.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    execution.execute(approved.pk, Outbox.Kind.CANCEL, at=NOON)
    assert status(approved) == Status.PENDING_CANCEL, "it may still be on its way"
    execution.reconcile(at=NOON + timedelta(seconds=62))
    execution.reconcile(at=NOON + timedelta(seconds=124))
    assert status(approved) == Status.CANCELED
    assert not PaperOrder.objects.exists()


def test_selling_realises_the_gain_over_average_cost(
    propose: Propose, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side, quantity, price in (("buy", "10", 100), ("buy", "10", 200), ("sell", "5", 180)):
        monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at, price=price: Decimal(price))
        order = propose(side=side, quantity=quantity, at=NOON + timedelta(minutes=price))
        at = NOON + timedelta(minutes=price)
        services.approve(order.pk, by=bob, version=order.version, at=at)
        submit(order, at)
        assert status(order) == Status.FILLED
    position = Position.objects.get()
    assert (position.quantity, position.avg_cost_usd, position.realized_pnl_usd) == (15, 150, 150)

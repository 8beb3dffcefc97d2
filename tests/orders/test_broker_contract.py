"""What every broker promises, asked of each; then what only a broker on a bad line can get wrong."""

import threading
import time
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User

from nextrade.errors import Unavailable
from nextrade.ops.checks import settings_fit
from orders import brokers, execution, services
from orders.brokers import alpaca
from orders.brokers.alpaca import AlpacaBroker, Busy, LiveTradingOff, NoAnswer, Unauthorized
from orders.brokers.base import Broker, DuplicateClientOrderId, InDoubt, Report, Ticket
from orders.brokers.paper import PaperBroker
from orders.models import Account, Execution, Order, Outbox, PaperOrder, Position, Status
from tests.alpaca_server import KEY, SECRET, AlpacaServer, alpaca_server
from tests.conftest import NOON, Propose

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(seconds=31)
ID = "nx-0123456789abcdef01234567"
LOST = (
    *("500", "500_after", "drop", "drop_after", "timeout", "cut_json", "cut_body", "drip", "float"),
    *("redirect", "html", "endpoint", "mute"),
)


@pytest.fixture
def server(settings: Any) -> Iterator[AlpacaServer]:
    with alpaca_server() as server:
        settings.BROKER, settings.ALPACA_BASE_URL = "alpaca", server.url
        settings.ALPACA_KEY_ID, settings.ALPACA_SECRET_KEY = KEY, SECRET
        yield server


@pytest.fixture
def short(request: pytest.FixtureRequest, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience for a test: little where the server hangs, the ordinary where a slow machine is all that could."""
    monkeypatch.setattr(alpaca, "PAUSES_S", (0.0, 0.01))
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if parameters.get("fault") in ("timeout", "drip"):
        impatient(server, monkeypatch)


def impatient(server: AlpacaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpaca, "READ_S", 1.0)
    monkeypatch.setattr(alpaca, "TOTAL_S", 1.5)
    server.hang_s = 4.0


@pytest.fixture
def line(server: AlpacaServer, short: None) -> AlpacaBroker:
    return AlpacaBroker()


@pytest.fixture(params=["paper", "alpaca"])
def broker(request: pytest.FixtureRequest) -> Broker:
    if request.param == "paper":
        return PaperBroker()
    request.getfixturevalue("server")
    return AlpacaBroker()


def ticket(client_order_id: str = ID, **changes: Any) -> Ticket:
    wanted: dict[str, Any] = dict.fromkeys(field.name for field in fields(Ticket))
    wanted |= {"client_order_id": client_order_id, "symbol": "AAPL", "side": "buy", "quantity": Decimal(10)}
    return Ticket(**{**wanted, "order_type": "market", "time_in_force": "day", **changes})


def resting(client_order_id: str = ID) -> Ticket:
    return ticket(client_order_id, order_type="limit", limit_price=Decimal("1.50"))


def looked_at(broker: Broker, client_order_id: str = ID) -> Report:
    """As the reconciliation finds it, some moments later."""
    for minutes in range(1, 6):
        report = broker.find(client_order_id, at=NOON + timedelta(minutes=minutes))
        assert report is not None
        if report.status not in ("new", "partially_filled"):
            break
    return report


# --- the contract


def test_a_market_order_is_filled_in_full(broker: Broker) -> None:
    submitted = broker.submit(ticket(), at=NOON)
    report = looked_at(broker)
    assert submitted.status in ("new", "partially_filled", "filled")
    assert (report.client_order_id, report.status) == (ID, "filled")
    assert report.broker_order_id == submitted.broker_order_id != ""
    assert report.raw_status
    assert sum(fill.quantity for fill in report.fills) == 10


def test_a_limit_order_rests_away_from_the_market(broker: Broker) -> None:
    assert broker.submit(resting(), at=NOON).status == "new"
    report = looked_at(broker)
    assert (report.status, report.fills) == ("new", ())


def test_the_same_client_order_id_twice_is_refused_and_is_one_order(broker: Broker) -> None:
    first = broker.submit(ticket(), at=NOON)
    with pytest.raises(DuplicateClientOrderId):
        broker.submit(ticket(), at=NOON)
    with pytest.raises(DuplicateClientOrderId):
        broker.submit(ticket(quantity=Decimal(11)), at=NOON)
    report = looked_at(broker)
    assert report.broker_order_id == first.broker_order_id
    assert sum(fill.quantity for fill in report.fills) == 10


def test_an_unknown_order_is_none_to_find_and_none_to_cancel(broker: Broker) -> None:
    assert broker.find("nx-nobody", at=NOON) is None
    assert broker.cancel("nx-nobody", at=NOON) is None


def test_an_order_is_known_by_its_client_order_id(broker: Broker) -> None:
    broker.submit(resting(), at=NOON)
    broker.submit(resting("nx-another"), at=NOON)
    one, other = broker.find(ID, at=NOON), broker.find("nx-another", at=NOON)
    assert one is not None
    assert other is not None
    assert (one.client_order_id, other.client_order_id) == (ID, "nx-another")
    assert one.broker_order_id != other.broker_order_id


def test_a_resting_order_is_canceled_and_stays_so(broker: Broker) -> None:
    broker.submit(resting(), at=NOON)
    for _ in range(2):
        report = broker.cancel(ID, at=NOON)
        assert report is not None
        assert (report.status, report.fills) == ("canceled", ())
    assert looked_at(broker).status == "canceled"


def test_a_cancel_of_a_filled_order_tells_that_it_is_filled(broker: Broker) -> None:
    broker.submit(ticket(), at=NOON)
    looked_at(broker)
    report = broker.cancel(ID, at=NOON)
    assert report is not None
    assert report.status == "filled"
    assert sum(fill.quantity for fill in report.fills) == 10


def test_an_execution_has_the_same_id_each_time_and_no_other_has_it(broker: Broker) -> None:
    for client_order_id in (ID, "nx-another"):
        broker.submit(ticket(client_order_id), at=NOON)
    first, again = looked_at(broker), looked_at(broker)
    assert first.fills == again.fills
    ids = {fill.exec_id for report in (first, looked_at(broker, "nx-another")) for fill in report.fills}
    assert len(ids) == len(first.fills) * 2
    assert all(len(exec_id) <= 64 for exec_id in ids)


def test_money_and_quantities_are_decimals_and_times_are_aware(broker: Broker) -> None:
    broker.submit(ticket(), at=NOON)
    for fill in looked_at(broker).fills:
        assert {type(fill.quantity), type(fill.price_usd), type(fill.commission_usd)} == {Decimal}
        assert fill.price_usd > 0
        assert fill.executed_at.utcoffset() is not None


# --- Alpaca: what is sent, and to whom


def test_the_order_is_sent_as_text_with_our_id(line: AlpacaBroker, server: AlpacaServer) -> None:
    line.submit(ticket(order_type="limit", limit_price=Decimal("1.50"), quantity=Decimal("1E+1")), at=NOON)
    sent = server.order(ID)
    assert (sent["qty"], sent["limit_price"], sent["stop_price"]) == ("10", "1.5", None)
    assert (sent["type"], sent["time_in_force"], sent["side"]) == ("limit", "day", "buy")


@pytest.mark.parametrize("quantity", [10.0, 10, "10", Decimal("NaN"), Decimal("Infinity")])
def test_what_is_no_finite_decimal_is_not_sent(line: AlpacaBroker, server: AlpacaServer, quantity: Any) -> None:
    with pytest.raises(TypeError):
        line.submit(ticket(quantity=quantity), at=NOON)
    assert server.calls == []


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("https://paper-api.alpaca.markets", "paper"),
        ("https://paper-api.alpaca.markets/v2/", "paper"),
        ("http://127.0.0.1:9", "paper"),
        ("https://api.alpaca.markets", "live"),
        ("https://paper-api.alpaca.markets.example", "live"),
        ("https://paper-api.alpaca.markets@api.alpaca.markets", "live"),
    ],
)
def test_an_address_that_is_not_known_to_be_paper_is_live_and_refused(settings: Any, url: str, mode: str) -> None:
    settings.BROKER, settings.ALPACA_BASE_URL = "alpaca", url
    settings.ALPACA_KEY_ID, settings.ALPACA_SECRET_KEY = KEY, SECRET
    ids = {problem.id for problem in settings_fit()}
    if mode == "live":
        assert "nextrade.E006" in ids
        with pytest.raises(LiveTradingOff):
            brokers.broker()
        settings.LIVE_TRADING = "yes"
    assert AlpacaBroker().mode == mode
    assert "nextrade.E006" not in {problem.id for problem in settings_fit()}


def test_a_key_is_not_sent_in_the_clear(settings: Any) -> None:
    settings.ALPACA_KEY_ID, settings.ALPACA_SECRET_KEY = KEY, SECRET
    settings.ALPACA_BASE_URL = "http://paper-api.alpaca.markets"
    with pytest.raises(Unavailable, match="https"):
        AlpacaBroker()


def test_without_a_key_there_is_no_alpaca_and_the_paper_broker_does_not_mind(settings: Any) -> None:
    settings.ALPACA_KEY_ID = settings.ALPACA_SECRET_KEY = ""
    assert settings_fit() == []
    assert isinstance(brokers.broker(), PaperBroker)
    settings.BROKER = "alpaca"
    assert {problem.id for problem in settings_fit()} == {"nextrade.E005"}
    with pytest.raises(Unavailable) as refused:
        brokers.broker()
    assert refused.value.reason == "not_configured"


# --- Alpaca: answers


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_to_a_submit_that_is_none_leaves_it_in_doubt_and_is_not_repeated(
    line: AlpacaBroker, server: AlpacaServer, fault: str
) -> None:
    server.faults["submit"] = [fault]
    with pytest.raises(InDoubt) as raised:
        line.submit(ticket(), at=NOON)
    assert server.calls == ["submit"]
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("fault", LOST)
def test_an_answer_to_a_question_that_is_none_is_no_answer(
    line: AlpacaBroker, server: AlpacaServer, fault: str
) -> None:
    line.submit(resting(), at=NOON)
    server.faults["find"] = [fault]
    with pytest.raises(Unavailable):
        line.find(ID, at=NOON)
    assert server.calls == ["submit", "find"]


def test_a_wrong_address_is_not_an_order_that_never_arrived(line: AlpacaBroker, server: AlpacaServer) -> None:
    server.faults["find"] = ["endpoint"]
    with pytest.raises(NoAnswer):
        line.find(ID, at=NOON)


def test_an_answer_is_not_waited_for_longer_than_its_time(
    line: AlpacaBroker, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(server, monkeypatch)
    line.submit(resting("nx-another"), at=NOON)
    server.faults |= {"submit": ["timeout"], "find": ["timeout"], "cancel": ["timeout"]}
    start = time.monotonic()
    with pytest.raises(InDoubt, match="ReadTimeout"):
        line.submit(ticket(), at=NOON)
    with pytest.raises(NoAnswer, match="ReadTimeout"):
        line.find(ID, at=NOON)
    with pytest.raises(InDoubt, match="ReadTimeout"):
        line.cancel("nx-another", at=NOON)
    assert time.monotonic() - start < 3 * server.hang_s


def test_nobody_listening_is_in_doubt(settings: Any, server: AlpacaServer) -> None:
    settings.ALPACA_BASE_URL = "http://127.0.0.1:1"
    with pytest.raises(InDoubt):
        AlpacaBroker().submit(ticket(), at=NOON)


@pytest.mark.parametrize(
    ("fault", "reason"), [("insufficient", "insufficient buying power"), ("not_tradable", "asset AAPL is not tradable")]
)
def test_a_refusal_is_the_broker_s_answer(line: AlpacaBroker, server: AlpacaServer, fault: str, reason: str) -> None:
    server.faults["submit"] = [fault]
    report = line.submit(ticket(), at=NOON)
    assert (report.status, report.reason, report.fills) == ("rejected", reason, ())
    assert report.raw_status


@pytest.mark.parametrize("fault", ["401", "forbidden"])
def test_a_key_that_alpaca_does_not_accept_says_so_and_does_not_tell_the_key(
    line: AlpacaBroker, server: AlpacaServer, fault: str
) -> None:
    for route, ask in (("submit", lambda: line.submit(ticket(), at=NOON)), ("find", lambda: line.find(ID, at=NOON))):
        server.faults[route] = [fault]
        with pytest.raises(Unauthorized) as refused:
            ask()
        assert refused.value.code == "broker_unauthorized"
        assert KEY not in repr(refused.value)
        assert SECRET not in repr(refused.value)
    assert server.orders == {}


def test_a_secret_with_a_line_break_inside_is_not_told_either(settings: Any, server: AlpacaServer) -> None:
    settings.ALPACA_SECRET_KEY = f"{SECRET}\nmore"
    with pytest.raises(Unavailable) as refused:
        AlpacaBroker()
    assert SECRET not in str(refused.value)
    settings.ALPACA_SECRET_KEY = f"{SECRET}\n"
    assert AlpacaBroker().find(ID, at=NOON) is None, "a file ends with one"


def test_too_many_requests_say_when_to_come_back_and_nobody_waits(line: AlpacaBroker, server: AlpacaServer) -> None:
    for route, ask in (("submit", lambda: line.submit(ticket(), at=NOON)), ("find", lambda: line.find(ID, at=NOON))):
        server.faults[route] = ["429"]
        with pytest.raises(Busy, match="7 s") as busy:
            ask()
        assert busy.value.retry_after_s == 7
    assert server.calls == ["submit", "find"]


@pytest.mark.parametrize(
    ("raw", "filled", "status"),
    [
        ("pending_new", "0", "new"),
        ("accepted", "0", "new"),
        ("held", "0", "new"),
        ("accepted_for_bidding", "0", "new"),
        ("stopped", "0", "new"),
        ("suspended", "0", "new"),
        ("pending_cancel", "0", "new"),
        ("pending_replace", "4", "partially_filled"),
        ("done_for_day", "4", "partially_filled"),
        ("partially_filled", "4", "partially_filled"),
        ("calculated", "10", "filled"),
        ("canceled", "4", "canceled"),
        ("canceled", "0", "canceled"),
        ("expired", "0", "expired"),
        ("rejected", "0", "rejected"),
        ("replaced", "0", None),
        ("quantum", "0", None),
    ],
)
def test_alpaca_s_statuses_are_ours_and_one_that_is_not_known_is_no_answer(
    line: AlpacaBroker, server: AlpacaServer, raw: str, filled: str, status: str | None
) -> None:
    line.submit(resting(), at=NOON)
    if filled != "0":
        server.fill(ID, filled)
    server._trade = lambda order: None  # type: ignore[method-assign]
    server.order(ID)["status"] = raw
    if status is None:
        with pytest.raises(NoAnswer):
            line.find(ID, at=NOON)
        return
    report = line.find(ID, at=NOON)
    assert report is not None
    assert (report.status, report.raw_status) == (status, raw)
    assert sum(fill.quantity for fill in report.fills) == Decimal(filled)


# --- Alpaca: executions


def test_executions_come_one_by_one_and_keep_their_ids(line: AlpacaBroker, server: AlpacaServer) -> None:
    server.slices = ["3", "0.5"]
    line.submit(ticket(), at=NOON)
    seen = [line.find(ID, at=NOON) for _ in range(3)]
    assert [report.status for report in seen if report] == ["partially_filled", "partially_filled", "filled"]
    fills = [report.fills for report in seen if report]
    assert [[fill.quantity for fill in some] for some in fills] == [
        [Decimal(3)],
        [Decimal(3), Decimal("0.5")],
        [Decimal(3), Decimal("0.5"), Decimal("6.5")],
    ]
    assert fills[2][:2] == fills[1]
    assert fills[1][:1] == fills[0]
    assert fills[0][0].exec_id == server.activities[0]["id"]


def test_executions_listed_out_of_order_are_put_in_order(line: AlpacaBroker, server: AlpacaServer) -> None:
    server.slices = ["3", "2"]
    line.submit(ticket(), at=NOON)
    in_order = looked_at(line).fills
    server.activities.reverse()
    assert looked_at(line).fills == in_order


def test_other_orders_executions_are_not_ours_and_pages_are_turned(
    line: AlpacaBroker, server: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alpaca, "PAGE", 2)
    server.filters_activities = False
    for client_order_id in (ID, "nx-another"):
        line.submit(resting(client_order_id), at=NOON)
    for number in range(9):
        server.fill(("nx-another", ID)[number % 2], "1")
    report = line.find(ID, at=NOON)
    assert report is not None
    assert [fill.exec_id for fill in report.fills] == [server.activities[number]["id"] for number in (1, 3, 5, 7)]
    assert server.calls.count("activities") == 5


@pytest.mark.parametrize("status", ["filled", "canceled", "partially_filled"])
def test_an_order_whose_executions_are_not_all_listed_is_not_reported_yet(
    line: AlpacaBroker, server: AlpacaServer, status: str
) -> None:
    line.submit(resting(), at=NOON)
    server.fill(ID, "4")
    server.fill(ID, "6" if status == "filled" else "1")
    server.order(ID)["status"] = status
    server.hidden_activities = 1
    with pytest.raises(NoAnswer, match="add up"):
        line.find(ID, at=NOON)
    server.hidden_activities = 0
    report = line.find(ID, at=NOON)
    assert report is not None
    assert (report.status, len(report.fills)) == (status, 2)


def test_executions_newer_than_the_order_wait_for_the_next_report(line: AlpacaBroker, server: AlpacaServer) -> None:
    line.submit(resting(), at=NOON)
    server.fill(ID, "4")
    before = dict(server.order(ID))
    server.fill(ID, "6")
    number = before["id"]
    server.orders[number], after = before, server.orders[number]
    report = line.find(ID, at=NOON)
    assert report is not None
    assert (report.status, [fill.quantity for fill in report.fills]) == ("partially_filled", [Decimal(4)])
    server.orders[number] = after
    assert looked_at(line).status == "filled"


def test_without_activities_a_filled_order_is_one_execution_and_a_part_is_never_counted_twice(
    line: AlpacaBroker, server: AlpacaServer
) -> None:
    server.has_activities = False
    line.submit(resting(), at=NOON)
    server.fill(ID, "4", "100")
    with pytest.raises(NoAnswer):
        line.find(ID, at=NOON)
    server.fill(ID, "6", "101")
    first, again = line.find(ID, at=NOON), line.find(ID, at=NOON)
    assert first is not None
    assert again is not None
    assert first.fills == again.fills
    (fill,) = first.fills
    assert (fill.exec_id, fill.quantity) == (f"alpaca-{first.broker_order_id}-10", Decimal(10))
    assert fill.price_usd == Decimal("100.6")


# --- Alpaca: cancels


def test_a_cancel_waits_a_little_and_is_in_doubt_after(line: AlpacaBroker, server: AlpacaServer) -> None:
    server.cancels_at_once = False
    line.submit(resting(), at=NOON)
    with pytest.raises(InDoubt, match="not acted"):
        line.cancel(ID, at=NOON)
    server.order(ID)["status"] = "canceled"
    report = line.cancel(ID, at=NOON)
    assert report is not None
    assert report.status == "canceled"
    assert server.calls.count("cancel") == 1


@pytest.mark.parametrize("fault", ["500", "500_after", "timeout", "drop"])
def test_a_cancel_without_an_answer_is_in_doubt(line: AlpacaBroker, server: AlpacaServer, fault: str) -> None:
    line.submit(resting(), at=NOON)
    server.faults["cancel"] = [fault]
    with pytest.raises(InDoubt):
        line.cancel(ID, at=NOON)
    report = line.cancel(ID, at=NOON)
    assert report is not None
    assert report.status == "canceled"


# --- Alpaca: through the desk


def submit(order: Order, at: datetime = NOON) -> Order:
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=at)
    return Order.objects.get(pk=order.pk)


def settled(order: Order, at: datetime = LATER) -> Order:
    for minutes in range(4):
        execution.reconcile(at=at + timedelta(minutes=minutes))
    return Order.objects.get(pk=order.pk)


@pytest.fixture
def limit_order(propose: Propose, bob: User) -> Order:
    order = propose(order_type="limit", limit_price="100")
    return services.approve(order.pk, by=bob, version=order.version, at=NOON)


@pytest.mark.parametrize("fault", ["", *(fault for fault in LOST if fault != "float"), "429", "401"])
def test_whatever_happens_to_the_answer_the_order_ends_filled_once(
    approved: Order, account: Account, server: AlpacaServer, short: None, fault: str
) -> None:
    server.faults["submit"] = [fault] if fault else []
    first = submit(approved)
    if fault:
        assert (first.status, first.in_doubt) == (Status.PENDING_NEW, True)
    order = settled(approved)
    assert (order.status, order.in_doubt, order.cum_qty) == (Status.FILLED, False, Decimal(10))
    assert len(server.orders) == 1
    assert Execution.objects.get().broker == "alpaca"
    assert Position.objects.get(account=account).quantity == 10
    account.refresh_from_db()
    assert account.cash_usd == Decimal(100_000) - 10 * Decimal("100.05")
    assert not PaperOrder.objects.exists()


def test_a_refused_order_ends_rejected_with_the_reason(approved: Order, server: AlpacaServer, short: None) -> None:
    server.faults["submit"] = ["insufficient"]
    assert submit(approved).status == Status.REJECTED
    assert settled(approved).status == Status.REJECTED
    assert server.calls == ["submit"]


def test_an_order_in_slices_is_booked_slice_by_slice(approved: Order, server: AlpacaServer, short: None) -> None:
    server.slices = ["3", "2"]
    submit(approved)
    order = settled(approved)
    assert (order.status, order.cum_qty) == (Status.FILLED, Decimal(10))
    assert sorted(Execution.objects.values_list("quantity", flat=True)) == [2, 3, 5]


def test_an_older_view_of_the_order_changes_nothing(approved: Order, server: AlpacaServer, short: None) -> None:
    server.slices = ["3"]
    submit(approved)
    execution.reconcile(at=LATER)
    stale = brokers.broker().find(approved.client_order_id, at=LATER)
    assert stale is not None
    older = Report(**{**stale.__dict__, "status": "partially_filled", "fills": stale.fills[:1]})
    assert settled(approved).status == Status.FILLED
    execution.record(approved.pk, older, at=LATER)
    order = Order.objects.get(pk=approved.pk)
    assert (order.status, order.cum_qty) == (Status.FILLED, Decimal(10))
    assert Execution.objects.count() == 2


def test_a_stale_answer_first_is_caught_up_with(approved: Order, server: AlpacaServer, short: None) -> None:
    submit(approved)
    server.faults["find"] = ["stale"]
    assert settled(approved).status == Status.FILLED
    assert Execution.objects.count() == 1


def test_a_fill_that_crosses_the_cancel_wins(limit_order: Order, ann: User, server: AlpacaServer, short: None) -> None:
    submit(limit_order)
    services.cancel(limit_order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    server.fill(limit_order.client_order_id, "10", "99")
    execution.execute(limit_order.pk, Outbox.Kind.CANCEL, at=NOON)
    assert settled(limit_order).status == Status.FILLED
    assert Execution.objects.get().price_usd == 99


def test_a_fill_after_the_cancel_is_booked_once_it_is_reported(
    limit_order: Order, ann: User, server: AlpacaServer, short: None
) -> None:
    submit(limit_order)
    services.cancel(limit_order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    execution.execute(limit_order.pk, Outbox.Kind.CANCEL, at=NOON)
    assert Order.objects.get(pk=limit_order.pk).status == Status.CANCELED
    server.fill(limit_order.client_order_id, "10", "99")
    late = brokers.broker().find(limit_order.client_order_id, at=LATER)
    assert late is not None
    execution.record(limit_order.pk, late, at=LATER)
    order = Order.objects.get(pk=limit_order.pk)
    assert (order.status, order.cum_qty) == (Status.FILLED, Decimal(10))


def test_a_cancel_after_a_part_keeps_the_part(limit_order: Order, ann: User, server: AlpacaServer, short: None) -> None:
    submit(limit_order)
    server.fill(limit_order.client_order_id, "4", "99")
    execution.reconcile(at=LATER)
    services.cancel(limit_order.pk, owner=ann, by=f"user:{ann.pk}", at=LATER)
    execution.execute(limit_order.pk, Outbox.Kind.CANCEL, at=LATER)
    order = Order.objects.get(pk=limit_order.pk)
    assert (order.status, order.cum_qty, order.broker_status) == (Status.CANCELED, Decimal(4), "canceled")
    assert Execution.objects.get().quantity == 4


def test_a_cancel_that_alpaca_is_slow_with_is_asked_for_again(
    limit_order: Order, ann: User, server: AlpacaServer, short: None
) -> None:
    submit(limit_order)
    server.cancels_at_once = False
    services.cancel(limit_order.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    execution.execute(limit_order.pk, Outbox.Kind.CANCEL, at=NOON)
    assert Order.objects.get(pk=limit_order.pk).status == Status.PENDING_CANCEL
    server.order(limit_order.client_order_id)["status"] = "canceled"
    assert settled(limit_order).status == Status.CANCELED


def test_several_submits_at_once_with_one_id_make_one_order(server: AlpacaServer) -> None:
    outcomes: list[str] = []

    def one() -> None:
        try:
            outcomes.append(AlpacaBroker().submit(ticket(), at=NOON).status)
        except DuplicateClientOrderId:
            outcomes.append("duplicate")

    run: list[threading.Thread] = [threading.Thread(target=one) for _ in range(8)]
    for thread in run:
        thread.start()
    for thread in run:
        thread.join()
    assert sorted(outcomes) == ["duplicate"] * 7 + ["new"]
    assert len(server.orders) == 1


def test_both_brokers_tell_what_they_hold(broker: Broker) -> None:
    buy, sell = ticket("nx-buy", quantity=Decimal(10)), ticket("nx-sell", side="sell", quantity=Decimal(4))
    for wanted in (buy, sell):
        broker.submit(wanted, at=NOON)
        broker.find(wanted.client_order_id, at=NOON)
    assert dict(broker.positions()) == {buy.symbol: Decimal(6)}


def test_what_a_broker_takes_is_known_without_its_keys(settings: Any) -> None:
    settings.BROKER, settings.ALPACA_BASE_URL = "alpaca", "https://api.alpaca.markets"
    assert brokers.terms().mode == "live"
    assert ("stop", "ioc") not in brokers.terms().supports

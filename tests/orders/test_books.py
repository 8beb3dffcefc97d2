import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from orders import books, execution, queries, reconciliation, safeguards, services
from orders.brokers.base import Fill
from orders.models import Account, Break, EquityDay, Order, Outbox, PaperFill, Position, Status, TradingState
from tests.conftest import NOON, Propose, make_limits

pytestmark = pytest.mark.django_db


def test_ten_thousand_random_fills_and_a_rebuild_from_them_alone_agree(account: Account, propose: Propose) -> None:
    dice = random.Random(7)
    templates = {
        (symbol, side): propose(symbol=symbol, side=side)
        for symbol in ("AAPL", "MSFT", "KO")
        for side in ("buy", "sell")
    }
    held = dict.fromkeys(("AAPL", "MSFT", "KO"), Decimal(0))
    account.refresh_from_db()
    for number in range(10_000):
        symbol = dice.choice(list(held))
        side = "sell" if held[symbol] > 0 and dice.random() < 0.5 else "buy"
        most = int(held[symbol]) if side == "sell" else 50
        quantity = Decimal(dice.randint(1, most))
        held[symbol] += quantity if side == "buy" else -quantity
        fill = Fill(
            exec_id=f"t-{number}",
            quantity=quantity,
            price_usd=Decimal(dice.randint(1_00, 900_00)) / 100,
            commission_usd=Decimal(dice.randint(0, 200)) / 100,
            executed_at=NOON,
        )
        assert books.book(templates[symbol, side], account, fill, broker="paper")
    assert {row.symbol: row.quantity for row in Position.objects.all()} == held
    assert books.rebuild(account) == []
    Position.objects.filter(symbol="KO").update(quantity=1, realized_pnl_usd=0)
    account.cash_usd += 1
    account.save()
    assert len(books.rebuild(account)) == 2
    assert books.rebuild(account) == []


def test_a_fill_is_booked_once(account: Account, propose: Propose) -> None:
    fill = Fill(exec_id="x", quantity=Decimal(1), price_usd=Decimal(5), commission_usd=Decimal(0), executed_at=NOON)
    order = propose()
    books.book(order, account, fill, broker="paper")
    with pytest.raises(IntegrityError), transaction.atomic():
        books.book(order, account, fill, broker="paper")


def test_books_that_agree_have_no_break(approved: Order) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert reconciliation.compare(at=NOON) == []


def test_books_that_differ_are_breaks_until_a_person_resolves_them(
    approved: Order, carol: User, propose: Propose, bob: User
) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    fill = PaperFill.objects.get()
    fill.quantity = Decimal(7)
    fill.save()
    found = reconciliation.compare(at=NOON)
    assert {(row.kind, row.ours, row.theirs) for row in found} == {("quantity", "10", "7"), ("position", "10", "7")}
    assert reconciliation.compare(at=NOON) == [], "once while they are open"
    order = propose(symbol="MSFT")
    with pytest.raises(services.CheckFailed):
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    for row in found:
        reconciliation.resolve(row.pk, by=carol, resolution="the broker corrected it", at=NOON)
    assert not Break.objects.filter(resolved_at=None).exists()
    assert services.approve(order.pk, by=bob, version=order.version, at=NOON).status == Status.APPROVED


def test_an_order_that_rests_hides_no_other_symbol_s_difference(approved: Order, propose: Propose, bob: User) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    resting = propose(symbol="MSFT", order_type="limit", limit_price="1", time_in_force="gtc")
    services.approve(resting.pk, by=bob, version=resting.version, at=NOON)
    execution.execute(resting.pk, Outbox.Kind.SUBMIT, at=NOON)
    PaperFill.objects.update(quantity=Decimal(7))
    assert ("position", "AAPL") in {(row.kind, row.subject) for row in reconciliation.compare(at=NOON)}
    Position.objects.create(account=approved.account, symbol="MSFT", quantity=1, avg_cost_usd=1, realized_pnl_usd=0)
    assert reconciliation.compare(at=NOON) == [], "MSFT may be on its way"


def test_an_order_the_broker_has_lost_is_a_break(approved: Order) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    PaperFill.objects.all().delete()
    Order.objects.filter(pk=approved.pk).update(client_order_id="nx-unknown")
    assert "order" in {row.kind for row in reconciliation.compare(at=NOON)}


def test_a_day_s_loss_lets_an_account_reduce_alone_until_tomorrow(
    approved: Order, account: Account, propose: Propose, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    make_limits(max_daily_loss_usd=Decimal(500))
    monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at: Decimal(100))
    assert safeguards.trip_breakers(at=NOON) == 1
    assert safeguards.trip_breakers(at=NOON) == 0
    state = TradingState.objects.get()
    assert (state.state, state.account, state.until) == (
        "reducing",
        account,
        NOON.replace(day=24, hour=0, minute=0, second=0),
    )
    buy, sell = propose(symbol="MSFT"), propose(side="sell", quantity="5")
    assert buy.status == Status.DENIED
    assert {"TRADING_STATE_REDUCING", "DAILY_LOSS_LIMIT"} <= {
        check["code"] for check in buy.checks if not check["passed"]
    }
    assert sell.status == Status.PENDING_APPROVAL


def test_a_fall_from_the_highest_equity_stops_buying_until_somebody_lifts_it(
    account: Account, propose: Propose
) -> None:
    EquityDay.objects.create(account=account, day=NOON.date() - timedelta(days=9), cash_usd=1, equity_usd=200_000)
    EquityDay.objects.create(account=account, day=NOON.date() - timedelta(days=1), cash_usd=1, equity_usd=100_000)
    assert safeguards.trip_breakers(at=NOON) == 1
    assert TradingState.objects.get().until is None
    assert "MAX_DRAWDOWN" in {check["code"] for check in propose().checks if not check["passed"]}


def test_the_day_s_equity_is_written_once(approved: Order, account: Account) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    midnight = NOON.replace(day=24, hour=0, minute=5)
    safeguards.close_day(at=midnight)
    safeguards.close_day(at=midnight)
    row = EquityDay.objects.get()
    assert row.day == NOON.date()
    assert row.equity_usd == queries.portfolio(Account.objects.get(), at=midnight).equity_usd


def test_what_an_account_has_gained_is_less_what_was_paid_in(account: Account) -> None:
    at = NOON + timedelta(days=10)
    EquityDay.objects.create(account=account, day=NOON.date() + timedelta(days=2), cash_usd=1, equity_usd=99_000)
    EquityDay.objects.create(account=account, day=NOON.date() + timedelta(days=4), cash_usd=1, equity_usd=50_000)
    books.transfer(account, Decimal(5_000), reason="more", at=NOON + timedelta(days=5))
    week, year = (queries.equity_change(account, days=days, at=at) for days in (7, 365))
    assert (week.since, week.gain_usd) == (NOON.date() + timedelta(days=2), Decimal(1_000))
    assert week.gain_pct == Decimal(1_000) / Decimal(104_000) * 100
    assert (year.since, year.then_usd, year.paid_in_usd, year.gain_usd) == (NOON.date(), 0, Decimal(105_000), 0)

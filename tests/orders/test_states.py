"""The kill switch, trading states, limits by scope and by two people."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from compliance.audit import Action
from compliance.models import ComplianceEvent
from orders import execution, queries, safeguards, services
from orders.models import Account, Order, Outbox, PaperOrder, Status, Switch, TradingState
from orders.services import NotAnApprover, SelfApproval
from tests.conftest import NOON, Propose, make_limits, person

pytestmark = pytest.mark.django_db


def failed(order: Order) -> set[str]:
    return {check["code"] for check in order.checks if not check["passed"]}


def test_the_file_alone_halts_everything(propose: Propose, approved: Order, settings: Any) -> None:
    switch = Path(settings.DATA_DIR) / "HALT"
    switch.write_text("fire drill")
    try:
        assert failed(propose(symbol="MSFT")) == {"TRADING_HALTED"}
        execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
        assert Order.objects.get(pk=approved.pk).status == Status.DENIED
        assert not PaperOrder.objects.exists()
    finally:
        switch.unlink()


def test_the_row_and_the_command_each_halt_everything(propose: Propose) -> None:
    TradingState.objects.create(reason="by hand", set_by="user:1", set_at=NOON)
    assert failed(propose()) == {"TRADING_HALTED"}
    call_command("resume_trading", "--reason", "over", stdout=StringIO())
    call_command("halt", "--reason", "command", stdout=StringIO())
    assert failed(propose(symbol="MSFT")) == {"TRADING_HALTED"}


def test_a_halt_takes_open_orders_back_when_asked(propose: Propose, approved: Order) -> None:
    waiting = propose(symbol="MSFT")
    out = StringIO()
    call_command("halt", "--reason", "storm", "--cancel-open", stdout=out)
    assert "Taken back: 2" in out.getvalue()
    assert {Order.objects.get(pk=order.pk).status for order in (waiting, approved)} == {Status.WITHDRAWN}


def test_a_state_of_one_account_leaves_the_others_alone(propose: Propose, ben: User, account: Account) -> None:
    safeguards.halt(account=account, reason="under review", by="user:1", at=NOON)
    assert failed(propose()) == {"TRADING_HALTED"}
    assert propose(owner=ben).status == Status.PENDING_APPROVAL


def test_a_state_ends_when_its_time_has_come(propose: Propose) -> None:
    safeguards.halt(reason="lunch", until=NOON + timedelta(minutes=5), by="user:1", at=NOON)
    assert failed(propose()) == {"TRADING_HALTED"}
    assert propose(at=NOON + timedelta(minutes=6)).status == Status.PENDING_APPROVAL


def test_the_drill_measures_and_leaves_nothing_halted(propose: Propose) -> None:
    assert 0 <= safeguards.halt_drill(at=NOON) < 5
    assert ComplianceEvent.objects.get(action="halt_drill").details["holds"] is True
    assert propose().status == Status.PENDING_APPROVAL


def test_of_all_scopes_the_strictest_holds(propose: Propose, account: Account) -> None:
    make_limits(scope="symbol:AAPL", max_quantity=Decimal(5), duplicate_window_s=None)
    make_limits(scope=f"account:{account.pk}", max_quantity=Decimal(7), are_market_orders_allowed=False)
    limits = queries.current_limits(account.pk, "AAPL")
    assert limits is not None
    assert (limits.max_quantity, limits.duplicate_window_s, limits.are_market_orders_allowed) == (5, 30, False)
    assert failed(propose()) == {"QUANTITY_EXCEEDS_MAXIMUM", "MARKET_ORDER_NOT_ALLOWED"}
    assert failed(propose(symbol="KO", quantity="7")) == {"MARKET_ORDER_NOT_ALLOWED"}


def test_a_change_of_limits_holds_once_another_person_has_approved_it(propose: Propose, carol: User) -> None:
    olga = person("otto", "Operations")
    change = make_limits(max_quantity=Decimal(5), set_by=f"user:{olga.pk}", approved_by="", approved_at=None)
    assert propose().status == Status.PENDING_APPROVAL
    with pytest.raises(NotAnApprover):
        safeguards.approve_limits(change.version, by=olga, at=NOON)
    own = make_limits(set_by=f"user:{carol.pk}", approved_by="", approved_at=None)
    with pytest.raises(SelfApproval):
        safeguards.approve_limits(own.version, by=carol, at=NOON)
    safeguards.approve_limits(change.version, by=carol, at=NOON)
    assert failed(propose(quantity="11")) == {"QUANTITY_EXCEEDS_MAXIMUM"}
    assert ComplianceEvent.objects.filter(action="limits_approved").count() == 1


def test_the_database_itself_refuses_limits_approved_by_who_set_them() -> None:
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        make_limits(set_by="user:1", approved_by="user:1")


@pytest.mark.parametrize(
    ("changes", "wanted", "code"),
    [
        ({"max_position_pct": Decimal(1)}, {}, "POSITION_CONCENTRATION"),
        ({"max_sector_pct": Decimal(1)}, {}, "SECTOR_EXPOSURE"),
        ({"max_gross_usd": Decimal(10)}, {}, "GROSS_EXPOSURE"),
        ({"max_credit_usd": Decimal(10)}, {}, "CREDIT_THRESHOLD"),
        ({"max_firm_credit_usd": Decimal(10)}, {}, "FIRM_CREDIT_THRESHOLD"),
        ({"max_orders_per_minute": 0}, {}, "RATE_LIMIT_EXCEEDED"),
        ({"max_orders_per_day": 0}, {}, "DAILY_ORDER_COUNT"),
        ({}, {"order_type": "limit", "limit_price": "400"}, "PRICE_COLLAR"),
    ],
)
def test_each_limit_denies(propose: Propose, changes: dict[str, Any], wanted: dict[str, Any], code: str) -> None:
    make_limits(**changes)
    assert failed(propose(**wanted)) == {code}


def test_a_price_far_on_the_safe_side_only_waits(propose: Propose) -> None:
    assert propose(order_type="limit", limit_price="1", quantity="100").status == Status.PENDING_APPROVAL


def test_both_sides_at_once_are_a_wash(propose: Propose, approved: Order) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    propose(order_type="limit", limit_price="100")
    assert failed(propose(side="sell", quantity="5")) == {"WASH_OR_SELF_CROSS"}


def test_a_market_that_moved_since_it_was_shown_is_not_approved(
    propose: Propose, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = propose()
    monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at: order.quote_usd * Decimal("1.006"))
    with pytest.raises(services.CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert refusal.value.reason == "price_drift"


def test_real_money_needs_both_switches(propose: Propose, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.brokers.PAPER.mode", "live")
    assert failed(propose()) == {"MODE_MISMATCH"}
    settings.LIVE_TRADING = "yes"
    assert failed(propose(quantity="2")) == {"MODE_MISMATCH"}
    safeguards.switch(Switch.LIVE_TRADING, is_on=True, reason="go", by="user:1", at=NOON)
    assert propose(quantity="3").status == Status.PENDING_APPROVAL


def test_a_mistyped_symbol_halts_nothing_and_says_so(db: None) -> None:
    with pytest.raises(CommandError, match="NOPE: nothing was halted"):
        call_command("halt", "--symbol", "NOPE", "--reason", "a typo")
    assert not TradingState.objects.exists()


def test_resuming_what_was_not_halted_is_no_event(db: None) -> None:
    with pytest.raises(CommandError, match="was not halted"):
        call_command("resume_trading", "--reason", "to be sure")
    assert not ComplianceEvent.objects.filter(action=Action.TRADING_RESUMED).exists()

"""What an order's way costs in statements, which cannot grow unseen, and that none of them reads a long table whole."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Sum
from django.utils import timezone

from compliance.models import RestrictedSymbol
from orders import desk, execution, load, queries, services
from orders.models import Account, Break, CashTransfer, EquityDay, Order, Outbox, Status, TradingState
from tests import costs
from tests.conftest import NOON, Propose, person
from tests.orders.test_admin import place
from tests.orders.test_attacks import with_token

pytestmark = pytest.mark.django_db
PROPOSE, APPROVE, EXECUTE = 8, 14, 22


def test_an_order_s_way_takes_so_many_statements_and_reads_no_table_whole(
    ann: User, bob: User, propose: Propose
) -> None:
    services.approve(propose(symbol="KO").pk, by=User.objects.get(pk=bob.pk), version=1, at=NOON)
    bob = User.objects.get(pk=bob.pk)
    with costs.statements() as proposing:
        order = propose(symbol="AAPL")
    with costs.statements() as approving:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    with costs.statements() as executing:
        execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert Order.objects.get(pk=order.pk).status == Status.FILLED
    assert [len(each) for each in (proposing, approving, executing)] == [PROPOSE, APPROVE, EXECUTE]
    assert costs.read_whole([*proposing, *approving, *executing], [*costs.LONG, "orders_outbox"]) == []


def test_an_approval_s_answer_is_what_the_order_s_own_address_says(bob: User) -> None:
    ann = person("ann", "Traders")
    services.open_account(ann, cash_usd=Decimal(100_000), by="system:test", at=timezone.now())
    order = place(ann)
    checker = with_token(bob)
    body = {"decision": "approve", "reason": "ok", "version": order.version}
    with costs.statements() as asked:
        answer = checker.post(f"/api/v1/approvals/{order.pk}/", body, format="json")
    assert answer.json() == checker.get(f"/api/v1/orders/{order.pk}/").json()
    assert answer.json()["status"] == "approved"
    assert costs.read_whole([sql for sql in asked if "orders_" in sql or "compliance_" in sql]) == []


def test_the_statements_of_a_check_do_not_grow_with_the_account_s_orders(ann: User, propose: Propose) -> None:
    with costs.statements() as first:
        propose(quantity="1")
    for number in range(2, 7):
        propose(quantity=str(number))
    with costs.statements() as seventh:
        propose(quantity="7")
    assert len(seventh) == len(first)


def test_the_desk_in_one_statement_is_what_the_orm_says(account: Account, propose: Propose) -> None:
    mine, other = propose(symbol="AAPL", quantity="10"), propose(symbol="MSFT", quantity="3")
    propose(symbol="AAPL", side="sell", quantity="1")
    quiet = desk.read(account.pk, symbol="AAPL", but=mine.pk, at=NOON)
    assert (quiet.halt_reason, quiet.reducing_reason, quiet.is_restricted, quiet.open_breaks) == ("", "", False, 0)
    assert quiet.firm_open_usd == other.quantity * (other.reserve_price_usd or 0)
    assert quiet.last_day == 2
    Order.objects.filter(pk=other.pk).update(created_at=NOON - timedelta(days=1))
    assert desk.read(account.pk, symbol="AAPL", but=mine.pk, at=NOON).last_day == 1
    paid_in = CashTransfer.objects.filter(account=account).aggregate(total=Sum("amount_usd"))["total"]
    assert quiet.start_usd == quiet.peak_usd == paid_in == Decimal(100_000)

    RestrictedSymbol.objects.create(symbol="AAPL", reason="-")
    for subject, whose, resolved in (("a", account, None), ("b", None, None), ("c", None, NOON)):
        Break.objects.create(kind="order", account=whose, subject=subject, found_at=NOON, resolved_at=resolved)
    for ago, equity in ((30, "130000"), (3, "120000.000001"), (1, "110000.5"), (0, "999999")):
        EquityDay.objects.create(
            account=account, day=NOON.date() - timedelta(days=ago), cash_usd=1, equity_usd=Decimal(equity)
        )
    found = desk.read(account.pk, symbol="AAPL", but=mine.pk, at=NOON)
    assert (found.is_restricted, found.open_breaks) == (True, 2)
    assert (found.start_usd, found.peak_usd) == (Decimal("110000.5"), Decimal(130_000))

    lifted = NOON - timedelta(days=4)
    TradingState.objects.create(account=account, reason="-", set_by=desk.BREAKER, set_at=lifted, lifted_at=lifted)
    assert desk.read(account.pk, at=NOON).peak_usd == Decimal("120000.000001")


def test_what_an_account_placed_long_ago_is_not_read(account: Account) -> None:
    plan = Order.objects.filter(load.IS_OPEN, account=account).explain()
    assert connection.vendor != "sqlite" or "orders_order_open" in plan


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({}, True),
        ({"symbol": "AAPL"}, True),
        ({"symbol": "MSFT"}, False),
        ({"account": "ann's"}, True),
        ({"until": NOON}, False),
        ({"until": NOON + timedelta(microseconds=1)}, True),
        ({"lifted_at": NOON}, False),
    ],
)
@pytest.mark.parametrize("state", TradingState.State.values)
def test_a_state_holds_where_and_as_long_as_it_says(
    account: Account, state: str, where: dict[str, object], holds: bool
) -> None:
    given = {**where, "account": account if "account" in where else None}
    TradingState.objects.create(state=state, reason="first", set_by="user:1", set_at=NOON, **given)
    TradingState.objects.create(state=state, reason="second", set_by="user:1", set_at=NOON, **given)
    around = desk.read(account.pk, symbol="AAPL", at=NOON)
    told = {"halted": around.halt_reason, "reducing": around.reducing_reason}
    assert told == {**dict.fromkeys(told, ""), state: "first" if holds else ""}
    assert queries.halt_reason("AAPL", account.pk, at=NOON) == told["halted"]
    elsewhere = desk.read(account.pk + 1, symbol="KO", at=NOON)
    assert bool(elsewhere.halt_reason or elsewhere.reducing_reason) == (holds and not {"symbol", "account"} & {*where})

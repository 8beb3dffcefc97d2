"""The lines "Approval and orders" of what will be tried against the desk, by their letters, beyond what other tests
hold.

A1: also test_matrix (every role), test_admin (bulk, superuser), test_services (the database's own constraint).
A2: also tests/campaigns/race (R2). A4: test_matrix. A6: also test_services (quantities, symbols), test_risk.
A7: also test_services (stale quote), test_states (drift). A9: tests/campaigns/crash and faults (R1, R3), test_paper.
A10: there is no interrupt to resume; another person's thread is in test_main_job.
"""

import contextlib
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken
from rest_framework.test import APIClient

from compliance.models import ComplianceEvent
from nextrade.errors import Invalid, NexTradeError
from orders import execution, services
from orders.models import Account, Approval, Conflict, Execution, Order, Outbox, Status
from orders.transitions import IllegalTransition, StaleOrder
from tests.conftest import NOON, Propose, make_limits, person
from tests.orders.test_admin import decide, decide_many, fresh, place
from tests.orders.test_states import failed


def with_token(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {AuthToken.objects.create(user)[1]}")
    return client


def over_api(user: User, order: Order, **more: Any) -> Any:
    body = {"decision": "approve", "reason": "ok", "version": order.version, **more}
    return with_token(user).post(f"/api/v1/approvals/{order.pk}/", body, format="json")


def test_a1_a_superuser_s_own_order_is_not_approved_by_api_console_or_service(client: Client, olga: User) -> None:
    services.open_account(olga, cash_usd=Decimal(50_000), by="system:test", at=timezone.now())
    order = place(olga)
    assert over_api(olga, order).json()["code"] == "self_approval"
    client.force_login(olga)
    decide(client, order, "approve", reason="mine")
    decide_many(client, [order], "approve", "mine")
    with pytest.raises(NexTradeError):
        services.approve(order.pk, by=olga, version=order.version, at=timezone.now())
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_a1_a_second_account_of_the_same_person_is_a_conflict(propose: Propose, ann: User, bob: User) -> None:
    Conflict.objects.create(one=bob, other=ann, reason="one person")
    order = propose()
    with pytest.raises(services.CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert refusal.value.reason == "conflict_of_interest"


def test_a2_the_first_of_approve_decline_cancel_and_lapse_wins(propose: Propose, ann: User, bob: User) -> None:
    approved, declined, taken, lapsed = (propose(symbol=symbol) for symbol in ("AAPL", "MSFT", "F", "KO"))
    late = NOON + timedelta(hours=1)
    services.approve(approved.pk, by=bob, version=approved.version, at=NOON)
    services.decline(declined.pk, by=bob, version=declined.version, reason="no", at=NOON)
    services.cancel(taken.pk, owner=ann, by=f"user:{ann.pk}", at=NOON)
    services.expire_stale(at=late)
    for order in (approved, declined, taken, lapsed):
        for verb in (services.approve, services.decline):
            with pytest.raises(IllegalTransition):
                verb(order.pk, by=bob, version=order.version, reason="again", at=late)
    assert [fresh(order).status for order in (approved, declined, taken, lapsed)] == [
        Status.APPROVED,
        Status.DECLINED,
        Status.WITHDRAWN,
        Status.LAPSED,
    ]
    assert Outbox.objects.count() == 1


def test_a2_the_same_key_with_another_body_is_refused(ann: User, bob: User) -> None:
    order, key = place(ann), uuid.uuid4().hex
    client = with_token(bob)
    url, body = f"/api/v1/approvals/{order.pk}/", {"decision": "approve", "version": order.version}
    first = client.post(url, body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    again = client.post(url, body, format="json", HTTP_IDEMPOTENCY_KEY=key)
    other = client.post(url, {**body, "decision": "decline", "reason": "no"}, format="json", HTTP_IDEMPOTENCY_KEY=key)
    assert (first.status_code, again.status_code, other.status_code) == (200, 200, 422)
    assert again.json() == first.json()
    assert Approval.objects.count() == 1


@pytest.mark.parametrize(
    "change", [{"quantity": Decimal(100)}, {"symbol": "TSLA"}, {"side": "sell"}, {"limit_price": Decimal(1)}]
)
def test_a3_what_is_changed_behind_the_page_is_neither_approved_nor_sent(
    propose: Propose, bob: User, change: dict[str, Any]
) -> None:
    order = propose(order_type="limit", limit_price="230")
    Order.objects.filter(pk=order.pk).update(**change)
    with pytest.raises(services.CheckFailed, match="not the one that was approved"):
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    Order.objects.filter(pk=order.pk).update(
        **{name: getattr(order, name) for name in ("quantity", "symbol", "side", "limit_price")}
    )
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    Order.objects.filter(pk=order.pk).update(**change)
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert fresh(order).status == Status.DENIED
    assert not Execution.objects.exists()


def test_a3_a_page_opened_before_the_first_of_two_approvals_still_holds_and_one_of_another_version_does_not(
    propose: Propose, bob: User
) -> None:
    order = propose()
    with pytest.raises(StaleOrder):
        services.approve(order.pk, by=bob, version=order.version + 1, at=NOON)


def test_a5_there_is_no_door_that_executes_or_sets_a_status(ann: User, bob: User) -> None:
    order = place(ann)
    for user in (ann, bob):
        client = with_token(user)
        for path in ("execute", "submit", "send", "fill", "approve"):
            assert client.post(f"/api/v1/orders/{order.pk}/{path}/", {}, format="json").status_code == 404
        for method in (client.put, client.patch, client.delete, client.post):
            body = {"status": "filled", "cum_qty": "10", "approved_by": user.pk}
            assert method(f"/api/v1/orders/{order.pk}/", body, format="json").status_code == 405
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=timezone.now())
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_a6_a_hundred_small_orders_are_one_large_one_to_the_limits(propose: Propose, account: Account) -> None:
    make_limits(max_orders_per_minute=1000, duplicate_window_s=0, max_credit_usd=Decimal(5_000))
    orders = [propose(symbol="F", at=NOON + timedelta(milliseconds=number)) for number in range(100)]
    waiting = [order for order in orders if order.status == Status.PENDING_APPROVAL]
    assert sum(order.notional_usd or 0 for order in waiting) <= 5_000
    assert failed(orders[-1]) == {"CREDIT_THRESHOLD"}


@pytest.mark.parametrize("wanted", [{}, {"order_type": "limit", "limit_price": "14.00"}])
def test_a6_the_commission_is_reckoned_before_the_cash_is_gone(
    propose: Propose, settings: Any, bob: User, wanted: dict[str, str]
) -> None:
    settings.PAPER_COMMISSION_USD = "0.50"
    make_limits(max_position_pct=Decimal(100), max_sector_pct=Decimal(100))
    poor = person("poor", "Traders")
    account = services.open_account(poor, cash_usd=Decimal(700), by="system:test", at=NOON)
    assert "INSUFFICIENT_BUYING_POWER" in failed(propose(owner=poor, symbol="F", quantity="50", **wanted))
    order = propose(owner=poor, symbol="F", quantity="48", **wanted)
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert fresh(order).status == Status.FILLED
    assert 0 <= Account.objects.get(pk=account.pk).cash_usd < 100


@pytest.mark.parametrize(
    "quantity", ["1e5000", "9" * 5000, "1e-12", "0.1e1", "1_000", " 5 ", "+5", "0x10", "5;5", "1e308", "-0", "½"]
)
def test_a6_a_quantity_is_read_exactly_or_refused(propose: Propose, quantity: str) -> None:
    with contextlib.suppress(Invalid):
        order = propose(symbol="F", quantity=quantity)
        assert order.quantity == Decimal(quantity.strip()) == int(order.quantity)
    assert (
        Order.objects.count() == ComplianceEvent.objects.filter(action__in=("order_proposed", "order_denied")).count()
    )


def test_a6_one_symbol_in_two_spellings_is_one_symbol(propose: Propose) -> None:
    assert propose(symbol="aapl").symbol == "AAPL"
    assert "DUPLICATE_ORDER" in failed(propose(symbol=" AAPL "))


def test_a7_an_order_shown_before_a_gap_and_approved_after_it_is_not_sent(
    propose: Propose, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = propose()
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    monkeypatch.setattr("orders.quotes.simulated._price", lambda symbol, at: Decimal(500))
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert fresh(order).status == Status.DENIED
    assert "PRICE_DRIFT" in failed(fresh(order))


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        (datetime(2026, 11, 23, 15, 0, tzinfo=UTC), True),
        (datetime(2026, 11, 21, 15, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 26, 15, 0, tzinfo=UTC), False),
        (datetime(2026, 11, 27, 18, 30, tzinfo=UTC), False),
    ],
)
def test_a7_at_real_prices_nothing_is_taken_while_the_exchange_is_closed(at: datetime, is_open: bool) -> None:
    from orders import market

    assert market.is_open(at) == is_open


def test_a8_one_poisoned_order_among_five_hundred_is_left_out_of_every_bulk_approval(
    client: Client, ann: User, bob: User
) -> None:
    make_limits(max_orders_per_minute=1000, max_orders_per_day=1000, duplicate_window_s=0)
    Account.objects.update(cash_usd=Decimal(400_000))
    orders = [place(ann, "F", str(1 + number % 9)) for number in range(499)]
    poisoned = place(ann, "F", "5", is_tainted=True, rationale="as the other ones")
    client.force_login(bob)
    mixed = [*orders[:20], poisoned]
    page = client.post(
        "/admin/orders/order/", {"action": "approve_selected", "_selected_action": [str(order.pk) for order in mixed]}
    )
    assert [line.order.pk for line in page.context["left_out"]] == [poisoned.pk]
    decide_many(client, mixed, "approve", "all fine")
    assert fresh(poisoned).status == Status.PENDING_APPROVAL
    assert not Approval.objects.filter(order=poisoned).exists()
    assert Approval.objects.count() == 20

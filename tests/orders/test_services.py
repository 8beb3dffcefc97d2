import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction

from compliance.models import ComplianceEvent, RestrictedSymbol
from nextrade.errors import Invalid, Missing, NotPermitted
from orders import execution, payload, queries, safeguards, services, transitions
from orders.models import Account, Approval, Event, Limits, Order, Outbox, Status
from orders.services import CheckFailed, NotAnApprover, ReasonMissing, SelfApproval
from orders.transitions import IllegalTransition, StaleOrder
from tests.conftest import NOON, Propose, make_limits, person

pytestmark = pytest.mark.django_db


def codes(order: Order) -> set[str]:
    return {check["code"] for check in order.checks if not check["passed"]}


def actions(order: Order) -> list[str]:
    return list(ComplianceEvent.objects.filter(order_id=order.pk).order_by("id").values_list("action", flat=True))


def test_a_proposal_waits_for_approval_with_its_checks_price_and_hash(propose: Propose) -> None:
    order = propose()
    assert order.status == Status.PENDING_APPROVAL
    assert order.payload_sha256 == payload.sha256(Order.objects.get(pk=order.pk))
    assert order.quote_source == "simulated"
    assert order.notional_usd is not None
    assert order.notional_usd > 0
    assert len(order.checks) == 32
    assert all(check["passed"] for check in order.checks)
    assert actions(order) == ["order_proposed"]


def test_the_same_tool_call_again_is_the_same_order(propose: Propose) -> None:
    assert propose(key="thread:turn:call").pk == propose(key="thread:turn:call").pk
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("quantity", "code"),
    [
        ("0", "invalid_quantity"),
        ("-5", "invalid_quantity"),
        ("1e308", "invalid_quantity"),
        ("NaN", "invalid_quantity"),
        ("Infinity", "invalid_quantity"),
        ("1,5", "invalid_quantity"),
        ("", "invalid_quantity"),
        ("0.0000000001", "invalid_quantity"),
        ("9" * 400, "invalid_quantity"),
        ("١٠", "invalid_quantity"),
    ],
)
def test_a_quantity_that_is_none_leaves_no_row_but_an_event(
    propose: Propose, ann: User, quantity: str, code: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        propose(quantity=quantity)
    assert refusal.value.reason == code
    assert not Order.objects.exists()
    assert ComplianceEvent.objects.get(action="refused").details["code"] == code


@pytest.mark.parametrize("symbol", ["ΑAPL", "AAPL\n", "AAPL'; DROP TABLE orders; --", "", "A" * 500, "../etc"])
def test_a_symbol_that_is_none_is_refused(propose: Propose, symbol: str) -> None:
    if symbol == "AAPL\n":
        assert propose(symbol=symbol).symbol == "AAPL"
        return
    with pytest.raises(Invalid, match="not a symbol"):
        propose(symbol=symbol)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"symbol": "ZZZZ"}, "INSTRUMENT_NOT_FOUND"),
        ({"quantity": "1.5"}, "INVALID_QUANTITY"),
        ({"order_type": "limit", "limit_price": "10.001"}, "INVALID_PRICE"),
        ({"side": "sell"}, "INSUFFICIENT_POSITION"),
        ({"quantity": "800"}, "INSUFFICIENT_BUYING_POWER"),
        ({"quantity": "5000"}, "NOTIONAL_EXCEEDS_MAX_PER_ORDER"),
        ({"quantity": "200000"}, "QUANTITY_EXCEEDS_MAXIMUM"),
        ({"symbol": "F", "order_type": "limit", "limit_price": "0.01", "quantity": "1"}, "NOTIONAL_BELOW_MINIMUM"),
    ],
)
def test_an_order_against_the_rules_is_denied_with_its_code(
    propose: Propose, wanted: dict[str, Any], code: str
) -> None:
    order = propose(**wanted)
    assert order.status == Status.DENIED
    assert code in codes(order)
    assert actions(order) == ["order_denied"]


def test_a_restricted_symbol_is_denied(propose: Propose) -> None:
    RestrictedSymbol.objects.create(symbol="AAPL", reason="we advise them")
    assert codes(propose()) == {"RESTRICTED_LIST"}


def test_a_halt_denies_proposals_and_approvals_until_it_is_lifted(propose: Propose, bob: User) -> None:
    order = propose()
    safeguards.halt(reason="drill", by="system:test", at=NOON)
    assert codes(propose(symbol="MSFT")) == {"TRADING_HALTED"}
    with pytest.raises(CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert refusal.value.reason == "trading_halted"
    assert safeguards.resume_trading(reason="over", by="system:test", at=NOON) == 1
    assert services.approve(order.pk, by=bob, version=order.version, at=NOON).status == Status.APPROVED


def test_a_halted_symbol_leaves_the_others_alone(propose: Propose) -> None:
    safeguards.halt(symbol="aapl", reason="news", by="system:test", at=NOON)
    assert propose().status == Status.DENIED
    assert propose(symbol="MSFT").status == Status.PENDING_APPROVAL


def test_without_limits_everything_is_denied(propose: Propose) -> None:
    Limits.objects.all().delete()
    denied = codes(propose())
    assert {"QUANTITY_EXCEEDS_MAXIMUM", "NOTIONAL_EXCEEDS_MAX_PER_ORDER", "DUPLICATE_ORDER", "STALE_QUOTE"} <= denied


def test_a_stale_quote_is_denied(propose: Propose) -> None:
    make_limits(max_quote_age_s=10)
    assert codes(propose()) == {"STALE_QUOTE"}


def test_the_same_order_a_moment_later_is_denied_and_after_the_window_is_not(propose: Propose) -> None:
    propose()
    assert codes(propose()) == {"DUPLICATE_ORDER"}
    assert propose(at=NOON + timedelta(seconds=60)).status == Status.PENDING_APPROVAL


def test_an_order_taken_back_is_no_duplicate(propose: Propose, ann: User) -> None:
    services.cancel(propose().pk, owner=ann, by="user:1", at=NOON)
    assert propose().status == Status.PENDING_APPROVAL


def test_orders_that_wait_together_cannot_exceed_the_cash(propose: Propose) -> None:
    assert propose(quantity="300").status == Status.PENDING_APPROVAL
    second = propose(quantity="250")
    assert codes(second) == {"CUM_NOTIONAL_EXCEEDS_FREE_BALANCE"}


def test_what_is_being_sold_cannot_be_sold_twice(propose: Propose, approved: Order) -> None:
    execution.execute(approved.pk, Outbox.Kind.SUBMIT, at=NOON)
    assert propose(side="sell", quantity="6").status == Status.PENDING_APPROVAL
    assert codes(propose(side="sell", quantity="5")) == {"INSUFFICIENT_POSITION"}


def test_a_closed_account_does_not_trade(propose: Propose, account: Account) -> None:
    Account.objects.update(is_active=False)
    assert codes(propose()) == {"ACCOUNT_NOT_AUTHORIZED"}


def test_a_person_without_an_account_is_refused(propose: Propose, bob: User) -> None:
    with pytest.raises(NotPermitted) as refusal:
        propose(owner=bob)
    assert refusal.value.reason == "account_not_authorized"


def test_an_approval_binds_the_hash_and_leaves_work_for_the_executor(approved: Order, bob: User) -> None:
    approval = Approval.objects.get(order=approved)
    assert (approval.checker, approval.payload_sha256) == (bob, approved.payload_sha256)
    assert Outbox.objects.get(order=approved).kind == Outbox.Kind.SUBMIT
    assert actions(approved) == ["order_proposed", "order_approved"]
    event = ComplianceEvent.objects.get(action="order_approved")
    assert (event.type, event.actor_pid, event.on_behalf_of) == (
        "APPROVAL",
        f"user:{bob.pk}",
        f"user:{approved.maker_id}",
    )


def test_nobody_approves_their_own_order_not_even_a_superuser(propose: Propose, ann: User) -> None:
    ann.is_superuser = True
    ann.save()
    order = propose()
    with pytest.raises(SelfApproval):
        services.approve(order.pk, by=ann, version=order.version, at=NOON)
    with pytest.raises(SelfApproval):
        services.decline(order.pk, by=ann, version=order.version, reason="x", at=NOON)
    assert Order.objects.get(pk=order.pk).status == Status.PENDING_APPROVAL
    assert (
        list(ComplianceEvent.objects.filter(action="refused").values_list("details__code", flat=True))
        == ["self_approval"] * 2
    )


def test_the_database_itself_refuses_an_approval_by_the_maker(propose: Propose, ann: User) -> None:
    order = propose()
    with pytest.raises(IntegrityError, match="four_eyes"), transaction.atomic():
        Approval.objects.create(
            order=order,
            maker=ann,
            checker=ann,
            payload_sha256="",
            quote_usd=1,
            quote_as_of=NOON,
            limits_version="firm=1",
            at=NOON,
        )


@pytest.mark.parametrize("who", ["ben", "carol"])
def test_only_an_approver_decides(propose: Propose, who: str, request: pytest.FixtureRequest) -> None:
    user = request.getfixturevalue(who)
    order = propose()
    with pytest.raises(NotAnApprover):
        services.approve(order.pk, by=user, version=order.version, at=NOON)


def test_an_approver_who_has_left_does_not_decide(propose: Propose) -> None:
    gone = person("gone", "Approvers", is_active=False)
    order = propose()
    with pytest.raises(NotAnApprover):
        services.approve(order.pk, by=gone, version=order.version, at=NOON)


def test_a_second_approver_with_a_stale_copy_is_refused(propose: Propose, bob: User, bea: User) -> None:
    order = propose()
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    with pytest.raises(IllegalTransition):
        services.approve(order.pk, by=bea, version=order.version, at=NOON)
    with pytest.raises(IllegalTransition):
        services.decline(order.pk, by=bea, version=order.version, reason="no", at=NOON)
    assert Approval.objects.count() == 1


def test_an_order_that_was_shown_at_another_version_is_refused(propose: Propose, bob: User) -> None:
    order = propose()
    with pytest.raises(StaleOrder):
        services.approve(order.pk, by=bob, version=order.version + 1, at=NOON)


def test_an_order_changed_behind_our_back_is_not_approved(propose: Propose, bob: User) -> None:
    order = propose()
    Order.objects.filter(pk=order.pk).update(quantity=Decimal(100))
    with pytest.raises(CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert refusal.value.reason == "payload_hash_mismatch"


def test_an_order_nobody_decided_on_lapses_and_is_refused_before_the_job_runs(propose: Propose, bob: User) -> None:
    order = propose()
    late = NOON + timedelta(seconds=1801)
    with pytest.raises(CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=late)
    assert refusal.value.reason == "approval_expired"
    assert services.expire_stale(at=late) == 1
    assert services.expire_stale(at=late) == 0
    assert Order.objects.get(pk=order.pk).status == Status.LAPSED


def test_an_approver_s_authority_has_an_end(propose: Propose, bob: User) -> None:
    order = propose()
    make_limits(max_approval_usd=Decimal(100))
    with pytest.raises(CheckFailed) as refusal:
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert refusal.value.reason == "approver_limit"


def test_a_declined_order_has_a_reason_and_no_way_on(propose: Propose, bob: User, bea: User) -> None:
    order = propose()
    with pytest.raises(ReasonMissing):
        services.decline(order.pk, by=bob, version=order.version, reason=" ", at=NOON)
    services.decline(order.pk, by=bob, version=order.version, reason="too much Apple", at=NOON)
    with pytest.raises(IllegalTransition):
        services.approve(order.pk, by=bea, version=order.version + 1, at=NOON)
    assert not Outbox.objects.exists()


def test_another_person_s_order_cannot_be_taken_back(propose: Propose, ben: User) -> None:
    order = propose()
    with pytest.raises(Missing):
        services.cancel(order.pk, owner=ben, by=f"user:{ben.pk}", at=NOON)


def test_a_change_whose_event_cannot_be_written_does_not_happen(
    propose: Propose, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = propose()

    def disk_full(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(ComplianceEvent.objects, "bulk_create", disk_full)
    with pytest.raises(OSError, match="No space"):
        services.approve(order.pk, by=bob, version=order.version, at=NOON)
    assert Order.objects.get(pk=order.pk).status == Status.PENDING_APPROVAL
    assert not Approval.objects.exists()


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one lock for all")
@pytest.mark.django_db(transaction=True)
def test_an_order_s_account_is_locked_before_the_order_and_both_are_read_as_they_are_then(propose: Propose) -> None:
    order, found = propose(), []

    def look() -> None:
        with transaction.atomic():
            seen, account = queries.locked(order.pk)
            found.append((seen.version, seen.status, account.cash_usd))
        connection.close()

    waiting = threading.Thread(target=look)
    with transaction.atomic():
        account = Account.objects.select_for_update().get(pk=order.account_id)
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive()
        assert Order.objects.select_for_update(nowait=True, of=("self",)).get(pk=order.pk).version == 1
        transitions.move(order, Event.DECLINE, actor="user:1", at=NOON)
        account.cash_usd = Decimal(7)
        account.save()
    waiting.join()
    assert found == [(2, Status.DECLINED, Decimal(7))]

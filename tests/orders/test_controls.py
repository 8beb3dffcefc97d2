"""What bounds trading, set by people in the admin: limits, trading states, breaks, conflicts, lent authority, and the
password that a decision takes."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from compliance.models import ComplianceEvent
from orders import queries, reconciliation, safeguards
from orders.admin.limits import LIMIT_FIELDS
from orders.models import Account, Break, Conflict, Delegation, Limits, Order, Status, TradingState
from tests.conftest import person
from tests.orders.test_admin import decide, decide_many, fresh, place, review_url, told

LIMITS, STATES, BREAKS = (f"/admin/orders/{name}/" for name in ("limits", "tradingstate", "break"))
AN_HOUR = timedelta(hours=1)


@pytest.fixture
def otto(client: Client, db: None) -> User:
    """Operations, at the admin."""
    user = person("otto", "Operations", is_staff=True)
    client.force_login(user)
    return user


@pytest.fixture
def at_the_console(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


@pytest.fixture
def later() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


def stated(**changes: Any) -> dict[str, Any]:
    """The form of a new version, filled with what holds."""
    newest = Limits.objects.filter(scope="firm").latest("version")
    given = {field: getattr(newest, field) for field in LIMIT_FIELDS}
    given = {field: "on" if value is True else value for field, value in given.items() if value not in (None, False)}
    return {"scope": "firm", "reason": "smaller orders", **given, **changes}


def actions(action: str) -> list[dict[str, Any]]:
    return [event.details for event in ComplianceEvent.objects.filter(action=action).order_by("id")]


def test_limits_are_proposed_by_one_and_approved_by_another(client: Client, otto: User, carol: User, ann: User) -> None:
    client.post(f"{LIMITS}add/", stated(max_quantity="5"))
    change = Limits.objects.latest("version")
    assert (change.set_by, change.approved_at) == (f"user:{otto.pk}", None)
    held = place(ann)

    client.post(LIMITS, {"action": "approve_selected", "_selected_action": [str(change.pk)]})
    assert Limits.objects.get(pk=change.pk).approved_at is None
    client.force_login(carol)
    client.post(LIMITS, {"action": "approve_selected", "_selected_action": [str(change.pk)]})

    assert Limits.objects.get(pk=change.pk).approved_by == f"user:{carol.pk}"
    limits = queries.current_limits(held.account_id, "AAPL")
    assert limits is not None
    assert limits.max_quantity == 5
    assert (len(actions("limits_set")), len(actions("limits_approved"))) == (1, 1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": ""}, "required"),
        ({"scope": "everywhere"}, "A scope is firm"),
        ({"scope": "symbol:NOPE"}, "not one we know"),
        ({"scope": "account:999"}, "no such account"),
        ({"max_quantity": ""}, "The firm states every limit"),
        ({"collar_pct": "-1"}, "zero or more"),
        ({}, "Nothing is changed"),
    ],
)
def test_limits_that_make_no_sense_are_told_so(
    client: Client, otto: User, changes: dict[str, str], problem: str
) -> None:
    page = client.post(f"{LIMITS}add/", stated(**changes)).content.decode()
    assert problem in page
    assert Limits.objects.count() == 1


def test_a_version_is_never_rewritten(client: Client, olga: User) -> None:
    client.force_login(olga)
    row = Limits.objects.get()
    assert client.post(f"{LIMITS}{row.pk}/change/", stated(max_quantity="9")).status_code == 403
    assert client.post(f"{LIMITS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Limits.objects.get().max_quantity == row.max_quantity


def test_trading_is_halted_and_let_go_on_by_hand(client: Client, otto: User, ann: User) -> None:
    account = Account.objects.get(owner=ann)
    client.post(f"{STATES}add/", {"state": "halted", "account": account.pk, "reason": "asked to"})
    assert queries.halt_reason("AAPL", account.pk, at=timezone.now()) == "asked to"
    row = TradingState.objects.get()

    page = client.post(STATES, {"action": "close_selected", "_selected_action": [str(row.pk)]}).content.decode()
    assert "account of ann" in page
    assert "Say why." in client.post(f"{STATES}close/", {"row": row.pk}).content.decode()
    client.post(f"{STATES}close/", {"row": row.pk, "reason": "settled"})

    assert queries.halt_reason("AAPL", account.pk, at=timezone.now()) == ""
    assert actions("trading_halted")[0]["account"] == account.pk
    assert actions("trading_resumed")[0] == {"symbol": "", "account": account.pk, "reason": "settled", "lifted": 1}


@pytest.mark.parametrize(
    "wanted", [{"symbol": "NOPE"}, {"symbol": "AAPL", "account": "1"}, {"until_0": "2020-01-01", "until_1": "10:00"}]
)
def test_a_state_that_makes_no_sense_is_not_set(client: Client, otto: User, ann: User, wanted: dict[str, str]) -> None:
    account = str(Account.objects.get(owner=ann).pk)
    wanted = {name: account if name == "account" else value for name, value in wanted.items()}
    response = client.post(f"{STATES}add/", {"state": "halted", "reason": "x", **wanted})
    assert response.status_code == 200
    assert not TradingState.objects.exists()


def test_who_only_looks_sets_and_lifts_nothing(client: Client, bob: User, db: None) -> None:
    safeguards.halt(reason="fire", by="user:1", at=timezone.now())
    client.force_login(bob)
    row = TradingState.objects.get()
    assert client.post(f"{STATES}add/", {"state": "halted", "reason": "x"}).status_code == 403
    assert client.post(f"{STATES}close/", {"row": row.pk, "reason": "x"}).status_code == 403
    assert TradingState.objects.get().lifted_at is None


def test_a_break_is_resolved_with_what_it_came_from(client: Client, otto: User, ann: User) -> None:
    account = Account.objects.get(owner=ann)
    at = timezone.now()
    row = reconciliation.note(Break.Kind.POSITION, "AAPL", ours="1", theirs="2", account=account, at=at)
    assert row is not None
    page = client.post(BREAKS, {"action": "close_selected", "_selected_action": [str(row.pk)]}).content.decode()
    assert "Resolve 1?" in page
    client.post(f"{BREAKS}close/", {"row": row.pk, "reason": "a split"})
    assert Break.objects.get().resolution == "a split"
    assert actions("break_resolved")


def test_people_in_conflict_do_not_decide_on_each_other(client: Client, carol: User, ann: User, bob: User) -> None:
    client.force_login(carol)
    client.post("/admin/orders/conflict/add/", {"one": ann.pk, "other": bob.pk, "reason": "married"})
    assert Conflict.objects.count() == 1
    order = place(ann)
    client.force_login(bob)
    response = decide(client, order, "approve")
    assert "these two do not decide on each other" in told(response)[-1]
    assert fresh(order).status == Status.PENDING_APPROVAL
    assert actions("conflict_changed")[0]["change"] == "added"


def test_authority_is_lent_by_a_third_person_for_a_time(
    client: Client, carol: User, bob: User, ann: User, later: time_machine.Traveller
) -> None:
    dora = person("dora", "Operations", is_staff=True)
    now = timezone.now()
    loan = {
        "giver": bob.pk,
        "taker": dora.pk,
        "starts_at_0": f"{now:%Y-%m-%d}",
        "starts_at_1": "00:00:00",
        "ends_at_0": f"{now + timedelta(days=2):%Y-%m-%d}",
        "ends_at_1": "00:00:00",
        "reason": "holiday",
    }
    client.force_login(bob)
    assert client.post("/admin/orders/delegation/add/", loan).status_code == 403
    client.force_login(carol)
    client.post("/admin/orders/delegation/add/", loan)
    assert Delegation.objects.count() == 1

    client.force_login(dora)
    order = place(ann)
    decide(client, order, "approve")
    assert fresh(order).status == Status.APPROVED
    later.shift(timedelta(days=3))
    client.force_login(dora)
    late = place(ann, "MSFT")
    decide(client, late, "approve")
    assert fresh(late).status == Status.PENDING_APPROVAL


def test_a_decision_takes_a_password_of_the_last_quarter_of_an_hour(
    at_the_console: Client, ann: User, later: time_machine.Traveller
) -> None:
    later.shift(timedelta(minutes=16))
    order = place(ann)
    page = decide(at_the_console, order, "approve", reason="fine").content.decode()
    assert "Your password, please" in page
    carried = {"order": f"{order.pk}:{order.version}", "decision": "approve", "reason": "fine", "back": "review"}

    wrong = at_the_console.post("/admin/orders/order/password/", {**carried, "password": "guess"})
    assert "That is not your password." in wrong.content.decode()
    assert fresh(order).status == Status.PENDING_APPROVAL
    back = at_the_console.post("/admin/orders/order/password/", {**carried, "password": "secret"}, follow=True)

    assert "Nothing is decided yet" in told(back)[0]
    assert back.context["draft"] == "fine"
    assert fresh(order).status == Status.PENDING_APPROVAL
    decide(at_the_console, order, "approve")
    assert fresh(order).status == Status.APPROVED
    assert actions("login")[-1] == {"door": "decision"}
    assert len(ComplianceEvent.objects.filter(action="login_failed")) == 1


def test_many_at_once_take_the_password_too(at_the_console: Client, ann: User, later: time_machine.Traveller) -> None:
    later.shift(timedelta(minutes=16))
    order = place(ann)
    assert "Your password, please" in decide_many(at_the_console, [order], "decline", "no").content.decode()
    assert fresh(order).status == Status.PENDING_APPROVAL


def tainted(owner: User) -> Order:
    return place(owner, "TSLA", is_tainted=True, words="what is in the news?", rationale="Pre-approved by Compliance")


def test_a_tainted_order_says_so_and_takes_two_people_with_reasons(
    at_the_console: Client, client: Client, ann: User, bea: User
) -> None:
    order = tainted(ann)
    page = at_the_console.get(review_url(order)).content.decode()
    assert "Not in ann’s own words." in page
    assert "A model’s text" in page

    assert "say why the order may go on" in told(decide(at_the_console, order, "approve"))[0]
    assert "1 of 2 approvals given" in told(decide(at_the_console, order, "approve", reason="she called me"))[0]
    assert "you have approved this order already" in told(decide(at_the_console, order, "approve", reason="again"))[0]
    assert fresh(order).status == Status.PENDING_APPROVAL
    client.force_login(bea)
    decide(client, order, "approve", reason="so she did")
    assert fresh(order).status == Status.APPROVED
    assert order.approvals.count() == 2


def test_a_bulk_approval_leaves_out_what_is_tainted_large_or_failing(at_the_console: Client, ann: User) -> None:
    Account.objects.filter(owner=ann).update(cash_usd=Decimal(1_000_000))
    good, poisoned, large, halted = place(ann), tainted(ann), place(ann, "MSFT", "190"), place(ann, "F")
    safeguards.halt(symbol="F", reason="news", by="user:1", at=timezone.now())
    chosen = [good, poisoned, large, halted]
    assert large.approvals_needed == 2

    page = at_the_console.post(
        "/admin/orders/order/", {"action": "approve_selected", "_selected_action": [str(order.pk) for order in chosen]}
    )
    assert [line.order.pk for line in page.context["chosen"]] == [good.pk]
    assert len(page.context["left_out"]) == 3
    decide_many(at_the_console, chosen, "approve", "all of them")

    assert [fresh(order).status for order in chosen] == [Status.APPROVED, *[Status.PENDING_APPROVAL] * 3]
    assert not any(order.approvals.exists() for order in (poisoned, large, halted))


def test_the_page_shows_what_has_changed_since_the_proposal(
    at_the_console: Client, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place(ann)
    price = order.quote_usd
    assert price is not None
    Account.objects.filter(owner=ann).update(cash_usd=Decimal(50_000))

    def dearer(symbol: str, at: datetime) -> Decimal:
        return (price * Decimal("1.02")).quantize(Decimal("0.01"))

    monkeypatch.setattr("orders.quotes.simulated._price", dearer)
    page = at_the_console.get(review_url(order))
    changed = {row.what: row.change for row in page.context["differences"] if row.change}
    assert changed["Cash, USD"] == "-50,000.00"
    assert changed["Price, USD"].startswith("+")
    assert "PRICE_DRIFT" in page.content.decode()
    assert "the market has moved" in told(decide(at_the_console, order, "approve"))[0]

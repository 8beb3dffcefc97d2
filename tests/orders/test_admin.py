"""The approval console: who sees it, what it shows, and what its two buttons do."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from compliance.models import ComplianceEvent
from orders import execution, review, risk, safeguards, services
from orders.admin import queue
from orders.models import Account, Approval, Execution, Order, Outbox, Position, Side, Status
from tests.conftest import person

AT_APPROVAL = sum("A" in rule.phases for rule in risk.RULES)
QUEUE = "/admin/orders/order/"
DECIDE = "/admin/orders/order/decide/"
HOSTILE = '<script>alert(1)</script> {{ 7*7 }} <b x-data="alert(2)">hi</b>'


@pytest.fixture
def now() -> datetime:
    """The console reads the clock, so its orders are of today."""
    return timezone.now()


def place(owner: User, symbol: str = "AAPL", quantity: str = "10", at: datetime | None = None, **more: Any) -> Order:
    key = f"{owner.username}:{Order.objects.count()}"
    request = services.Request(
        key=key, symbol=symbol, side="buy", quantity=quantity, **{"words": f"Buy {quantity} {symbol}", **more}
    )
    order = services.propose(request, owner=owner, by="agent:trading", at=at or timezone.now())
    assert order.status == Status.PENDING_APPROVAL, order.checks
    return order


@pytest.fixture
def order(ann: User) -> Order:
    return place(ann)


@pytest.fixture
def approver(client: Client, bob: User) -> Client:
    client.force_login(bob)
    return client


def review_url(order: Order) -> str:
    return reverse("admin:orders_order_review", args=[order.pk])


def told(response: Any) -> list[str]:
    """The messages of the page that a decision leads to."""
    return [str(message) for message in response.context["messages"]]


def decide(client: Client, order: Order, decision: str, **more: Any) -> Any:
    return client.post(review_url(order), {"decision": decision, "version": order.version, **more}, follow=True)


def decide_many(client: Client, orders: list[Order], decision: str, reason: str = "") -> Any:
    chosen = [f"{order.pk}:{order.version}" for order in orders]
    return client.post(DECIDE, {"decision": decision, "reason": reason, "order": chosen}, follow=True)


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


@pytest.mark.parametrize("url", [QUEUE, "/admin/orders/execution/", "/admin/orders/account/"])
@pytest.mark.parametrize(
    ("who", "group", "is_staff", "status"),
    [
        ("bob", "Approvers", True, 200),
        ("carol", "Compliance", True, 200),
        ("tom", "Traders", True, 403),
        ("ann", "Traders", False, 302),
    ],
)
def test_the_lists_are_for_who_may_view_them(
    client: Client, db: None, url: str, who: str, group: str, is_staff: bool, status: int
) -> None:
    client.force_login(person(who, group, is_staff=is_staff))

    assert client.get(url).status_code == status


def test_operations_see_orders_and_neither_fills_nor_accounts(client: Client, db: None) -> None:
    client.force_login(person("otto", "Operations", is_staff=True))

    assert client.get(QUEUE).status_code == 200
    assert client.get("/admin/orders/execution/").status_code == 403
    assert client.get("/admin/orders/account/").status_code == 403
    assert client.get("/admin/orders/limits/").status_code == 200
    assert client.get("/admin/orders/tradingstate/").status_code == 200


def test_nobody_adds_changes_or_deletes_an_order_not_even_a_superuser(client: Client, olga: User, order: Order) -> None:
    client.force_login(olga)

    assert client.get(f"{QUEUE}add/").status_code == 403
    assert client.post(f"{QUEUE}{order.pk}/delete/", {"post": "yes"}).status_code == 403
    assert client.post(f"{QUEUE}{order.pk}/change/", {"quantity": "1"}).status_code == 302
    client.post(QUEUE, {"action": "delete_selected", "_selected_action": [str(order.pk)], "post": "yes"})
    assert fresh(order).quantity == 10


def test_the_change_page_of_an_order_is_its_review_page(approver: Client, order: Order) -> None:
    response = approver.get(f"{QUEUE}{order.pk}/change/")

    assert response.status_code == 302
    assert response.headers["Location"] == review_url(order)


def test_the_queue_shows_who_wants_what_and_what_it_is_worth(approver: Client, order: Order) -> None:
    page = approver.get(QUEUE).content.decode()

    for text in (
        str(order.pk)[:8],
        "ann",
        "10 AAPL",
        review.usd(order.notional_usd),
        "Pending Approval",
        review_url(order),
    ):
        assert text in page


def test_what_waits_comes_first_until_somebody_asks_for_a_status(approver: Client, ann: User, bea: User) -> None:
    first, second = place(ann, "AAPL"), place(ann, "MSFT")
    services.decline(second.pk, by=bea, version=second.version, reason="no", at=timezone.now())

    assert [row.pk for row in approver.get(QUEUE).context["cl"].result_list] == [first.pk, second.pk]
    declined = approver.get(f"{QUEUE}?status__exact=declined").context["cl"].result_list
    assert [row.pk for row in declined] == [second.pk]


@pytest.mark.parametrize("term", ["MSFT", "ben", "id", "client id"])
def test_an_order_is_found_by_symbol_maker_and_ids(approver: Client, ann: User, ben: User, term: str) -> None:
    place(ann, "AAPL")
    wanted = place(ben, "MSFT")
    words = {"id": str(wanted.pk)[:8], "client id": wanted.client_order_id}.get(term, term)

    found = approver.get(QUEUE, {"q": words}).context["cl"].result_list

    assert [row.pk for row in found] == [wanted.pk]


def test_the_queue_takes_as_many_queries_for_twenty_orders_as_for_two(
    approver: Client, ann: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(1, 21):
        place(ann, "F", quantity=str(number))

    with django_assert_max_num_queries(12):
        approver.get(QUEUE)


def test_the_badge_counts_what_waits(approver: Client, order: Order, rf: Any, bob: User) -> None:
    request = rf.get("/admin/")
    request.user = bob

    assert queue.waiting(request) == 1
    assert queue.may_see_orders(request)


def test_a_trader_has_no_badge(rf: Any, ann: User) -> None:
    request = rf.get("/admin/")
    request.user = ann

    assert queue.waiting(request) == ""


def test_the_review_page_shows_all_that_a_decision_takes(approver: Client, order: Order) -> None:
    page = approver.get(review_url(order)).content.decode()

    for text in (
        "10 AAPL",
        "Apple Inc.",
        "Buy 10 AAPL",
        "ann",
        "Pending Approval",
        review.usd(order.notional_usd),
        "100,000.00",
        "at market, good for the day",
        "INSUFFICIENT_BUYING_POWER",
        "there is not enough free cash",
        f"all {AT_APPROVAL} pass",
        "A model’s text",
        order.payload_sha256,
        f'name="version" value="{order.version}"',
        "proposed",
    ):
        assert text in page, text


def test_the_effect_is_reckoned_for_a_sale_too(approver: Client, ann: User, account: Account) -> None:
    Position.objects.create(
        account=account, symbol="AAPL", quantity=Decimal(30), avg_cost_usd=Decimal(100), realized_pnl_usd=Decimal(0)
    )
    request = services.Request(
        key="sale", symbol="AAPL", side="sell", quantity="10", order_type="limit", limit_price="200"
    )
    order = services.propose(request, owner=ann, by="agent:trading", at=timezone.now())

    effects = approver.get(review_url(order)).context["effects"]

    assert effects == [
        ("Shares of AAPL", "30", "-10", "20"),
        ("Cash, USD", "100,000.00", "+2,000.00", "102,000.00"),
        ("Free cash, USD", "100,000.00", "+2,000.00", "102,000.00"),
    ]


def test_free_cash_leaves_out_what_other_open_orders_need(approver: Client, ann: User) -> None:
    place(ann, "MSFT", order_type="limit", limit_price="100", quantity="10")
    order = place(ann, "AAPL", order_type="limit", limit_price="200")

    effects = approver.get(review_url(order)).context["effects"]

    assert effects[2] == ("Free cash, USD", "99,000.00", "-2,000.00", "97,000.00")


def test_an_order_that_does_not_exist_is_not_found(approver: Client) -> None:
    assert approver.get(f"{QUEUE}{UUID(int=1)}/review/").status_code == 404


def test_the_review_page_is_not_for_who_may_not_view_orders(client: Client, order: Order) -> None:
    client.force_login(person("tom", "Traders", is_staff=True))

    assert client.get(review_url(order)).status_code == 403
    assert decide(client, order, "approve").status_code == 403
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_approving_leaves_the_approval_the_work_and_a_word(approver: Client, order: Order, bob: User) -> None:
    response = decide(approver, order, "approve", reason="fits the plan")

    assert response.redirect_chain == [(review_url(order), 302)]
    assert told(response) == [f"Order {str(order.pk)[:8]} approved: buy 10 AAPL."]
    assert fresh(order).status == Status.APPROVED
    approval = Approval.objects.get(order=order)
    assert (approval.checker, approval.reason) == (bob, "fits the plan")
    assert Outbox.objects.filter(order=order, kind=Outbox.Kind.SUBMIT).exists()


def test_an_approval_needs_no_reason_and_a_refusal_does(approver: Client, ann: User) -> None:
    kept, gone = place(ann, "AAPL"), place(ann, "MSFT")

    assert "say why the order is declined" in told(decide(approver, kept, "decline"))[0]
    assert fresh(kept).status == Status.PENDING_APPROVAL
    decide(approver, kept, "approve")
    assert fresh(kept).status == Status.APPROVED
    decide(approver, gone, "decline", reason="too much")
    assert fresh(gone).status == Status.DECLINED
    assert ComplianceEvent.objects.get(order_id=gone.pk, action="order_declined").details["reason"] == "too much"


@pytest.mark.parametrize(
    "form",
    [
        {"decision": "approve"},
        {"decision": "approve", "version": "x"},
        {"decision": "submit", "version": "1"},
        {"version": "1"},
        {"decision": "approve", "version": "1", "reason": "x" * 501},
        {"decision": "approve", "version": "9" * 5000},
        {"decision": "approve", "version": "1", "reason": "\x00"},
    ],
)
def test_a_decision_that_cannot_be_read_changes_nothing(approver: Client, order: Order, form: dict[str, str]) -> None:
    response = approver.post(review_url(order), form, follow=True)

    assert response.status_code == 200
    assert told(response)
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_a_stale_page_is_refused(approver: Client, order: Order) -> None:
    response = approver.post(review_url(order), {"decision": "approve", "version": order.version - 1}, follow=True)

    assert "the order has changed since it was shown" in told(response)[0]
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_a_second_decision_is_refused(approver: Client, order: Order) -> None:
    decide(approver, order, "approve")

    response = decide(approver, order, "decline", reason="changed my mind")

    assert "the order is approved already" in told(response)[0]
    assert fresh(order).status == Status.APPROVED


def test_nobody_decides_on_an_order_of_their_own(approver: Client, bob: User) -> None:
    services.open_account(bob, cash_usd=Decimal(10_000), by="system:test", at=timezone.now())
    own = place(bob)

    page = approver.get(review_url(own)).content.decode()
    assert "This order is your own" in page
    assert 'value="approve"' not in page
    assert "nobody approves an order of their own" in told(decide(approver, own, "approve"))[0]
    assert fresh(own).status == Status.PENDING_APPROVAL
    assert ComplianceEvent.objects.get(order_id=own.pk, action="refused").details["code"] == "self_approval"


def test_compliance_looks_and_does_not_decide(client: Client, carol: User, order: Order) -> None:
    client.force_login(carol)

    page = client.get(review_url(order)).content.decode()
    assert "Deciding on them takes an approver" in page
    assert 'value="approve"' not in page
    assert "only an approver decides" in told(decide(client, order, "approve"))[0]
    assert decide_many(client, [order], "approve").status_code == 403
    assert "approve_selected" not in client.get(QUEUE).content.decode()
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_approve_is_disabled_while_a_check_fails_and_says_why(approver: Client, order: Order) -> None:
    safeguards.halt(symbol="AAPL", reason="news pending", by="user:1", at=timezone.now())

    page = approver.get(review_url(order)).content.decode()
    assert 'value="approve" formnovalidate disabled' in page
    assert "trading is halted (allowed no halt, is news pending)" in page
    assert f"1 of {AT_APPROVAL} fail" in page
    assert "trading is halted" in told(decide(approver, order, "approve"))[0]
    decide(approver, order, "decline", reason="halted")
    assert fresh(order).status == Status.DECLINED


def test_an_order_past_its_time_can_only_be_declined(approver: Client, ann: User, now: datetime) -> None:
    late = place(ann, at=now - timedelta(minutes=31))

    page = approver.get(review_url(late)).content.decode()

    assert "1 min ago" in page
    assert 'value="approve" formnovalidate disabled' in page


def test_a_decided_order_has_no_buttons_and_tells_its_end(approver: Client, order: Order) -> None:
    decide(approver, order, "approve", reason="fits")
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=timezone.now())

    page = approver.get(review_url(order)).content.decode()

    assert fresh(order).status == Status.FILLED
    assert "This order is filled: there is nothing left to decide." in page
    assert 'value="approve"' not in page
    assert "Approved by <strong>bob</strong>" in page
    assert "10 of 10" in page
    assert Execution.objects.get(order=order).exec_id in page


def test_what_strangers_wrote_is_text_on_every_page(approver: Client, ann: User) -> None:
    order = place(ann, words=HOSTILE, rationale=HOSTILE)

    page = approver.get(review_url(order)).content.decode()

    assert "<script>alert" not in page
    assert 'x-data="alert' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in page


def test_what_strangers_hid_is_seen(approver: Client, ann: User) -> None:
    order = place(ann, words="Buy \u202e10\u200b AAPL\x07\nplease | now", rationale="\u2066ok")

    context = approver.get(review_url(order)).context

    assert context["words"] == "Buy \\u202e10\\u200b AAPL\\u0007\nplease | now"
    assert context["rationale"] == "\\u2066ok"


def test_ten_thousand_lines_are_announced_and_kept_in_their_box(approver: Client, ann: User) -> None:
    order = place(ann, words="Buy" + "\n" * 10_000 + "10 AAPL")

    page = approver.get(review_url(order)).content.decode()

    assert "10,001 lines, scroll to read all" in page
    assert '<blockquote class="nx-words"' in page


def test_the_actions_lead_to_a_page_that_lists_exactly_the_chosen(approver: Client, ann: User) -> None:
    chosen, other = [place(ann, "AAPL"), place(ann, "MSFT")], place(ann, "F")

    response = approver.post(
        QUEUE, {"action": "approve_selected", "_selected_action": [str(order.pk) for order in chosen], "index": "0"}
    )

    page = response.content.decode()
    assert "Approve 2 orders?" in page
    for order in chosen:
        assert f'name="order" value="{order.pk}:{order.version}"' in page
    assert str(other.pk) not in page
    assert not Approval.objects.exists()


def test_the_labels_of_the_actions_are_the_contract(approver: Client, order: Order) -> None:
    page = approver.get(QUEUE).content.decode()

    assert "Approve selected orders" in page
    assert "Decline selected orders" in page


def test_a_bulk_approval_tells_of_each_and_one_refusal_stops_no_other(
    approver: Client, ann: User, bob: User, bea: User
) -> None:
    services.open_account(bob, cash_usd=Decimal(10_000), by="system:test", at=timezone.now())
    good, own, restricted, changed = place(ann, "AAPL"), place(bob, "MSFT"), place(ann, "TSLA"), place(ann, "F")
    last = place(ann, "AMZN", quantity="1")
    safeguards.halt(symbol="TSLA", reason="news", by="user:1", at=timezone.now())
    services.decline(changed.pk, by=bea, version=changed.version, reason="no", at=timezone.now())

    response = decide_many(approver, [good, own, restricted, changed, last], "approve", "batch")

    assert told(response) == [
        f"Order {str(good.pk)[:8]} approved: buy 10 AAPL.",
        f"Order {str(own.pk)[:8]} was not approved: nobody approves an order of their own.",
        f"Order {str(restricted.pk)[:8]} was not approved: trading is halted (allowed no halt, is news).",
        f"Order {str(changed.pk)[:8]} was not approved: the order is declined already.",
        f"Order {str(last.pk)[:8]} approved: buy 1 AMZN.",
    ]
    assert [fresh(order).status for order in (good, own, restricted, changed, last)] == [
        Status.APPROVED,
        Status.PENDING_APPROVAL,
        Status.PENDING_APPROVAL,
        Status.DECLINED,
        Status.APPROVED,
    ]


def test_a_bulk_decision_holds_to_the_versions_that_were_shown(approver: Client, order: Order) -> None:
    response = approver.post(DECIDE, {"decision": "approve", "order": f"{order.pk}:{order.version - 1}"}, follow=True)

    assert "the order has changed since it was shown" in told(response)[0]
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_declining_several_asks_for_the_reason_again_and_keeps_the_choice(approver: Client, ann: User) -> None:
    orders = [place(ann, "AAPL"), place(ann, "MSFT")]

    page = decide_many(approver, orders, "decline", "  ").content.decode()
    assert "Say why they are declined." in page
    assert f'value="{orders[0].pk}:{orders[0].version}"' in page
    assert all(fresh(order).status == Status.PENDING_APPROVAL for order in orders)
    decide_many(approver, orders, "decline", "not today")
    assert all(fresh(order).status == Status.DECLINED for order in orders)


@pytest.mark.parametrize("chosen", [[], ["x"], ["1:1"], [f"{UUID(int=1)}"], ["-" * 36 + ":1"]])
def test_a_bulk_decision_that_cannot_be_read_is_a_bad_request(approver: Client, db: None, chosen: list[str]) -> None:
    assert approver.post(DECIDE, {"decision": "approve", "order": chosen}).status_code == 400
    assert approver.post(DECIDE, {"decision": "burn", "order": f"{UUID(int=1)}:1"}).status_code == 400


def test_the_form_is_protected_against_forgery(bob: User, order: Order) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(bob)

    assert decide(client, order, "approve").status_code == 403
    assert decide_many(client, [order], "approve").status_code == 403
    assert fresh(order).status == Status.PENDING_APPROVAL


def test_an_account_shows_its_positions_and_changes_nothing(approver: Client, account: Account) -> None:
    Position.objects.create(
        account=account, symbol="AAPL", quantity=Decimal(30), avg_cost_usd=Decimal("101.5"), realized_pnl_usd=Decimal(0)
    )
    url = f"/admin/orders/account/{account.pk}/change/"

    page = approver.get(url).content.decode()

    assert "AAPL" in page
    assert "101.50" in page
    assert approver.post(url, {"cash_usd": "1"}).status_code == 403
    assert approver.post(f"/admin/orders/account/{account.pk}/delete/").status_code == 403


def test_a_stretch_of_time_is_told_in_two_units() -> None:
    lengths = (
        timedelta(seconds=-3),
        timedelta(seconds=45),
        timedelta(minutes=12),
        timedelta(hours=3, minutes=5),
        timedelta(days=2, hours=4),
    )

    assert [review.span(length) for length in lengths] == ["0 s", "45 s", "12 min", "3 h 5 min", "2 d 4 h"]


def test_dollars_are_told_in_cents_unless_there_is_more() -> None:
    assert [review.usd(amount) for amount in (None, Decimal("1234.5"), Decimal("0.123400"))] == [
        "–",
        "1,234.50",
        "0.1234",
    ]


def test_both_sides_and_every_status_have_a_colour() -> None:
    assert set(review.SIDE_COLOURS) == set(Side)
    assert set(review.STATUS_COLOURS) == set(Status)

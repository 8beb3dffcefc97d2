"""An order's way as people see it: ann asks over HTTP, bob decides in a browser, carol reads the trail."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.journeys import browsing
from tests.journeys.browsing import Desk
from tests.journeys.conftest import Product, launch


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Product]:
    """One of this file's own, so that nobody else's orders are in the queue or look like ours."""
    yield from launch(tmp_path_factory.mktemp("browser"))


@pytest.fixture
def desk(product: Product, chromium: str) -> Iterator[Desk]:
    with browsing.at(product, chromium) as desk:
        yield desk
    assert desk.complaints == []
    assert desk.strangers == []


def test_bob_approves_what_ann_asked_for_and_carol_finds_every_step(desk: Desk) -> None:
    order_id = desk.order("ann", "Buy 10 shares of Apple")
    bob = desk.login("bob")
    expect(bob.get_by_text("PAPER TRADING")).to_be_visible()
    waiting = len(desk.product.call("GET", "/api/v1/approvals/", "bob").body["results"])
    expect(bob.locator("#nav-sidebar-apps").get_by_text(str(waiting), exact=True)).to_be_visible()

    desk.review(bob, order_id)
    expect(bob.locator("blockquote")).to_have_text("Buy 10 shares of Apple")
    expect(bob.get_by_role("heading", name="buy 10 AAPL", exact=True)).to_be_visible()
    expect(bob.get_by_label("What is asked")).to_contain_text("Apple Inc.")
    notional = f"{float(desk.product.order('ann', order_id)['notional']):,.2f}"
    expect(bob.get_by_label("What is asked")).to_contain_text(notional)
    expect(bob.get_by_label("Effect")).to_contain_text("+10")
    expect(bob.get_by_label("Checks now")).to_contain_text(re.compile(r"all \d+ pass"))
    expect(bob.get_by_label("Rationale")).to_contain_text("A model’s text")
    bob.get_by_label("Reason").fill("within her limits")
    bob.get_by_role("button", name="Approve").click()
    expect(bob.get_by_text(f"Order {order_id[:8]} approved: buy 10 AAPL.")).to_be_visible()

    filled = desk.product.wait_for("ann", order_id, "filled")
    assert filled["approval"]["checker"] == "bob"
    assert filled["approval"]["reason"] == "within her limits"
    expect(bob.locator("[data-status=filled]")).to_be_visible()
    expect(bob.get_by_role("button", name="Approve")).to_have_count(0)

    carol = desk.login("carol")
    carol.get_by_role("link", name="Audit trail").first.click()
    carol.locator("#searchbar").fill(order_id)
    carol.keyboard.press("Enter")
    rows = carol.locator("#result_list")
    for action in ("order proposed", "order approved", "order submitted", "order filled"):
        expect(rows).to_contain_text(action)
    expect(rows).to_contain_text("bob")
    expect(carol.get_by_role("link", name="Add")).to_have_count(0)
    expect(carol.get_by_text("Delete selected")).to_have_count(0)
    rows.locator("tr", has_text="order approved").locator("a").first.click()
    expect(carol.locator("pre").first).to_contain_text("within her limits")
    expect(carol.get_by_role("button", name="Save")).to_have_count(0)
    expect(carol.get_by_role("link", name="Delete")).to_have_count(0)


def test_bob_declines_with_a_reason_and_nothing_is_bought(desk: Desk) -> None:
    order_id = desk.order("ann", "Buy 7 shares of Microsoft")
    bob = desk.login("bob")
    desk.review(bob, order_id)

    bob.get_by_role("button", name="Decline").click()
    assert desk.product.order("ann", order_id)["status"] == "pending_approval", "the browser asks for a reason first"
    bob.get_by_label("Reason").fill("too close to the earnings call")
    bob.get_by_role("button", name="Decline").click()
    expect(bob.get_by_text(f"Order {order_id[:8]} declined: buy 7 MSFT.")).to_be_visible()

    bob.wait_for_timeout(1500)
    declined = desk.product.order("ann", order_id)
    assert declined["status"] == "declined"
    assert declined["executions"] == []
    assert declined["history"][-1]["reason"] == "too close to the earnings call"


def test_bob_approves_two_orders_at_once_from_the_list(desk: Desk) -> None:
    chosen = [desk.order("ann", "Buy 3 shares of Amazon"), desk.order("ben", "Buy 20 shares of Ford")]
    other = desk.order("ben", "Buy 2 shares of NVIDIA")
    bob = desk.login("bob")
    bob.get_by_role("link", name="Orders", exact=False).first.click()

    for order_id in chosen:
        bob.locator(f"input.action-select[value='{order_id}']").check()
    bob.get_by_label("Select action to run").select_option(label="Approve selected orders")
    bob.get_by_role("button", name="Run").click()
    expect(bob.get_by_role("heading", name="Approve 2 orders?")).to_be_visible()
    expect(bob.get_by_text(other[:8])).to_have_count(0)
    bob.get_by_role("button", name="Approve 2 orders").click()

    for order_id in chosen:
        expect(bob.get_by_text(f"Order {order_id[:8]} approved")).to_be_visible()
    desk.product.wait_for("ann", chosen[0], "filled")
    desk.product.wait_for("ben", chosen[1], "filled")
    assert desk.product.order("ben", other)["status"] == "pending_approval"
    assert desk.product.call("POST", f"/api/v1/orders/{other}/cancel/", "ben").status == 200


def test_a_trader_does_not_get_into_the_console(desk: Desk) -> None:
    ann = desk.login("ann")

    expect(ann.get_by_text("Please enter the correct username and password for a staff account")).to_be_visible()
    ann.goto(f"{desk.product.url}/admin/orders/order/")
    expect(ann.get_by_role("button", name="Log in")).to_be_visible()


def test_strangers_find_home_status_and_the_way_in(desk: Desk) -> None:
    page = desk.visitor()
    page.goto(desk.product.url)

    page.get_by_role("link", name="System status").click()
    expect(page.get_by_role("heading", name=re.compile("^(healthy|degraded)$"))).to_be_visible()
    page.goto(desk.product.url)
    page.get_by_role("link", name="Approval console").first.click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()

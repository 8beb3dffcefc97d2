"""A day of each role, in both themes and on a phone, in a house with a month behind it: every page is seen.

Pictures of all of them are kept in var/screenshots; somebody has to look at them.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys import browsing
from tests.journeys.browsing import FOLDER, IS_FIRST, LOOKS, Desk
from tests.journeys.conftest import Product, launch

HISTORY_DAYS = int(os.environ.get("NEXTRADE_HISTORY_DAYS", "21"))
IS_ALL = os.environ.get("NEXTRADE_BROWSER") == "required"
"""`make e2e`: every role in every look (one on the second database); without a browser's need, ann's day in one."""
whole_house = pytest.mark.skipif(not IS_ALL, reason="of `make e2e`")
IMAGES = ("desk", "review", "portfolio")
"""What README shows, of the light look."""


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Product]:
    yield from launch(tmp_path_factory.mktemp("day"), history_days=HISTORY_DAYS)


@pytest.fixture(params=LOOKS if IS_ALL and IS_FIRST else ["light"])
def desk(product: Product, chromium: str, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with browsing.at(product, chromium, request.param) as desk:
        yield desk
    desk.write_down()
    assert desk.complaints == []
    assert desk.strangers == []
    assert desk.barriers == []


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Which pages were seen in each look, by whichever role came first: the next looks at what is hers alone."""
    return {look: set() for look in LOOKS}


@pytest.fixture
def seen(desk: Desk, known: dict[str, set[str]]) -> set[str]:
    return known[desk.look]


def test_ann_asks_and_orders_and_reads_her_books(desk: Desk) -> None:
    ann = desk.sign_in("ann")
    expect(ann.get_by_role("heading", name="What would you like to know or trade?")).to_be_visible()
    desk.keep(ann, "ann-new")
    ann.get_by_role("button", name="What do I hold?").first.click()
    if desk.look != "phone":
        expect(ann.get_by_label("Message to the desk")).to_be_focused()
    ann.get_by_label("Message to the desk").fill("Compare Apple and Microsoft")
    ann.keyboard.press("Enter")
    expect(ann.locator(".said.assistant .words").last).to_contain_text("MSFT")
    expect(ann.locator(".sources").last).to_be_visible()

    ann.get_by_label("Message to the desk").fill(f"Buy {desk.some(3)} shares of Visa")
    ann.get_by_role("button", name="Send").click()
    card = ann.locator(".order").last
    expect(card).to_contain_text("Awaiting approval")
    expect(ann.locator("#side")).to_contain_text(f"Buy {desk.some(3)} V")
    order_id = str(card.get_attribute("id")).removeprefix("order-")
    decide(desk, order_id)
    expect(ann.locator(f"#order-{order_id}")).to_contain_text("approved by bob")
    expect(ann.locator(f"#order-{order_id}")).to_contain_text("Filled")
    expect(ann.locator("#talk")).to_contain_text(f"Filled: buy {desk.some(3)} V")
    before = ann.locator("#talk article").count()
    ann.locator(".sources summary").first.click()
    desk.keep(ann, "ann-talk")
    picture(ann, desk, "desk")
    ann.reload()
    expect(ann.locator("#talk article")).to_have_count(before)

    ann.get_by_label("Message to the desk").fill(f"Buy {desk.some(2)} shares of Disney")
    ann.keyboard.press("Enter")
    expect(ann.locator(".order").last).to_contain_text("Awaiting approval")
    ann.locator(".order").last.get_by_role("button", name="Cancel this order").click()
    expect(ann.locator(".order").last).to_contain_text("Withdrawn")

    for path in ("/portfolio/", "/orders/", f"/orders/{order_id}/", "/executions/", "/report/"):
        desk.look_at(ann, path, f"ann-{browsing.slug(path)}")
        if path == "/portfolio/":
            picture(ann, desk, "portfolio")
    ann.get_by_role("link", name="Earlier").click()
    desk.keep(ann, "ann-report-earlier")
    ann.goto(f"{desk.product.url}/orders/")
    ann.get_by_label("Which").select_option("open")
    expect(ann).to_have_url(f"{desk.product.url}/orders/?kind=open&symbol=")
    with ann.expect_download() as download:
        ann.goto(f"{desk.product.url}/executions/")
        ann.get_by_role("link", name="Download as CSV").click()
    assert b"executed_at" in Path(download.value.path()).read_bytes()


@whole_house
def test_bob_decides(desk: Desk, seen: set[str]) -> None:
    order_id = desk.order("ben", f"Buy {desk.some(4)} shares of Netflix")
    bob = desk.login("bob")
    every_page(desk, bob, "bob", seen)
    desk.look_at(bob, f"/admin/orders/order/{order_id}/review/", "bob-review")
    picture(bob, desk, "review")
    bob.get_by_label("Reason").fill("within his limits")
    bob.get_by_role("button", name="Approve", exact=True).click()
    filled = desk.product.wait_for("ben", order_id, "filled")
    assert filled["approval"]["checker"] == "bob"
    expect(bob.locator("[data-status=filled]")).to_be_visible()
    desk.keep(bob, "bob-receipt")


@whole_house
def test_carol_reads_the_trail(desk: Desk, seen: set[str]) -> None:
    carol = desk.login("carol")
    every_page(desk, carol, "carol", seen)
    carol.goto(f"{desk.product.url}/admin/compliance/complianceevent/")
    carol.locator("#result_list tbody a").first.click()
    desk.keep(carol, "carol-event")


@whole_house
def test_olga_keeps_the_house(desk: Desk, seen: set[str]) -> None:
    every_page(desk, desk.login("olga"), "olga", seen)


@whole_house
def test_strangers_see_the_doors_and_what_went_wrong(desk: Desk) -> None:
    page = desk.visitor()
    for path in ("/", "/login/", "/admin/login/", "/ht/", "/docs"):
        desk.look_at(page, path, f"stranger-{browsing.slug(path)}")
    calm = len(desk.complaints)
    desk.look_at(page, "/nowhere/", "stranger-404")
    assert all("404" in said for said in desk.complaints[calm:])  # the browser's own line about the status
    del desk.complaints[calm:]


@whole_house
def test_without_javascript_ann_asks_and_orders_all_the_same(product: Product, chromium: str) -> None:
    with browsing.at(product, chromium) as desk:
        page = desk.browser.new_context(java_script_enabled=False).new_page()
        page.goto(f"{product.url}/login/")
        page.get_by_label("User name").fill("ann")
        page.get_by_label("Password").fill(product.people["ann"]["password"])
        page.get_by_role("button", name="Sign in").click()
        page.get_by_label("Message to the desk").fill(f"Buy {desk.some(2)} shares of Walmart")
        page.get_by_role("button", name="Send").click()
        expect(page.locator(".order")).to_contain_text("Awaiting approval")
        page.get_by_role("button", name="Cancel this order").click()
        expect(page.locator(".order")).to_contain_text("Withdrawn")


def decide(desk: Desk, order_id: str) -> None:
    order = desk.product.order("bob", order_id)
    body = {"decision": "approve", "reason": "fine", "version": order["version"]}
    assert desk.product.call("POST", f"/api/v1/approvals/{order_id}/", "bob", body).status == 200


def every_page(desk: Desk, page: Page, who: str, seen: set[str]) -> None:
    """The home page and all that the sidebar leads to, but for what another has seen in this look."""
    desk.keep(page, f"{who}-home")
    links = page.locator("#nav-sidebar-apps a").evaluate_all("found => found.map(one => one.href)")
    assert links
    paths = [url.removeprefix(desk.product.url) for url in dict.fromkeys(links) if url.startswith(desk.product.url)]
    for path in paths:
        if path not in seen:
            desk.look_at(page, path, f"{who}-{browsing.slug(path.split('?')[0])}")
    seen.update(paths)


def picture(page: Page, desk: Desk, name: str) -> None:
    """For README, where `make screenshots` asks for it."""
    folder = os.environ.get("NEXTRADE_IMAGES")
    if not folder or desk.look != "light":
        return
    assert name in IMAGES
    page.wait_for_timeout(300)
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png")
    Path(folder).mkdir(parents=True, exist_ok=True)
    shutil.copy(FOLDER / f"{name}.png", Path(folder) / f"{name}.png")

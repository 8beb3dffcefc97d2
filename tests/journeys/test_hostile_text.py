"""R20: a stranger's text, shown in a real browser to each role, runs nowhere; no cell of a table is a formula, no line
of the log is forged. CAMPAIGN=long: more than five hundred strings, and more of them by way of the chat.
"""

import csv
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.journeys import browsing, hostile
from tests.journeys.browsing import Desk
from tests.journeys.conftest import Product, launch

IS_LONG = os.environ.get("CAMPAIGN") == "long"
STRINGS, SAID = (540, 120) if IS_LONG else (60, 8)
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \| [A-Z]+ \| [A-Z_]+ \| .*")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, chromium: str) -> Iterator[Product]:
    """ann has said some of it in the chat; the rest stands where the guard would not let it."""
    for product in launch(tmp_path_factory.mktemp("hostile"), history_days=2):
        texts = hostile.strings(STRINGS)
        for text in texts[:: max(1, len(texts) // SAID)]:
            product.call("POST", "/api/v1/chat/", "ann", {"message": text})
        product.order("ann", product.say("ann", "Buy 5 shares of Apple")["orders"][0]["order_id"])
        product.manage("shell", "-v", "0", "-c", f"from tests.journeys.hostile import plant; plant({STRINGS})")
        yield product


@pytest.fixture
def desk(product: Product, chromium: str) -> Iterator[Desk]:
    with browsing.at(product, chromium) as desk:
        yield desk
    assert desk.strangers == []


def test_nothing_of_it_runs_on_a_page_of_anybody(desk: Desk) -> None:
    assert len(hostile.strings(STRINGS)) == STRINGS
    ann = _listened(desk.sign_in("ann"))
    threads = ann.locator("#threads li a").evaluate_all("found => found.map(one => one.href)")
    waiting = desk.product.call("GET", "/api/v1/approvals/", "bob").body["results"]
    orders = [str(row["id"]) for row in waiting]
    seen = [
        *threads,
        "/portfolio/",
        "/orders/",
        "/executions/",
        "/report/",
        *(f"/orders/{each}/" for each in orders[:2]),
    ]
    _visit(desk, ann, seen)
    bob = _listened(desk.login("bob"))
    _visit(desk, bob, ["/admin/", "/admin/orders/order/", *(f"/admin/orders/order/{each}/review/" for each in orders)])
    carol = _listened(desk.login("carol"))
    trail = ["/admin/", "/admin/compliance/complianceevent/", "/admin/orders/execution/", "/admin/orders/order/"]
    _visit(desk, carol, trail)
    _visit(desk, _listened(desk.login("olga")), ["/admin/", "/admin/auth/user/", "/admin/agents/modelcall/"])
    assert [said for said in desk.complaints if "Refused to" in said] == [], "it was blocked: it should have been text"


def test_no_cell_is_a_formula_and_no_line_is_forged(desk: Desk) -> None:
    ann = desk.sign_in("ann")
    ann.goto(f"{desk.product.url}/executions/")
    with ann.expect_download() as download:
        ann.get_by_role("link", name="Download as CSV").click()
    text = Path(download.value.path()).read_text()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    from compliance import spreadsheet

    assert len(rows) > 3
    assert [cell for row in rows for cell in row if cell.startswith(spreadsheet.FORMULA)] == []

    log = (Path(desk.product.env["NEXTRADE_DATA_DIR"]) / "compliance.log").read_bytes().decode()
    lines = log.removesuffix("\n").split("\n")
    assert [line for line in lines if not LOG_LINE.fullmatch(line)] == []
    assert not set(log) & {"\r", "\u2028", "\x85", "\x1b"}
    assert not [line for line in lines if "Type: forged" in line.split("Details:")[0]]


def _listened(page: Page) -> Page:
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog on {page.url}: {dialog.message}"))
    return page


def _visit(desk: Desk, page: Page, paths: list[str]) -> None:
    assert paths
    for path in paths:
        page.goto(f"{desk.product.url}{path}" if path.startswith("/") else path)
        page.wait_for_timeout(250)
        assert page.evaluate("window.__ran") is None, path
        assert page.locator("script:not([src]):not([type='application/json']):not([nonce])").count() == 0 or (
            "/admin/" in path
        ), path

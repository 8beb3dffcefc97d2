"""How long each role's first pages take until they can be used, in a real browser, with a big past.

    python -m tests.performance.first_pages [--events 1000000] [--orders 200000] [--rounds 3]

The web processes of a running product on SQLite, or on PostgreSQL where TEST_DATABASE_URL is set; chromium on the same
machine. Milliseconds from the navigation's start, median: first byte, dom interactive, DOMContentLoaded's end, load.
Goal: usable (DOMContentLoaded's end) within 1,000 ms. Exits 1 where a page is over.
"""

import argparse
import secrets
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests.journeys import browsing
from tests.journeys.browsing import Desk
from tests.journeys.conftest import Product, launch

GOAL_MS = 1_000
TRAIL, QUEUE = "/admin/compliance/complianceevent/", "/admin/orders/order/"
PAGES = {
    "": ("/", "/login/", "/admin/login/", "/ht/", "/docs"),
    "trader7": ("/", "/portfolio/", "/orders/", "/executions/", "/report/"),
    "bob": ("/admin/", "/admin/week/", QUEUE, "/admin/orders/execution/", "review"),
    "carol": ("/admin/", TRAIL, f"{TRAIL}?q=trader7", "/admin/trail/", "/admin/compliance/reviewitem/", QUEUE),
    "olga": ("/admin/", "/admin/ops/", "/admin/agents/modelcall/", "/admin/ops/maintenancerun/jobs/", TRAIL),
}
MOMENTS = """(() => {
  const one = performance.getEntriesByType("navigation")[0];
  return [one.responseStart, one.domInteractive, one.domContentLoadedEventEnd, one.loadEventEnd];
})()"""


def measure(product: Product, *, rounds: int) -> list[tuple[str, str, list[float]]]:
    """Role, page and its four moments."""
    found = []
    with browsing.at(product, shutil.which("chromium") or "chromium") as desk:
        for who, paths in PAGES.items():
            page = _at_the_door(desk, who)
            for path in paths:
                url = _review(desk) if path == "review" else path
                seen = [_moments(page, f"{product.url}{url}") for _ in range(rounds)]
                found.append((who or "stranger", path, [statistics.median(each) for each in zip(*seen, strict=True)]))
    return found


def _at_the_door(desk: Desk, who: str) -> Page:
    if not who:
        return desk.visitor()
    return desk.sign_in(who) if who == "trader7" else desk.login(who)


def _review(desk: Desk) -> str:
    waiting = desk.product.call("GET", "/api/v1/approvals/", "bob").body["results"]
    return f"{QUEUE}{waiting[0]['id']}/review/"


def _moments(page: Page, url: str) -> list[float]:
    page.goto(url, wait_until="load")
    page.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    moments: list[float] = page.evaluate(MOMENTS)
    return moments


def fill(product: Product, *, events: int, orders: int) -> None:
    """The past, of which one trader gets a password; without the sealer and the worker, for whom it would be work."""
    for name in ("worker", "sealer"):
        product.stop(name)
    password = secrets.token_urlsafe(12)
    product.manage(
        "shell",
        "-v",
        "0",
        "-c",
        "from django.contrib.auth.models import Group, User; from tests.performance import filling; filling.hurry(); "
        f"filling.fill(events={events}, orders={orders}); user = User.objects.get(username='trader7'); "
        f"user.set_password('{password}'); user.save(); user.groups.add(Group.objects.get(name='Traders'))",
    )
    product.people["trader7"] = {"username": "trader7", "password": password}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--orders", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        for product in launch(Path(data)):
            fill(product, events=given.events, orders=given.orders)
            found = measure(product, rounds=given.rounds)
    print("who       page                                      first byte  interactive  usable    load")
    for who, path, moments in found:
        byte, interactive, usable, load = (round(each) for each in moments)
        over = " OVER" if usable > GOAL_MS else ""
        print(f"{who:9} {path:40} {byte:10} {interactive:12} {usable:7}{over:5} {load:7}")
    sys.exit(any(moments[2] > GOAL_MS for *_, moments in found))


if __name__ == "__main__":
    main()

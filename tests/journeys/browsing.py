"""A browser at the product: who looks, in which look, and what must never be seen."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.journeys.conftest import Product

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FOLDER = Path(os.environ.get("NEXTRADE_SCREENSHOTS", "var/screenshots")).resolve()
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 900}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "is_mobile": True, "has_touch": True},
}
SERIOUS = ("serious", "critical")
IS_FIRST = "TEST_DATABASE_URL" not in os.environ
"""On the second database pages are seen in one look and without axe: what axe judges does not depend on it."""
AXE = {"resultTypes": ["violations"]}
TIMES = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Desk:
    """One browser, with all that its pages complained of, asked other hosts for, and kept from somebody who cannot see
    or point. times: ms until a page could be used, by page."""

    product: Product
    browser: Browser
    look: str = "light"
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    barriers: list[str] = field(default_factory=list)
    times: dict[str, int] = field(default_factory=dict)

    def visitor(self) -> Page:
        page = self.browser.new_context(**LOOKS[self.look]).new_page()
        page.on("console", lambda said: self._complain(page, said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self._complain(page, str(error)))
        page.on("request", lambda request: self._note(request.url))
        return page

    def login(self, who: str) -> Page:
        """At the admin's door."""
        page = self.visitor()
        page.goto(f"{self.product.url}/admin/")
        page.get_by_label("Username").fill(who)
        page.get_by_label("Password").fill(self.product.people[who]["password"])
        page.get_by_role("button", name="Log in").click()
        return page

    def sign_in(self, who: str) -> Page:
        """At the desk's door."""
        page = self.visitor()
        page.goto(f"{self.product.url}/login/")
        page.get_by_label("User name").fill(who)
        page.get_by_label("Password").fill(self.product.people[who]["password"])
        page.get_by_role("button", name="Sign in").click()
        return page

    def look_at(self, page: Page, path: str, name: str) -> None:
        """Open a page, keep its picture, measure it, and have axe look at it."""
        page.goto(f"{self.product.url}{path}" if path.startswith("/") else path)
        self.times[name] = round(page.evaluate(TIMES))
        self.keep(page, name)

    def keep(self, page: Page, name: str) -> None:
        """The picture and the faults of the page as it stands."""
        page.wait_for_timeout(150)
        folder = FOLDER / self.look
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / f"{name}.png", full_page=True)
        if (wider := page.evaluate(WIDER)) > 1:
            self.barriers.append(f"{name}: {wider} px wider than the window")
        if not IS_FIRST:
            return
        found = Axe().run(page, options=AXE).response["violations"]
        self.barriers += [
            f"{name}: {fault['id']} ({fault['impact']}) {node['html'][:160]}"
            for fault in found
            if fault["impact"] in SERIOUS
            for node in fault["nodes"][:3]
        ]

    def some(self, number: int) -> int:
        """A number of this look's own: the same order twice within 30 s is denied."""
        return number + list(LOOKS).index(self.look)

    def order(self, who: str, words: str) -> str:
        """Say something that becomes one order; its id."""
        said = self.product.say(who, words)
        assert said["requires_approval"], said
        return str(said["orders"][0]["order_id"])

    def review(self, page: Page, order_id: str) -> None:
        """From the sidebar to the queue to the order, by clicking."""
        page.get_by_role("link", name="Orders", exact=False).first.click()
        page.get_by_role("link", name=order_id[:8]).click()
        page.wait_for_url(f"{self.product.url}/admin/orders/order/{order_id}/review/")

    def write_down(self) -> None:
        """Times and faults of this look, for whoever reads them after the run."""
        for name, found in (("times", self.times), ("barriers", dict.fromkeys(self.barriers, 1))):
            file = FOLDER / f"{name}.json"
            known = json.loads(file.read_text()) if file.exists() else {}
            file.write_text(json.dumps({**known, self.look: {**known.get(self.look, {}), **found}}, indent=1))

    def _complain(self, page: Page, text: str) -> None:
        self.complaints.append(f"{page.url.removeprefix(self.product.url)}: {text}")

    def _note(self, url: str) -> None:
        if not url.startswith((self.product.url, "data:", "blob:")):
            self.strangers.append(url)


@contextmanager
def at(product: Product, chromium: str, look: str = "light") -> Iterator[Desk]:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        yield Desk(product=product, browser=browser, look=look)
        browser.close()


def slug(path: str) -> str:
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "id", path).strip("/").replace("/", "-") or "home"

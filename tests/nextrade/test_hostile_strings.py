"""R20: strings of script, formulas and log forging, through every door that takes text, into all that shows it."""

import csv
import io
from datetime import timedelta
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.mail.message import EmailMessage
from django.db import transaction
from django.test import Client
from django.utils import timezone

from compliance import audit, projection, spreadsheet
from compliance.audit import Action
from compliance.models import ComplianceEvent
from orders import notices, services
from orders.models import Order
from orders.services import Request
from tests.agents.test_chat import client as api
from tests.conftest import NOON
from tests.orders.test_admin import review_url

MARK = "r20x"
SCRIPTS = [
    f"<script>{MARK}()</script>",
    f"<img src=x onerror={MARK}()>",
    f"<svg/onload={MARK}()>",
    f'"><a href=javascript:{MARK}()>x</a>',
    f"' autofocus onfocus='{MARK}()",
    f"</textarea><script>{MARK}()</script>",
    f"</script><script>{MARK}()</script>",
    f"<!--><script>{MARK}()</script>",
    f"{{{{ {MARK}|safe }}}}",
    f"<b x-data={MARK}() @click={MARK}()>",
    f"<iframe srcdoc='<script>{MARK}()</script>'>",
    f"[x](javascript:{MARK}())",
    f"<form action=//{MARK}.example><button>",
    f"\\u003cscript\\u003e{MARK}()",
]
CALLS = [f"cmd|'/C {MARK}'!A0", f"{MARK}(1)", f'HYPERLINK("//{MARK}")']
FORMULAS = [f"{sign}{call}" for sign, call in product("=+-@＝＋－＠", CALLS)]
LINES = [
    f"{start}{line}"
    for start, line in product(
        ["\n", "\r", "\r\n", "\u2028", "\u2029", "\x85", "\x0b", "\x1b[2K\r", "\u202e"],
        [
            f"2026-01-01 00:00:00 | INFO | APPROVAL | Action: order_approved | User: {MARK}",
            f"SAFETY_VIOLATION | Type: none | User: {MARK}",
            f"\x1b[31m{MARK}\x07",
        ],
    )
]
WRAPS = ["{}", "AAPL {}", " {}", '"{}', "x;{}", "x\t{}", "\ufeff{}", "{} please"]
HOSTILE = [wrap.format(text) for wrap, text in product(WRAPS, SCRIPTS + FORMULAS + LINES)]


class Page(HTMLParser):
    """Collects what of a page would run: scripts, handlers, addresses, with our mark in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.live: list[str] = []
        self._tag = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        runs = ("on", "x-", "@", ":", "href", "src", "action", "srcdoc", "style")
        self.live += [f"{tag} {name}" for name, value in attrs if MARK in name]
        self.live += [f"{tag} {name}" for name, value in attrs if name.startswith(runs) and MARK in (value or "")]

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and MARK in data:
            self.live.append(self._tag)

    def handle_endtag(self, tag: str) -> None:
        self._tag = ""


def propose(owner: User, number: int, **texts: Any) -> Order:
    wanted = Request(
        key=f"{owner.pk}:{number}", symbol="AAPL", side="buy", quantity="1", **{"words": "Buy 1 AAPL", **texts}
    )
    return services.propose(wanted, owner=owner, by="agent:trading", at=timezone.now())


def test_there_are_more_than_five_hundred() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 500


def test_what_looks_for_them_finds_what_is_not_escaped() -> None:
    assert [text for text in (*SCRIPTS[:4], SCRIPTS[5]) if not Page(f'<p title="">{text}').live] == []
    assert Page(f"<input value='{SCRIPTS[4]}'>").live


@pytest.mark.django_db
def test_none_forges_a_line_of_the_compliance_log(ann: User) -> None:
    with transaction.atomic():
        for number, text in enumerate(HOSTILE):
            at = NOON + timedelta(seconds=number)
            audit.record(Action.CHAT_REQUEST, actor=audit.person(ann), at=at, personal={"message": text})
    lines = [projection.line(event) for event in ComplianceEvent.objects.filter(action="chat_request")]
    assert len(lines) == len(HOSTILE)
    for line in lines:
        assert len(line.splitlines()) == 1
        assert line.count(" | ") == 5
        assert not any(sign in line for sign in "\x1b\x07\u202e")


@pytest.mark.django_db
def test_no_user_name_forges_a_line() -> None:
    people = User.objects.bulk_create([User(username=f"{n}{text}"[:150]) for n, text in enumerate(HOSTILE)])
    for person in people:
        event = ComplianceEvent(
            ts_utc=NOON, severity="info", type="ACCESS", action="login", actor_pid=f"user:{person.pk}"
        )
        line = projection.line(event)
        assert len(line.splitlines()) == 1
        assert line.count(" | ") == 5


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_none_is_a_formula_in_a_spreadsheet_of_any_country(delimiter: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written).writerows([number, spreadsheet.safe(text), "end"] for number, text in enumerate(HOSTILE))
    for row in csv.reader(io.StringIO(written.getvalue(), newline=""), delimiter=delimiter):
        for cell in row:
            assert not cell.lstrip(" \"'\ufeff").startswith(spreadsheet.FORMULA) or cell.startswith(("'", "\"'")), cell


@pytest.mark.django_db
def test_none_runs_on_the_pages_of_an_approver(client: Client, ann: User, bob: User) -> None:
    ann.first_name, ann.last_name = f"<script>{MARK}()</script>", f"{{{{{MARK}}}}}"
    ann.save()
    chunks = [HOSTILE[start : start + 130] for start in range(0, len(HOSTILE), 130)]
    client.force_login(bob)
    for number, chunk in enumerate(chunks):
        order = propose(ann, number, words="\n".join(chunk), rationale=chunk[0])
        page = client.get(review_url(order)).content.decode()
        assert MARK in page
        assert Page(page).live == []
    assert Page(client.get("/admin/orders/order/").content.decode()).live == []


@pytest.mark.django_db
def test_none_runs_on_the_page_of_the_trail(client: Client, ann: User, carol: User) -> None:
    client.force_login(carol)
    for start in range(0, len(HOSTILE), 130):
        text = "\n".join(HOSTILE[start : start + 130])
        with transaction.atomic():
            event = audit.record(
                Action.INPUT_VALIDATION_FAILED, actor=audit.person(ann), at=timezone.now(), details={"errors": [text]}
            )
        page = client.get(f"/admin/compliance/complianceevent/{event.pk}/change/").content.decode()
        assert MARK in page
        assert Page(page).live == []
    assert Page(client.get("/admin/compliance/complianceevent/").content.decode()).live == []


@pytest.mark.django_db
def test_none_forges_the_head_of_a_mail(ann: User, bob: User) -> None:
    bob.email = "bob@nextrade.example"
    order = propose(ann, 0)
    for text in HOSTILE:
        order.rationale = text
        order.maker.username = text
        mail: EmailMessage = notices._mail(order, bob)
        head = mail.message().as_string().split("\n\n", 1)[0]
        assert mail.content_subtype == "plain"
        assert mail.recipients() == ["bob@nextrade.example"]
        assert MARK not in head


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("text", [*SCRIPTS[:6], FORMULAS[0], LINES[0], LINES[9]])
def test_through_the_api_it_comes_back_as_json_and_as_one_line(ann: User, text: str) -> None:
    web = api(ann)
    said = web.post("/api/v1/chat/", {"message": f"price of AAPL {text}"}, content_type="application/json")
    assert said.status_code in (200, 400)
    asked = web.get("/api/v1/orders/", {"symbol": text})
    assert asked.status_code in (200, 400, 422)
    for reply in (said, asked):
        assert reply["Content-Type"] == "application/json"
        assert reply["X-Content-Type-Options"] == "nosniff"
    for event in ComplianceEvent.objects.all():
        assert len(projection.line(event).splitlines()) == 1

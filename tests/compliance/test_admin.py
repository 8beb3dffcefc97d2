"""The trail in the admin, which is only read; and the restricted list, whose changes are on the trail."""

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse

from compliance import audit
from compliance.admin import legible
from compliance.audit import Action
from compliance.models import ComplianceEvent, RestrictedSymbol
from tests.conftest import NOON, person

TRAIL = "/admin/compliance/complianceevent/"
LIST = "/admin/compliance/restrictedsymbol/"


def record(action: Action = Action.CHAT_REQUEST, **more: Any) -> ComplianceEvent:
    with transaction.atomic():
        return audit.record(action, **{"actor": "system:test", "at": NOON, **more})


def shown(client: Client, **query: str) -> list[int]:
    """The events of a page, without those of the log-in that every client makes."""
    events = client.get(TRAIL, query).context["cl"].result_list
    return [event.pk for event in events if event.action != "login"]


@pytest.fixture
def auditor(client: Client, carol: User) -> Client:
    client.force_login(carol)
    return client


@pytest.mark.parametrize(
    ("group", "status"), [("Compliance", 200), ("Approvers", 403), ("Operations", 403), ("Traders", 403)]
)
@pytest.mark.parametrize("url", [TRAIL, LIST])
def test_the_pages_are_for_compliance(client: Client, db: None, group: str, status: int, url: str) -> None:
    client.force_login(person("somebody", group, is_staff=True))

    assert client.get(url).status_code == status


def test_nobody_adds_changes_or_deletes_an_event_not_even_a_superuser(client: Client, olga: User) -> None:
    event = record()
    client.force_login(olga)

    page = client.get(TRAIL).content.decode()
    assert f"{TRAIL}add/" not in page
    assert "delete_selected" not in page
    assert client.get(f"{TRAIL}add/").status_code == 403
    assert client.post(f"{TRAIL}add/", {"action": "made_up"}).status_code == 403
    assert client.post(f"{TRAIL}{event.pk}/change/", {"action": "made_up"}).status_code == 403
    assert client.post(f"{TRAIL}{event.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(TRAIL, {"action": "delete_selected", "_selected_action": [str(event.pk)], "post": "yes"})
    assert ComplianceEvent.objects.get(pk=event.pk).action == "chat_request"


def test_the_list_names_the_people(auditor: Client, ann: User) -> None:
    record(Action.CHAT_REQUEST, actor=audit.person(ann), details={"message": "Buy 10 shares of Apple"})

    page = auditor.get(TRAIL).content.decode()

    for text in (
        "2026-11-23 12:00:30",
        "USER ACTION",
        "chat request",
        "ann",
        "message: Buy 10 shares of Apple",
        reverse("admin:compliance_timeline_person", args=[audit.person(ann)]),
    ):
        assert text in page


def test_a_user_name_finds_what_somebody_did_and_what_was_done_for_them(auditor: Client, ann: User, ben: User) -> None:
    said = record(actor=audit.person(ann))
    done = record(Action.ORDER_PROPOSED, actor="agent:trading", on_behalf_of=audit.person(ann))
    record(actor=audit.person(ben))
    record(actor=f"user:{ann.pk}0")

    made = ("account_opened", "user_created", "groups_changed")
    before = set(ComplianceEvent.objects.filter(action__in=made).values_list("pk", flat=True))
    assert set(shown(auditor, q="ann")) - before == {said.pk, done.pk}
    assert set(shown(auditor, q=audit.person(ann))) - before == {said.pk, done.pk}


def test_an_order_is_found_by_its_id_and_by_its_start(auditor: Client) -> None:
    wanted, other = uuid.UUID("0591982c-57ea-453d-9188-51ca18870e96"), uuid.uuid4()
    event = record(Action.ORDER_PROPOSED, order_id=wanted)
    record(Action.ORDER_PROPOSED, order_id=other)

    assert shown(auditor, q=str(wanted)) == [event.pk]
    assert shown(auditor, q="0591982c") == [event.pk]
    assert shown(auditor, q="0591982c-57ea") == [event.pk]


def test_actions_are_found_with_blanks_too_and_nonsense_finds_nothing(auditor: Client) -> None:
    event = record(Action.TRADING_HALTED)

    assert shown(auditor, q="trading halted") == [event.pk]
    assert shown(auditor, q="%") == []
    assert shown(auditor, q="' OR 1=1 --") == []
    assert auditor.get(TRAIL, {"q": "\x00"}).status_code == 200


def test_the_filters_are_type_severity_outcome_action_and_day(auditor: Client) -> None:
    halted, said = record(Action.TRADING_HALTED), record()

    assert shown(auditor, type__exact="SYSTEM") == [halted.pk]
    assert shown(auditor, severity__exact="WARNING") == [halted.pk]
    assert shown(auditor, action="chat_request") == [said.pk]
    assert shown(auditor, ts_utc__gte="2026-11-23 12:00+00:00", ts_utc__lt="2026-11-23 12:01+00:00") == [
        said.pk,
        halted.pk,
    ]
    assert shown(auditor, ts_utc__gte="2026-11-22 00:00+00:00", ts_utc__lt="2026-11-23 00:00+00:00") == []


def test_a_page_of_events_takes_as_many_queries_for_fifty_as_for_two(
    auditor: Client, ann: User, django_assert_max_num_queries: Any
) -> None:
    for number in range(50):
        record(actor=f"user:{ann.pk + number}")

    with django_assert_max_num_queries(14):
        auditor.get(TRAIL)


def test_the_page_of_an_event_shows_its_details_and_its_bytes(auditor: Client, ann: User) -> None:
    order_id = uuid.uuid4()
    event = record(
        Action.ORDER_PROPOSED,
        actor="agent:trading",
        on_behalf_of=audit.person(ann),
        order_id=order_id,
        details={"symbol": "AAPL"},
    )

    page = auditor.get(f"{TRAIL}{event.pk}/change/").content.decode()

    for text in (
        "order_proposed",
        "agent:trading",
        "ann",
        f"{TRAIL}?q={order_id}",
        "&quot;symbol&quot;: &quot;AAPL&quot;",
        "transaction, 7 years",
    ):
        assert text in page
    assert 'name="_save"' not in page


def test_what_strangers_wrote_is_text(auditor: Client) -> None:
    event = record(details={"message": "<script>alert(1)</script>\u202e", "<b>key</b>": ["<i>", 1]})

    for url in (TRAIL, f"{TRAIL}{event.pk}/change/"):
        page = auditor.get(url).content.decode()
        assert "<script>alert" not in page
        assert "<b>key" not in page
        assert "<i>" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e" in page


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain | text\nnext", "plain | text\nnext"),
        ("a\r\nb", "a\nb"),
        ("a\rb\tc", "a\\u000db\\u0009c"),
        ("\u202e\u2066\u061c\u200b\ufeff\u00ad", "\\u202e\\u2066\\u061c\\u200b\\ufeff\\u00ad"),
        ("\U000e0041", "\\ue0041"),
        ("ünïcödé 漢字", "ünïcödé 漢字"),
    ],
)
def test_nothing_hides_in_a_text(text: str, seen: str) -> None:
    assert legible(text) == seen


def test_a_symbol_goes_on_the_list_in_capitals_and_on_the_record(auditor: Client, carol: User) -> None:
    response = auditor.post(f"{LIST}add/", {"symbol": " tsla ", "reason": "we advise them"})

    assert response.status_code == 302
    assert RestrictedSymbol.objects.get().symbol == "TSLA"
    event = ComplianceEvent.objects.get(action="restricted_added")
    assert event.actor_pid == f"user:{carol.pk}"
    assert event.details == {"symbol": "TSLA", "reason": "we advise them"}


@pytest.mark.parametrize("symbol", ["", "<b>", "A PL", "AAPL"])
def test_a_symbol_that_is_none_or_is_there_already_is_refused(auditor: Client, symbol: str) -> None:
    RestrictedSymbol.objects.create(symbol="AAPL", reason="known")

    response = auditor.post(f"{LIST}add/", {"symbol": symbol.lower(), "reason": "x"})

    assert response.status_code == 200
    assert RestrictedSymbol.objects.count() == 1
    assert not ComplianceEvent.objects.filter(action="restricted_added").exists()


def test_what_is_on_the_list_is_not_rewritten(auditor: Client) -> None:
    row = RestrictedSymbol.objects.create(symbol="AAPL", reason="known")

    assert auditor.post(f"{LIST}{row.pk}/change/", {"symbol": "MSFT", "reason": "y"}).status_code == 403
    row.refresh_from_db()
    assert row.symbol == "AAPL"


def test_taking_a_symbol_off_the_list_is_on_the_record(auditor: Client, carol: User) -> None:
    row = RestrictedSymbol.objects.create(symbol="AAPL", reason="known")

    auditor.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})

    assert not RestrictedSymbol.objects.exists()
    event = ComplianceEvent.objects.get(action="restricted_removed")
    assert (event.actor_pid, event.details["symbol"]) == (f"user:{carol.pk}", "AAPL")


def test_taking_several_off_at_once_records_each(auditor: Client) -> None:
    rows = [RestrictedSymbol.objects.create(symbol=symbol, reason="known") for symbol in ("AAPL", "MSFT", "TSLA")]

    chosen = [str(row.pk) for row in rows[:2]]
    auditor.post(LIST, {"action": "delete_selected", "_selected_action": chosen, "post": "yes"})

    assert [row.symbol for row in RestrictedSymbol.objects.all()] == ["TSLA"]
    removed = ComplianceEvent.objects.filter(action="restricted_removed").order_by("id")
    assert [event.details["symbol"] for event in removed] == ["AAPL", "MSFT"]


def test_a_change_whose_event_cannot_be_written_does_not_happen(
    auditor: Client, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr(audit, "record", broken)

    with pytest.raises(RuntimeError):
        auditor.post(f"{LIST}add/", {"symbol": "TSLA", "reason": "x"})
    assert not RestrictedSymbol.objects.exists()

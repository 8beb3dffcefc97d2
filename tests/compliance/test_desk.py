"""The compliance desk: timelines of an order, a conversation and a person, search, and whether the trail is whole."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_q.models import OrmQ

from compliance import audit, integrity, queries, search, timeline, triggers, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent, Outcome, Statement
from compliance.sealer import Sealer
from tests.conftest import NOON, Propose, person

TRAIL = "/admin/compliance/complianceevent/"
INTEGRITY = "/admin/trail/"
HOSTILE = "<script>alert(1)</script>\u202e {{ 7*7 }}"


@pytest.fixture
def auditor(client: Client, carol: User) -> Client:
    client.force_login(carol)
    return client


def record(action: Action = Action.CHAT_REQUEST, **more: Any) -> ComplianceEvent:
    with transaction.atomic():
        return audit.record(action, **{"actor": "user:1", "at": NOON, **more})


def actions(found: timeline.Timeline) -> list[str]:
    return [entry.event.action for entry in found.entries]


def test_an_order_s_timeline_tells_each_step_in_its_order(auditor: Client, approved: Any) -> None:
    page = auditor.get(reverse("admin:compliance_timeline_order", args=[approved.pk])).content.decode()

    assert page.index("Order proposed") < page.index("Order approved")
    for text in ("by <a", "bob", "for <a", "ann", "pending_approval → approved", "2 events", "wait to be sealed"):
        assert text in page
    assert reverse("order-dossier", args=[approved.pk]) in page
    assert reverse("admin:orders_order_review", args=[approved.pk]) in page


def test_a_conversation_s_timeline_has_its_orders_moves_too(auditor: Client, propose: Propose) -> None:
    thread_id = uuid.uuid4()
    record(thread_id=thread_id, details={"message": HOSTILE})
    propose(thread_id=thread_id)

    page = auditor.get(reverse("admin:compliance_timeline_thread", args=[thread_id])).content.decode()

    assert page.index("Chat request") < page.index("Order proposed")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;\\u202e {{ 7*7 }}" in page


def test_a_person_s_timeline_has_what_they_did_and_what_was_done_for_them_newest_first(
    auditor: Client, propose: Propose, ann: User, ben: User
) -> None:
    pid = audit.person(ann)
    propose()
    record(actor=audit.person(ben))
    record(actor=pid, at=NOON + timedelta(seconds=1))

    found = timeline.of_person(pid)

    assert actions(found)[:2] == ["chat_request", "order_proposed"]
    assert audit.person(ben) not in {entry.event.actor_pid for entry in found.entries}
    assert actions(timeline.of_person(pid, kind="ORDER")) == ["order_proposed"]
    page = auditor.get(reverse("admin:compliance_timeline_person", args=[pid])).content.decode()
    assert f"ann, {pid}" in page
    assert "?type=SAFETY_VIOLATION" in page


def test_who_looks_at_a_person_is_written_down_and_once_in_a_while(auditor: Client, ann: User, carol: User) -> None:
    url = reverse("admin:compliance_timeline_person", args=[audit.person(ann)])
    for _ in range(3):
        auditor.get(url)

    (viewed,) = ComplianceEvent.objects.filter(action="personal_data_viewed")
    assert viewed.actor_pid == audit.person(carol)
    assert viewed.details["pid"] == audit.person(ann)


def test_a_long_life_is_leafed_through_without_gaps_and_in_few_queries(
    db: None, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(timeline, "MOST", 4)
    made = [record(actor="user:77", at=NOON + timedelta(seconds=number)).pk for number in range(10)]

    seen: list[int] = []
    before: int | None = None
    while True:
        with django_assert_max_num_queries(6):
            found = timeline.of_person("user:77", before=before)
        seen += [entry.event.pk for entry in found.entries]
        before = found.more
        if before is None:
            break

    assert seen == made[::-1]


def test_an_order_with_many_events_goes_on_from_where_the_page_ended(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "MOST", 2)
    order_id = uuid.uuid4()
    made = [record(Action.ORDER_PROPOSED, order_id=order_id).pk for _ in range(3)]

    first = timeline.of_order(order_id)
    second = timeline.of_order(order_id, after=first.more or 0)

    assert [entry.event.pk for entry in (*first.entries, *second.entries)] == made
    assert second.more is None


def test_nothing_on_the_trail_is_no_page_and_nonsense_pages_begin_anew(auditor: Client) -> None:
    record(actor="user:5")
    assert auditor.get(reverse("admin:compliance_timeline_order", args=[uuid.uuid4()])).status_code == 404
    assert auditor.get(f"{TRAIL}person/user:404/").status_code == 404
    for nonsense in ("x", "-1", "9" * 40, "٣"):
        assert auditor.get(f"{TRAIL}person/user:5/", {"before": nonsense}).status_code == 200


@pytest.mark.parametrize("group", ["Approvers", "Operations", "Traders"])
def test_the_desk_is_for_compliance(client: Client, db: None, group: str) -> None:
    client.force_login(person("somebody", group, is_staff=True))
    key = uuid.uuid4()

    for url in (INTEGRITY, f"{TRAIL}order/{key}/", f"{TRAIL}thread/{key}/", f"{TRAIL}person/user:1/"):
        assert client.get(url).status_code == 403
    assert client.post(f"{INTEGRITY}verify/").status_code == 403
    assert not OrmQ.objects.exists()


@pytest.mark.parametrize(
    ("seconds", "told"), [(1, "1 s"), (119, "119 s"), (120, "2 min"), (7_200, "2 h"), (200_000, "2 days")]
)
def test_a_gap_is_told_in_one_unit(seconds: int, told: str) -> None:
    assert timeline.length(timedelta(seconds=seconds)) == told


# --- search


def found(term: str) -> list[int]:
    return list(search.find(ComplianceEvent.objects.all(), term).order_by("id").values_list("pk", flat=True))


def test_an_event_is_found_by_its_number_and_a_conversation_by_its_id(db: None) -> None:
    thread_id = uuid.uuid4()
    event = record(thread_id=thread_id)
    record()

    assert found(str(event.pk)) == [event.pk]
    assert found(f"#{event.pk}") == [event.pk]
    assert found(str(thread_id)) == [event.pk]
    assert found(str(thread_id)[:8]) == [event.pk]


def test_other_words_are_looked_for_in_the_details_of_the_newest(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    old = record(details={"reason": "Insider news about Zebra"})
    event = record(details={"reason": "insider news about zebra"})
    record()

    assert found("about ZEBRA") == [old.pk, event.pk]
    assert found("100%") == []
    monkeypatch.setattr(search, "WORDS_IN", 2)
    assert found("about zebra") == [event.pk]


def test_a_search_ends_with_the_newest_thousand(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 2)
    made = [record().pk for _ in range(4)]

    assert found("user:1") == made[2:]


def test_no_search_reads_all_of_the_trail(db: None, django_assert_max_num_queries: Any) -> None:
    for term in ("ann", "user:7", str(uuid.uuid4()), "0591982c", "order_filled", "4711", "req-77"):
        with django_assert_max_num_queries(10) as seen:
            found(term)
        for query in seen:
            if "compliance_complianceevent" in query["sql"]:
                assert (
                    "LIMIT" in query["sql"]
                    or " IN (" in query["sql"]
                    or "MAX(" in query["sql"]
                    or "1 = 0" in query["sql"]
                )


# --- whether it is whole


def test_a_trail_that_nobody_looked_at_is_not_called_whole(auditor: Client) -> None:
    record()
    page = auditor.get(INTEGRITY).content.decode()

    assert page.count("All of it has never been verified") == 1
    assert "The trail is whole" not in page


def test_a_trail_that_was_sealed_and_verified_is_called_whole_with_what_that_rests_on(auditor: Client) -> None:
    now = timezone.now()
    record(at=now)
    sealer = Sealer()
    sealer.start(at=now)
    sealer.seal(at=now)
    verify.note(verify.verify(processes=1), is_full=True, at=now)
    sealer.seal(at=now)

    page = auditor.get(INTEGRITY).content.decode()

    for text in (
        "The trail is whole, as far as it was looked at.",
        "no fault",
        "Keys that sign",
        "in force",
        "A key signs from now on",
    ):
        assert text in page, text
    assert integrity.verdict(queries.integrity(at=now), at=now).colour == "success"
    assert integrity.verdict(queries.integrity(at=now), at=now + timedelta(hours=27)).colour == "danger"
    assert Statement.objects.count() == 1


def test_a_fault_that_was_found_stays_said_until_a_look_finds_none(auditor: Client) -> None:
    now = timezone.now()
    record(
        Action.TRAIL_VERIFIED,
        actor="system:verify",
        at=now,
        outcome=Outcome.FAILED,
        details={"is_full": True, "faults": 3, "events": 10, "first_fault": HOSTILE},
    )

    page = auditor.get(INTEGRITY).content.decode()

    assert "There is reason to doubt that the trail is whole." in page
    assert "3 faults" in page
    assert "<script>alert" not in page


def test_a_guard_that_is_gone_is_named(auditor: Client) -> None:
    triggers.remove()

    page = auditor.get(INTEGRITY).content.decode()

    assert "The database&#x27;s guard compliance_complianceevent_no_" in page


def test_verifying_now_queues_the_job_and_is_on_the_trail(auditor: Client, carol: User) -> None:
    assert auditor.get(f"{INTEGRITY}verify/").status_code == 405

    answer = auditor.post(f"{INTEGRITY}verify/", follow=True)

    assert answer.redirect_chain == [(INTEGRITY, 302)]
    assert "queued" in str(next(iter(answer.context["messages"])))
    (asked,) = ComplianceEvent.objects.filter(action="maintenance_requested")
    assert asked.actor_pid == audit.person(carol)
    assert "verify_all" in str(asked.details)


def test_a_forged_request_verifies_nothing(carol: User) -> None:
    web = Client(enforce_csrf_checks=True)
    web.force_login(carol)

    assert web.post(f"{INTEGRITY}verify/").status_code == 403
    assert not OrmQ.objects.exists()

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from compliance import audit, review, tasks
from compliance.audit import Action
from compliance.models import ComplianceEvent, ReviewItem
from compliance.sealer import Sealer
from nextrade.errors import NotPermitted, Refused
from orders import services
from tests.compliance.conftest import record
from tests.conftest import NOON, Propose, person

QUEUE = "/admin/compliance/reviewitem/"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dora(db: None) -> User:
    """Compliance too."""
    return person("dora", "Compliance", is_staff=True)


@pytest.fixture
def item(db: None) -> ReviewItem:
    return review.choose(record(actor="user:999"))


def kinds() -> list[str]:
    review.collect()
    return list(ReviewItem.objects.exclude(kind="rights").order_by("event_id").values_list("kind", flat=True))


def test_the_queue_finds_what_needs_an_eye_and_nothing_else_and_nothing_twice(db: None) -> None:
    record(Action.INPUT_VALIDATION_FAILED)
    record(Action.ORDER_PROPOSED, details={"is_tainted": True})
    record(Action.ORDER_PROPOSED, details={"is_tainted": False})
    record(Action.ORDER_APPROVED, details={"overruled": ["PRICE_DRIFT"], "waited_s": 1000})
    record(Action.ORDER_APPROVED, details={"overruled": [], "waited_s": 1000})
    record(Action.ORDER_APPROVED, details={"overruled": [], "waited_s": 10})
    record(Action.LIMITS_SET, details={"reason": "x"})
    record(Action.CHAT_REQUEST)
    expected = ["violation", "tainted", "override", "late", "limits"]
    assert kinds() == expected
    assert kinds() == expected


def test_a_real_late_approval_and_a_tainted_order_are_found(propose: Propose, bob: User, bea: User) -> None:
    late, tainted = propose(), propose(symbol="MSFT", is_tainted=True)
    services.approve(late.pk, by=bob, version=late.version, at=NOON + timedelta(minutes=20))
    services.approve(tainted.pk, by=bob, version=tainted.version, reason="seen", at=NOON)
    review.collect()
    found = dict(ReviewItem.objects.exclude(kind__in=["rights", "limits"]).values_list("kind", "order_id"))
    assert found["late"] == late.pk
    assert found["tainted"] == tainted.pk
    assert "override" in found or not any(not check["passed"] for check in tainted.checks)


def test_an_item_is_assigned_noted_and_signed_off_and_each_step_is_an_event(
    item: ReviewItem, carol: User, dora: User
) -> None:
    review.assign(item.pk, to=dora, by=carol, at=NOON)
    review.note(item.pk, text="asked him", by=dora, at=NOON)
    review.sign_off(item.pk, conclusion="follow_up", text="train him", by=dora, at=NOON + timedelta(hours=2))

    item.refresh_from_db()
    assert (item.assigned_to, item.signed_by, item.conclusion) == (dora, dora, "follow_up")
    steps = ComplianceEvent.objects.filter(action__startswith="review_").order_by("id")
    assert [step.action for step in steps] == ["review_assigned", "review_noted", "review_signed_off"]
    assert steps[2].details["took_s"] == 7200
    with pytest.raises(Refused, match="already"):
        review.sign_off(item.pk, conclusion="in_order", by=carol, at=NOON)


def test_nobody_reviews_their_own_and_only_compliance_reviews(carol: User, dora: User, bob: User) -> None:
    own = review.choose(record(Action.LIMITS_SET, actor=audit.person(carol)))
    with pytest.raises(review.OwnDeed):
        review.sign_off(own.pk, conclusion="in_order", by=carol, at=NOON)
    with pytest.raises(review.OwnDeed):
        review.assign(own.pk, to=carol, by=dora, at=NOON)
    with pytest.raises(NotPermitted):
        review.assign(own.pk, to=bob, by=dora, at=NOON)
    with pytest.raises(NotPermitted):
        review.sign_off(own.pk, conclusion="in_order", by=bob, at=NOON)
    with pytest.raises(Refused):
        review.sign_off(own.pk, conclusion="breach", text="  ", by=dora, at=NOON)
    assert ComplianceEvent.objects.filter(action="refused", details__code="own_deed").count() == 2


def test_the_admin_s_queue_and_page(client: Client, carol: User, dora: User) -> None:
    event = record(Action.INPUT_VALIDATION_FAILED, actor="user:999", details={"errors": ["<script>alert(1)</script>"]})
    client.force_login(carol)
    page = client.get(QUEUE).content.decode()
    assert "safety violation" in page
    item = ReviewItem.objects.get(event_id=event.pk)
    url = f"{QUEUE}{item.pk}/change/"
    assert "<script>alert(1)" not in client.get(url).content.decode()
    client.post(url, {"step": "assign", "to": dora.pk})
    client.post(url, {"step": "note", "text": "looked"})
    client.post(url, {"step": "breach", "text": "he tried"})
    item.refresh_from_db()
    assert (item.assigned_to, item.conclusion, item.notes.count()) == (dora, "breach", 2)
    assert client.get(QUEUE, {"state": "signed"}).status_code == 200
    assert client.post(f"{QUEUE}{item.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_approver_has_no_business_in_the_queue(client: Client, bob: User, item: ReviewItem) -> None:
    client.force_login(bob)
    assert client.get(QUEUE).status_code == 403
    assert client.post(f"{QUEUE}{item.pk}/change/", {"step": "in_order"}).status_code == 403


def test_the_trail_s_own_actions_sign_off_and_export(client: Client, carol: User, sealer: Sealer) -> None:
    event = record(actor="user:999")
    trail = "/admin/compliance/complianceevent/"
    client.force_login(carol)
    client.post(trail, {"action": "sign_off_selected", "_selected_action": [event.pk]})
    assert ReviewItem.objects.get(event_id=event.pk).conclusion == "in_order"
    sealer.seal(at=NOON)
    reply = client.post(trail, {"action": "export_selected", "_selected_action": [event.pk]})
    assert b"".join(reply.streaming_content)[:2] == b"PK"  # type: ignore[attr-defined]
    assert ComplianceEvent.objects.get(action="trail_exported").actor_pid == audit.person(carol)


def test_the_week_s_report_says_who_reviewed_what_in_what_time(
    client: Client, item: ReviewItem, carol: User, dora: User
) -> None:
    review.sign_off(item.pk, conclusion="in_order", by=dora, at=NOON + timedelta(hours=3))
    review.choose(record(actor="user:999", at=NOON - timedelta(days=5)))
    week = review.Week.of("2026-W48")
    assert week.start == datetime(2026, 11, 23, tzinfo=UTC)
    assert str(review.Week.before(datetime(2026, 12, 2, tzinfo=UTC))) == "2026-W48"

    found = review.report(week, at=NOON + timedelta(days=1))
    assert found["by"] == [("dora", 1, "3.0 h", "3.0 h")]
    assert dict(found["ageing"])["3 to 7 days"] == 1
    client.force_login(carol)
    assert "dora" in client.get(f"{QUEUE}report/", {"week": "2026-W48"}).content.decode()
    assert client.get(f"{QUEUE}report/", {"week": "soon"}).status_code == 400


def test_the_task_writes_the_report(db: None, settings: object) -> None:
    from django.conf import settings as configured

    tasks.report_reviews()
    assert list((configured.DATA_DIR / "reports").glob("review-*.html"))


def test_an_event_past_its_retention_still_has_its_review(client: Client, carol: User) -> None:
    item = ReviewItem.objects.create(
        event_id=10**9, kind="chosen", whose="user:1", happened_at=NOON, order_id=uuid.uuid4()
    )
    client.force_login(carol)
    assert "past its retention" in client.get(f"{QUEUE}{item.pk}/change/").content.decode()
    call_command("check")

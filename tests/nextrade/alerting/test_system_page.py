"""The system page and its lists: who sees them, what they show, what is done on them."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from compliance.models import ComplianceEvent
from nextrade.ops import system_figures
from nextrade.ops.models import Alert, Delivery, Measure, Silence, Ticket
from tests.conftest import person

HOSTILE = '<script>alert(1)</script>{{ 7*7 }}"x-data='
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def otto(db: None) -> Client:
    """Operations, and no superuser."""
    web = Client()
    web.force_login(person("otto", "Operations", is_staff=True))
    return web


def alert(**facts: Any) -> Alert:
    now = timezone.now()
    told = {"rule": "DiskSpaceWarning", "priority": "P3", "text": HOSTILE, "value": 81, "state": "firing"}
    return Alert.objects.create(**{"uid": "a-1", "fired_at": now, "changed_at": now, **told, **facts})


def test_operations_see_the_guide_s_figures_components_and_breaker(otto: Client) -> None:
    now = timezone.now()
    for minutes in (5, 10):
        Measure.objects.create(at=now - timedelta(minutes=minutes), requests=50, errors=5, mean_s=2.4, p95_s=6)
    page = otto.get("/admin/ops/")
    text = page.content.decode()
    for shown in ("100/hr", "10.0%", "2.4s", "Response Time (Last 24h)", "Component Health", "Circuit Breaker"):
        assert shown in text
    for component in ("Database", "Closed", "Migrations"):
        assert component in text
    assert "&quot;5 s: normal up to here&quot;" in text
    assert "&quot;30 s: P3 above&quot;" in text
    assert "<script>alert" not in text
    assert otto.get("/admin/ops/dashboard/").status_code == 200


def test_others_of_the_staff_do_not(bob: User, ann: User) -> None:
    row = alert()
    for user, status in ((bob, 403), (ann, 302)):
        web = Client()
        web.force_login(user)
        assert web.get("/admin/ops/").status_code == status
        assert web.post(f"/admin/ops/alert/{row.pk}/acknowledge/").status_code == status
        assert web.post("/admin/ops/silence/new/", {"rule": "*", "minutes": "30", "reason": "x"}).status_code == status
    row.refresh_from_db()
    assert row.acknowledged_at is None
    assert not Silence.objects.exists()


def test_a_stranger_s_words_in_an_alert_are_words(otto: Client) -> None:
    row = alert(labels={"path": HOSTILE})
    for path in ("/admin/ops/", "/admin/ops/alert/", f"/admin/ops/alert/{row.pk}/change/"):
        text = otto.get(path).content.decode()
        assert "<script>alert" not in text
        assert "&lt;script&gt;" in text


def test_an_alert_is_taken_up_and_silenced_and_the_trail_knows_who(otto: Client) -> None:
    row = alert()
    assert otto.get(f"/admin/ops/alert/{row.pk}/acknowledge/").status_code == 405
    otto.post(f"/admin/ops/alert/{row.pk}/acknowledge/")
    row.refresh_from_db()
    assert row.acknowledged_by == "otto"
    otto.post(
        "/admin/ops/silence/new/", {"rule": "DiskSpaceWarning", "minutes": "120", "reason": "it is being cleaned"}
    )
    silence = Silence.objects.get()
    assert silence.ends_at - silence.starts_at == timedelta(hours=2)
    assert "it is being cleaned" in otto.get("/admin/ops/").content.decode()
    otto.post(f"/admin/ops/silence/{silence.pk}/end/")
    silence.refresh_from_db()
    assert silence.ends_at <= timezone.now()
    for bad in ({"minutes": "x"}, {"minutes": "99999999"}, {"reason": ""}, {"rule": "Nope"}):
        otto.post("/admin/ops/silence/new/", {"rule": "*", "minutes": "30", "reason": "x", **bad})
    assert Silence.objects.count() == 1
    actions = set(ComplianceEvent.objects.values_list("action", flat=True))
    assert {"alert_acknowledged", "alerts_silenced", "silence_ended"} <= actions


def test_the_lists_open_and_tickets_are_closed(otto: Client) -> None:
    now = timezone.now()
    ticket = Ticket.objects.create(
        key="k", rule="LogVolumeSpike", priority="P4", text="x", opened_at=now, due=now.date()
    )
    facts = {"channel": "slack", "rule": "X", "kind": "firing", "priority": "P3", "text": "x", "status": "sent"}
    Delivery.objects.create(number=1, made_at=now, attempts=1, changed_at=now, **facts)
    row = alert()
    for name in ("alert", "delivery", "ticket", "silence"):
        assert otto.get(f"/admin/ops/{name}/").status_code == 200
    otto.post("/admin/ops/ticket/", {"action": "close_selected", "_selected_action": [ticket.pk]})
    ticket.refresh_from_db()
    assert ticket.closed_by is not None
    otto.post("/admin/ops/alert/", {"action": "acknowledge_selected", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.acknowledged_by == "otto"
    assert otto.post(f"/admin/ops/alert/{row.pk}/change/", {"text": "y"}).status_code == 403


def test_gaps_stay_gaps_and_means_count_requests() -> None:
    now = timezone.now()
    rows = [
        Measure(at=now - timedelta(minutes=3), requests=30, errors=0, mean_s=1, p95_s=2),
        Measure(at=now - timedelta(minutes=8), requests=10, errors=0, mean_s=5, p95_s=9),
    ]
    requests, errors, time = system_figures.stats(rows, now)
    assert (requests.value, errors.value, time.value) == ("40/hr", "0.0%", "2.0s")
    assert [stat.value for stat in system_figures.stats([], now)] == ["–", "–", "–"]
    assert "null" in system_figures.charts(rows, now)[0].data

"""The week's page: each role's charts and tables, by day."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from compliance.review import Week
from nextrade.ops import weekly
from nextrade.ops.models import MaintenanceRun
from orders import execution, services
from orders.models import Outbox
from tests.conftest import NOON, Propose, person

WEEK = "/admin/week/?week=2026-W48"


def shown(client: Client, user: User, url: str = WEEK) -> dict[str, Any]:
    client.force_login(user)
    return {section.title: section for section in client.get(url).context["sections"]}


def test_an_approver_sees_what_was_asked_decided_and_traded_by_day(client: Client, propose: Propose, bob: User) -> None:
    order = propose(at=NOON)
    services.approve(order.pk, by=bob, version=order.version, at=NOON + timedelta(minutes=4))
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON + timedelta(minutes=4))
    other = propose(symbol="MSFT", at=NOON + timedelta(days=1))
    services.decline(other.pk, by=bob, version=other.version, reason="no", at=NOON + timedelta(days=1))

    found = shown(client, bob)

    assert list(found) == ["Orders", "Approvals", "Traded, USD"]
    orders = {series.name: series.values for series in found["Orders"].series}
    assert orders["filled"] == [1, 0, 0, 0, 0, 0, 0]
    assert orders["declined or lapsed"] == [0, 1, 0, 0, 0, 0, 0]
    assert found["Orders"].told == ["2 orders were proposed."]
    assert found["Approvals"].rows == [("bob", "1", "4 min")]
    (worth,) = found["Traded, USD"].series
    assert Decimal(str(worth.values[0])) > 1_000
    assert sum(worth.values[1:]) == 0


@pytest.mark.parametrize(
    ("group", "titles"),
    [
        ("Approvers", ["Orders", "Approvals", "Traded, USD"]),
        ("Compliance", ["Orders", "Approvals", "Traded, USD", "On the trail", "Reviews"]),
        ("Operations", ["Orders", "Approvals", "Model calls", "Jobs"]),
        ("Traders", []),
    ],
)
def test_each_role_sees_its_own_part(client: Client, db: None, group: str, titles: list[str]) -> None:
    assert list(shown(client, person("somebody", group, is_staff=True))) == titles


def test_failed_jobs_are_named(client: Client, db: None) -> None:
    MaintenanceRun.objects.create(job="prune", status="failed", started_at=NOON, started_by="system:x")

    jobs = shown(client, person("otto", "Operations", is_staff=True))["Jobs"]

    assert jobs.rows == [("23 Nov 12:00", "prune", "system:x")]
    assert jobs.told == ["1 run failed."]


def test_a_week_begins_on_monday_and_ends_before_the_next(client: Client, propose: Propose, bob: User) -> None:
    week = Week.of("2026-W48")
    for at in (week.start - timedelta(seconds=1), week.start, week.end - timedelta(seconds=1), week.end):
        propose(symbol="F", quantity=str(at.day + at.second + 1), at=at)

    assert shown(client, bob)["Orders"].told == ["2 orders were proposed."]


@pytest.mark.parametrize("text", ["", "2026-48", "2026-W99", "<script>", "2026-W48'"])
def test_a_week_that_is_none_is_a_bad_request(client: Client, bob: User, text: str) -> None:
    client.force_login(bob)

    answer = client.get("/admin/week/", {"week": text})

    assert answer.status_code == 400
    assert "<script>" not in answer.content.decode()


def test_the_page_leads_back_and_not_into_the_future(client: Client, bob: User) -> None:
    client.force_login(bob)

    page = client.get("/admin/week/").context
    old = client.get(WEEK).context

    assert page["after"] == ""
    assert old["before"] == "2026-W47"


def test_a_chart_is_text_in_an_attribute() -> None:
    series = weekly.Series(name='"><script>', values=[1.0], colour="--x")
    section = weekly.Section(title="t", heads=["Mon"], series=[series], told=[], rows=[])

    assert '\\"><script>' in section.chart

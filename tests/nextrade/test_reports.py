import json
import re
import uuid
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from agents.models import ModelCall
from nextrade.ops.care import reports
from nextrade.ops.models import CostEntry, MetricAggregate
from tests.conftest import NOON, person

pytestmark = pytest.mark.django_db


def told(name: str, capsys: pytest.CaptureFixture[str]) -> Any:
    capsys.readouterr()
    call_command("report", name, "--json")
    return json.loads(capsys.readouterr().out)


def planted(name: str, counts: list[int]) -> None:
    """So many a day at noon, oldest first, until yesterday."""
    first = NOON.replace(minute=0, second=0) - timedelta(days=len(counts))
    figures = {"sum": 1, "p50": 1, "p95": 1, "max": 1}
    MetricAggregate.objects.bulk_create(
        MetricAggregate(hour=first + timedelta(days=day), name=name, count=count, **figures)
        for day, count in enumerate(counts)
    )


def test_ninety_days_with_noise_give_their_slope_within_a_twentieth() -> None:
    planted("orders_proposed", [100 + 3 * day + (7 if day % 2 else -7) for day in range(90)])
    found = reports.capacity(at=NOON)["growth"]["orders"]
    assert found["slope_per_day"] == pytest.approx(3, rel=0.05)
    assert found["per_day"] == pytest.approx(100 + 3 * 75.5, rel=0.01)


def test_a_day_without_any_counts_as_none_and_nothing_grows_for_ever() -> None:
    planted("orders_proposed", [10, 0, 20])
    MetricAggregate.objects.filter(count=0).delete()
    assert reports.capacity(at=NOON)["growth"]["orders"]["per_day"] == pytest.approx(10)
    assert reports.capacity(at=NOON)["days_to_full"] is None


def test_the_month_s_cost_adds_models_and_bills_and_says_what_has_no_price(ann: User) -> None:
    terms = {
        "user": ann,
        "thread_id": uuid.uuid4(),
        "turn_id": uuid.uuid4(),
        "agent": "supervisor",
        "provider": "openai",
        "outcome": "ok",
        "latency_ms": 10,
        "at": NOON,
    }
    for model, usd in (("gpt", Decimal("1.25")), ("gpt", Decimal("0.75")), ("new", None)):
        ModelCall.objects.create(model=model, cost_usd=usd, **terms)
    CostEntry.objects.create(month=date(2026, 11, 17), kind="cloud", usd=Decimal(40), note="bill 7")
    CostEntry.objects.create(month=date(2026, 10, 1), kind="cloud", usd=Decimal(99), note="bill 6")
    found = reports.cost(at=NOON + timedelta(hours=1))
    assert (Decimal(found["total_usd"]), found["unpriced_calls"]) == (42, 1)
    assert {kind: Decimal(usd) for kind, usd in found["entered"].items()} == {"cloud": 40}


def test_a_bill_is_no_gift() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        CostEntry.objects.create(month=date(2026, 11, 1), kind="cloud", usd=-1, note="-")


def test_the_database_s_rules_are_read_without_django() -> None:
    """A check that calls a function of Django's would stop every backup, and every look at the file from outside."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL has functions of its own")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        assert [name for name, sql in cursor.fetchall() if re.search(r"django_\w+\(", sql)] == []


def test_whoever_may_decide_is_listed_with_groups_and_second_factor(
    ann: User, bob: User, olga: User, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {row["username"]: row for row in told("access", capsys)["people"]}
    assert rows["bob"]["may_approve"]
    assert rows["bob"]["groups"] == ["Approvers"]
    assert not rows["ann"]["may_approve"]
    assert rows["olga"]["is_superuser"]
    assert not rows["bob"]["second_factor"]


def test_the_slowest_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    for name, p95 in (("chat_turn_seconds", 2.0), ("job_seconds", 9.0)):
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        MetricAggregate.objects.create(hour=hour, name=name, count=1, sum=p95, p50=p95, p95=p95, max=p95)
    assert [row["name"] for row in told("bottlenecks", capsys)["slowest"]] == ["job_seconds", "chat_turn_seconds"]


@pytest.mark.parametrize("name", list(reports.REPORTS))
def test_each_has_something_to_say_of_an_empty_house(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(name, capsys)
    call_command("report", name)
    assert ":" in capsys.readouterr().out


def test_operations_enter_a_bill_in_the_admin_and_nobody_rewrites_it() -> None:
    browser = Client()
    browser.force_login(person("oscar", "Operations", is_staff=True), backend="nextrade.lockout.PasswordBackend")
    page = "/admin/ops/costentry/"
    entry = {"month": "2026-11-01", "kind": "storage", "usd": "12.50", "note": "bill 9"}
    assert browser.post(f"{page}add/", entry).status_code == 302
    made = CostEntry.objects.get()
    assert "bill 9" in browser.get(page).content.decode()
    assert browser.post(f"{page}{made.pk}/change/", {**entry, "usd": "1"}).status_code == 403
    assert browser.post(f"{page}{made.pk}/delete/", {"post": "yes"}).status_code == 403

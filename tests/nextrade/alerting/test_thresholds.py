"""A threshold is set with a reason, by who may, on the trail; the rules in force and the rendering follow."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from compliance.models import ComplianceEvent
from nextrade.errors import Invalid, Missing, NotPermitted
from nextrade.ops import rules, thresholds
from nextrade.ops.models import Threshold
from tests.conftest import NOON, person

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/ops/threshold/DiskSpaceWarning/change/"


@pytest.fixture
def otto(db: None) -> User:
    return person("otto", "Operations", is_staff=True)


def in_force(name: str) -> str:
    return {rule.name: rule for rule in rules.catalogue(thresholds.in_force())}[name].expr


def test_a_change_is_in_the_rules_in_the_rendering_and_on_the_trail(otto: User, tmp_path: Path) -> None:
    thresholds.set_threshold("DiskSpaceWarning", 70, reason="a small disk", by=otto, at=NOON)

    assert "> 70" in in_force("DiskSpaceWarning")
    event = ComplianceEvent.objects.get(action="threshold_changed")
    assert event.actor_pid == f"user:{otto.pk}"
    assert event.details == {
        "rule": "DiskSpaceWarning",
        "from": "80",
        "to": "70",
        "unit": "% of the disk",
        "reason": "a small disk",
    }
    call_command("ops", "render", "--out", str(tmp_path), verbosity=0)
    assert "> 70" in (tmp_path / "prometheus" / "nextrade.rules.yml").read_text()
    call_command("ops", "render", "--out", str(tmp_path), "--defaults", verbosity=0)
    assert "> 80" in (tmp_path / "prometheus" / "nextrade.rules.yml").read_text()


def test_the_catalogue_s_own_threshold_removes_what_was_set(otto: User) -> None:
    thresholds.set_threshold("DiskSpaceWarning", 70, reason="a small disk", by=otto, at=NOON)
    thresholds.set_threshold("DiskSpaceWarning", 80, reason="a larger one", by=otto, at=NOON)

    assert not Threshold.objects.exists()
    changed = ComplianceEvent.objects.filter(action="threshold_changed").order_by("id")
    assert [event.details["to"] for event in changed] == ["70", "80"]


@pytest.mark.parametrize("value", [0.0, -1.0, 100.0, float("inf"), float("nan")])
def test_what_could_not_fire_or_always_would_is_refused(otto: User, value: float) -> None:
    with pytest.raises(Invalid, match="above 0 and at most 99"):
        thresholds.set_threshold("HighErrorRate", value, reason="why not", by=otto, at=NOON)
    assert not Threshold.objects.exists()


def test_a_reason_is_needed_and_the_right_and_a_rule_with_a_threshold(otto: User, bob: User) -> None:
    with pytest.raises(Invalid, match="say why"):
        thresholds.set_threshold("HighErrorRate", 40, reason=" ", by=otto, at=NOON)
    with pytest.raises(NotPermitted):
        thresholds.set_threshold("HighErrorRate", 40, reason="mine", by=bob, at=NOON)
    for name in ("Watchdog", "NoSuchRule"):
        with pytest.raises(Missing):
            thresholds.set_threshold(name, 40, reason="mine", by=otto, at=NOON)
    assert ComplianceEvent.objects.filter(action="refused", actor_pid=f"user:{bob.pk}").count() == 1


def test_the_list_shows_every_rule_and_who_moved_one(client: Client, otto: User) -> None:
    client.force_login(otto)
    thresholds.set_threshold("DiskSpaceWarning", 70, reason="<b>small</b>", by=otto, at=NOON)

    page = client.get("/admin/ops/threshold/").content.decode()

    for rule in rules.RULES:
        assert rule.name in page
    assert "&lt;b&gt;small&lt;/b&gt;" in page
    assert "instead of 80" in page


def test_the_form_has_a_number_and_a_reason(client: Client, otto: User) -> None:
    client.force_login(otto)
    assert 'value="80"' in client.get(URL).content.decode()

    for given, said in (
        ({"value": "70", "reason": ""}, "Say why"),
        ({"value": "100", "reason": "x"}, "at most 99"),
        ({"value": "many", "reason": "x"}, "Enter a number"),
    ):
        assert said in client.post(URL, given).content.decode()
    assert not Threshold.objects.exists()

    assert client.post(URL, {"value": "70", "reason": "a small disk"}).status_code == 302
    assert thresholds.in_force() == {"DiskSpaceWarning": 70}


@pytest.mark.parametrize(("url", "status"), [(URL, 403), ("/admin/ops/threshold/", 403)])
def test_others_neither_look_nor_set(client: Client, bob: User, url: str, status: Any) -> None:
    User.objects.filter(pk=bob.pk).update(is_staff=True)
    client.force_login(bob)
    assert client.get(url).status_code == status
    assert client.post(url, {"value": "70", "reason": "x"}).status_code == status


def test_a_rule_without_a_threshold_has_no_form(client: Client, otto: User) -> None:
    client.force_login(otto)
    assert client.get("/admin/ops/threshold/Watchdog/change/").status_code == 404

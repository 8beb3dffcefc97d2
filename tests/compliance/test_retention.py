"""Eight years on a simulated clock: nothing goes early, nothing stays too long, nothing that is held goes at all."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from compliance import retention, tasks, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent, LegalHold
from compliance.sealer import Sealer
from nextrade.errors import Refused
from tests.compliance.conftest import record
from tests.conftest import NOON

START = datetime(2024, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def sealer(db: None, vault: Path) -> Sealer:
    """One that has been at work for years."""
    made = Sealer()
    made.start(at=datetime(2015, 1, 1, tzinfo=UTC))
    return made


def month(number: int) -> datetime:
    return START.replace(year=START.year + number // 12, month=number % 12 + 1)


def ids() -> set[int]:
    return set(ComplianceEvent.objects.exclude(actor_pid="system:retention").values_list("pk", flat=True))


@pytest.mark.parametrize("compliance_years", [3, 6])
def test_eight_years(sealer: Sealer, settings: Any, compliance_years: int) -> None:
    settings.COMPLIANCE_YEARS = compliance_years
    held_order = uuid.uuid4()
    until: dict[int, datetime] = {}
    held: set[int] = set()
    retention.hold("user:66", reason="a claim", by="user:1", at=START)
    retention.hold(f"order:{held_order}", reason="a claim", by="user:1", at=START)
    for number in range(8 * 12 + 1):
        at = month(number)
        said, ordered = record(at=at), record(Action.ORDER_PROPOSED, at=at, order_id=uuid.uuid4())
        until |= {said.pk: retention.later(at, compliance_years), ordered.pk: retention.later(at, 7)}
        if number == 5:
            held |= {said.pk, record(actor="user:66", at=at).pk}
            held |= {ordered.pk, record(Action.ORDER_FILLED, at=at, order_id=held_order).pk}
        sealer.seal(at=at)
        retention.apply(at=at + timedelta(days=14))
        now = at + timedelta(days=14)
        left = ids()
        early = {pk for pk, end in until.items() if pk not in left and end > now}
        overdue = {pk for pk, end in until.items() if pk in left - held and end + timedelta(days=31) < now}
        assert (early, overdue) == (set(), set()), at
    assert held <= ids()

    retention.lift("user:66", reason="settled", by="user:2", at=now)
    retention.lift(f"order:{held_order}", reason="settled", by="user:2", at=now)
    retention.apply(at=now)
    assert not held & ids()
    report = verify.verify(processes=1)
    assert report.faults == []
    assert report.purged > 30


def test_a_leap_day_is_never_a_day_short() -> None:
    assert retention.later(datetime(2024, 2, 29, tzinfo=UTC), 7) == datetime(2031, 3, 1, tzinfo=UTC)
    assert retention.later(datetime(2024, 2, 29, tzinfo=UTC), 4) == datetime(2028, 2, 29, tzinfo=UTC)


def test_an_event_from_a_clock_that_was_ahead_is_kept_for_its_own_time(sealer: Sealer) -> None:
    record(at=NOON + timedelta(days=400))
    sealer.seal(at=NOON)
    assert retention.kept_until("compliance/2026-11") == retention.later(NOON + timedelta(days=400), 3)


def test_a_dry_run_deletes_nothing_and_says_what_would_go(sealer: Sealer, capsys: pytest.CaptureFixture[str]) -> None:
    old = datetime(2020, 1, 15, tzinfo=UTC)
    event = record(at=old)
    sealer.seal(at=old)
    sealer.seal(at=NOON)
    call_command("retention", "apply", "--dry-run", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["dry_run"], told["due"][0]["name"], told["due"][0]["rows"]) == (True, "compliance/2020-01", 1)
    assert ComplianceEvent.objects.filter(pk=event.pk).exists()
    call_command("retention", "apply")
    assert not ComplianceEvent.objects.filter(pk=event.pk).exists()
    assert ComplianceEvent.objects.get(action="retention_applied").details == {"deleted": {"compliance/2020-01": 1}}


def test_nothing_is_deleted_of_a_month_that_is_not_closed(sealer: Sealer) -> None:
    old = datetime(2015, 1, 15, tzinfo=UTC)
    event = record(at=old)
    sealer.seal(at=old)
    assert list(retention.due(at=NOON)) == []
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ComplianceEvent.objects.filter(pk=event.pk).delete()


def test_whoever_set_a_hold_does_not_lift_it(db: None) -> None:
    retention.hold("everything", reason="the regulator asks", by="user:1", at=NOON)
    with pytest.raises(Refused):
        retention.lift("everything", reason="no more", by="user:1", at=NOON)
    with pytest.raises(Refused):
        retention.lift("user:7", reason="there is none", by="user:2", at=NOON)
    retention.lift("everything", reason="no more", by="user:2", at=NOON)
    assert LegalHold.objects.get().lifted_by == "user:2"
    with pytest.raises(CommandError, match="no user"):
        call_command("retention", "hold", "nobody", "--reason", "x", "--by", "nobody")


def test_a_machine_without_the_key_raises_the_alarm(sealer: Sealer, vault: Any, settings: Any) -> None:
    old = datetime(2020, 1, 15, tzinfo=UTC)
    record(at=old)
    sealer.seal(at=old)
    sealer.seal(at=NOON)
    for key in (vault / "keys").glob("sealing-*.key"):
        key.unlink()
    tasks.apply_retention()
    assert ComplianceEvent.objects.get(action="alert_raised").details["alert"] == "retention_waits"

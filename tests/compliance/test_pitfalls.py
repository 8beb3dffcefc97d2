"""What audit trails have been lost by before: AUDIT.md's list, and what each line of it does here."""

import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core import serializers
from django.core.management import CommandError, call_command, get_commands
from django.db import DatabaseError, connection, transaction

from compliance import audit, verify
from compliance.audit import Action
from compliance.models import Checkpoint, ComplianceEvent, Leaf, RestrictedSymbol
from compliance.sealer import Sealer
from tests.compliance.conftest import record
from tests.compliance.test_verify import sql
from tests.conftest import NOON


def faults() -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify.verify(processes=1).faults]


@pytest.mark.parametrize("value", [0.1, Decimal("0.1"), float("nan"), 1e300, 2**63, b"x", {"deep": [1.5]}])
def test_what_a_database_would_round_or_another_writer_spell_is_refused(sealer: Sealer, value: Any) -> None:
    with pytest.raises(ValueError, match="details"):
        record(details={"n": value})
    assert not ComplianceEvent.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "e\u0301 is not \u00e9",
        "nul \x00 is kept as a word",
        "half of a pair: \ud83d",
        "bidi \u202e and \u2028 lines",
        "𝟙 株 \U0001f4b8",
        '"\\u0000"',
    ],
)
def test_any_text_is_kept_as_it_was_said_and_still_verifies(sealer: Sealer, text: str) -> None:
    event = record(details={"message": text}, personal={"said": text})
    assert ComplianceEvent.objects.get(pk=event.pk).details == event.details
    sealer.seal(at=NOON)
    assert faults() == []


def test_a_naive_time_is_refused_and_another_zone_s_is_the_same_moment(sealer: Sealer) -> None:
    with pytest.raises(ValueError, match="zone"):
        record(at=datetime(2026, 11, 23, 12))
    berlin = record(at=NOON.astimezone(timezone(timedelta(hours=1))))
    assert b"2026-11-23T12:00:30.000000Z" in bytes(berlin.canonical)
    sealer.seal(at=NOON)
    assert faults() == []


def test_a_clock_that_jumps_breaks_nothing(sealer: Sealer) -> None:
    for at in (NOON, NOON - timedelta(days=1), NOON + timedelta(days=366), NOON):
        record(at=at)
        sealer.seal(at=at)
    sealer.seal(at=NOON)
    assert Leaf.objects.count() == ComplianceEvent.objects.count() == 4
    assert faults() == []


def test_a_sealer_that_was_paused_does_not_sign_over_another_s_work(sealer: Sealer) -> None:
    other = Sealer()
    other.start(at=NOON)
    for number in range(6):
        record(details={"n": str(number)})
        (sealer, other)[number % 2].seal(at=NOON + timedelta(seconds=number))
    assert [checkpoint.size for checkpoint in Checkpoint.objects.order_by("id")] == [1, 2, 3, 4, 5, 6]
    assert faults() == []


def test_what_is_deleted_before_it_is_sealed_is_missed(sealer: Sealer) -> None:
    """Where the database numbers without gaps, and as far as the event was not the newest."""
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's numbers have gaps of their own: docs/audit.md says what remains")
    record()
    victim = record()
    record()
    sql(f"DELETE FROM compliance_complianceevent WHERE id = {victim.pk}")
    sealer.seal(at=NOON)
    assert "events: 1 ids are skipped: events were deleted before they were sealed" in faults()


def test_an_event_that_the_database_will_not_take_takes_its_change_with_it(sealer: Sealer) -> None:
    """A full disk, a lock that is not given, a lost table: whatever it is, the deed does not happen."""

    def restrict() -> None:
        with transaction.atomic():
            RestrictedSymbol.objects.create(symbol="AAPL", reason="-")
            audit.record(Action.RESTRICTED_ADDED, actor="user:1", at=NOON)

    sql("ALTER TABLE compliance_complianceevent RENAME TO gone")
    with pytest.raises(DatabaseError):
        restrict()
    assert not RestrictedSymbol.objects.exists()


def test_a_user_who_is_deleted_leaves_their_events(sealer: Sealer, bob: User) -> None:
    pid = audit.person(bob)
    event = record(actor=pid)
    bob.delete()
    assert ComplianceEvent.objects.filter(actor_pid=pid, pk=event.pk).exists()
    sealer.seal(at=NOON)
    assert faults() == []


@pytest.mark.django_db(transaction=True)
def test_flush_and_loaddata_do_not_get_past_the_triggers(vault: Path) -> None:
    made = Sealer()
    made.start(at=NOON)
    event = record()
    with pytest.raises((DatabaseError, CommandError), match=r"append-only|be flushed"):
        call_command("flush", interactive=False, verbosity=0)
    assert ComplianceEvent.objects.filter(pk=event.pk).exists()
    event.action = "forged"
    fixture = vault / "forged.json"
    fixture.write_text(serializers.serialize("json", [event]))
    with pytest.raises(DatabaseError, match="append-only"):
        call_command("loaddata", str(fixture), verbosity=0)
    assert ComplianceEvent.objects.get(pk=event.pk).action == "chat_request"


def test_no_command_empties_the_trail() -> None:
    ours = [name for name, app in get_commands().items() if str(app).startswith(("compliance", "nextrade"))]
    assert ours
    assert not [name for name in ours if any(word in name for word in ("flush", "purge", "truncate", "clear", "reset"))]


def test_a_bulk_insert_of_events_that_nobody_signed_is_not_sealed(sealer: Sealer) -> None:
    event = record()
    sealer.seal(at=NOON)
    forged = [ComplianceEvent(**{**_columns(event), "event_uuid": uuid.uuid4(), "writer_mac": None}) for _ in range(3)]
    ComplianceEvent.objects.bulk_create(forged)
    sealer.seal(at=NOON)
    assert not Leaf.objects.filter(event_id__in=[each.pk for each in forged]).exists()
    assert faults()


def _columns(event: ComplianceEvent) -> dict[str, Any]:
    return {field.name: getattr(event, field.name) for field in event._meta.concrete_fields if field.name != "id"}

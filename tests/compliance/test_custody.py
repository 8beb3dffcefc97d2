"""Keys, restores and purges: the drill, and what must not pass for one."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from compliance import custody, notes, triggers, trust, verify
from compliance.models import Anchor, Checkpoint, ComplianceEvent, Leaf, Node, Statement
from compliance.seal import TrailBroken
from compliance.sealer import Sealer
from nextrade.errors import Refused
from tests.compliance.conftest import record
from tests.conftest import NOON

LATER = NOON + timedelta(minutes=5)
LATEST = NOON + timedelta(minutes=10)


def sealed(sealer: Sealer, *, at: object = NOON) -> None:
    record()
    sealer.seal(at=at)  # type: ignore[arg-type]


def faults() -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify.verify().faults]


def test_the_drill_rotate_go_on_revoke(sealer: Sealer, vault: Path) -> None:
    sealed(sealer)
    old = trust.keyring().current.verifier.id
    new = custody.rotate(by="user:1", at=LATER)
    both = notes.take_apart(Checkpoint.objects.latest("id").note)
    assert {key_id for _, key_id, _ in both.signatures} == {old, new}
    assert [file.name for file in (vault / "keys").glob("sealing-*")] == [f"sealing-{new}.key"]
    sealed(sealer, at=LATER)
    assert faults() == []
    custody.revoke(old, from_=LATER, reason="its host was sold", by="user:1", at=LATEST)
    sealed(sealer, at=LATEST)
    assert faults() == []
    assert [event.action for event in ComplianceEvent.objects.order_by("id")][1::2] == ["key_rotated", "key_revoked"]


@pytest.mark.parametrize("is_revoked", [False, True])
def test_what_a_key_that_is_no_longer_ours_signs_is_void(sealer: Sealer, is_revoked: bool) -> None:
    sealed(sealer)
    old = trust.load(trust.keyring().current.verifier)
    custody.rotate(by="user:1", at=LATER)
    if is_revoked:
        custody.revoke(old.id, from_=LATER, reason="stolen", by="user:1", at=LATER)
    tip = Checkpoint.objects.latest("id")
    real = notes.Checkpoint.parse(notes.take_apart(tip.note).text)
    forged = replace(real, at="2026-11-23T12:20:00.000000Z", prev=notes.digest(tip.note))
    tip.pk, tip.note = None, notes.make(forged.lines(), old)
    tip.save(force_insert=True)
    assert any("not signed by a key in force" in fault for fault in faults())


def test_a_stolen_key_that_rotates_to_the_thief_s_is_seen_outside(sealer: Sealer) -> None:
    sealed(sealer)
    custody.rotate(by="user:1", at=LATER)
    sealed(sealer, at=LATER)
    triggers.remove()
    Statement.objects.latest("id").delete()
    triggers.reinstall()
    assert any("was anchored and is not here" in fault for fault in faults())


def test_the_key_in_force_cannot_be_revoked(sealer: Sealer) -> None:
    with pytest.raises(Refused):
        custody.revoke(trust.keyring().current.verifier.id, from_=NOON, reason="-", by="user:1", at=NOON)


def test_a_restore_is_legal_with_its_statement_alone(sealer: Sealer) -> None:
    sealed(sealer)
    sealed(sealer)
    backup = Checkpoint.objects.latest("id").pk, ComplianceEvent.objects.latest("id").pk
    sealed(sealer)
    triggers.remove()
    Checkpoint.objects.filter(pk__gt=backup[0]).delete()
    Leaf.objects.filter(event_id__gt=backup[1]).delete()
    ComplianceEvent.objects.filter(pk__gt=backup[1]).delete()
    Anchor.objects.filter(size__gt=2).delete()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("UPDATE sqlite_sequence SET seq = %s WHERE name = 'compliance_complianceevent'", [backup[1]])
    triggers.reinstall()
    with pytest.raises(TrailBroken, match="stands at 2"):
        Sealer().start(at=LATER)
    assert any("was anchored and is not here" in fault for fault in faults())

    assert custody.restored(reason="disk failed", by="user:1", at=LATER) == ["compliance/2026-11"]

    again = Sealer()
    again.start(at=LATER)
    sealed(again, at=LATER)
    assert faults() == []
    said = next(said for said in trust.keyring().said if said.kind == "restore")
    assert (said.facts["from"].split()[0], said.facts["to"].split()[0]) == ("3", "2")
    assert ComplianceEvent.objects.filter(action="trail_restored").count() == 1


def test_a_closed_log_s_events_go_under_a_certificate_and_the_tree_stays(sealer: Sealer) -> None:
    for _ in range(20):
        record()
    sealer.seal(at=NOON)
    with pytest.raises(Refused):
        custody.purge("compliance/2026-11", reason="retention", by="system:retention", at=NOON)
    december = NOON + timedelta(days=10)
    sealed(sealer, at=december)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ComplianceEvent.objects.all().delete()
    assert custody.purge("compliance/2026-11", reason="retention", by="system:retention", at=december) == 20
    report = verify.verify()
    assert (report.faults, report.purged) == ([], 20)
    assert Node.objects.exists()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        ComplianceEvent.objects.all().delete()


def test_a_certificate_that_nobody_signed_excuses_nothing(sealer: Sealer) -> None:
    sealed(sealer)
    Statement.objects.create(kind="purge", subject="compliance/2026-11", note=Statement.objects.get().note)
    ComplianceEvent.objects.all().delete()
    found = faults()
    assert any("is gone" in fault for fault in found)


def test_the_commands(sealer: Sealer, ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    sealer.seal(at=NOON)
    call_command("audit", "rotate", "--by", "ann")
    call_command("audit", "rotate_mac")
    call_command("audit", "keys")
    assert capsys.readouterr().out.count("nextrade.example/audit+") == 2
    with pytest.raises(CommandError):
        call_command("audit", "revoke", "00000000", "--from", "2026-11-23T12:00:00Z", "--reason", "r", "--by", "ann")
    call_command("audit", "restored", "--reason", "r", "--by", "ann")
    assert "none" in capsys.readouterr().out

"""From appended to sealed to anchored, and what the sealer refuses to sign."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pymerkle
import pytest
from django.core import mail
from django.db import DatabaseError, connection, transaction

from compliance import mac, merkle, notes, proofs, seal, triggers, trust
from compliance.audit import Action
from compliance.models import Anchor, Checkpoint, ComplianceEvent, Leaf, Receipt, RestrictedSymbol, Statement
from compliance.seal import TrailBroken
from compliance.sealer import Sealer
from tests.compliance.conftest import record
from tests.conftest import NOON

LOG = "compliance/2026-11"


def test_each_event_is_a_leaf_of_its_class_and_the_root_is_that_of_another_library(sealer: Sealer) -> None:
    events = [record(details={"n": str(n)}) for n in range(21)]
    record(Action.ORDER_PROPOSED, order_id=uuid.uuid4())

    assert sealer.seal(at=NOON) == 22

    checkpoint = Checkpoint.objects.get(log=LOG)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for event in events:
        tree.append_entry(bytes(event.canonical))
    assert bytes(checkpoint.root) == tree.get_root()
    assert Checkpoint.objects.get(log="txn/2026-11").size == 1
    assert notes.take_apart(checkpoint.note).signed_by([trust.pinned()])


def test_growing_by_pieces_gives_the_tree_of_growing_at_once(sealer: Sealer) -> None:
    for size in (1, 2, 16, 3, 33, 1):
        for _ in range(size):
            record()
        sealer.seal(at=NOON)
    leaves = [bytes(leaf) for leaf in Leaf.objects.order_by("leaf_index").values_list("leaf_hash", flat=True)]
    whole = merkle.Frontier()
    whole.extend(leaves)
    assert bytes(Checkpoint.objects.latest("id").root) == whole.root()
    for index, leaf in enumerate(Leaf.objects.order_by("leaf_index")):
        proof = proofs.prove(leaf, 56)
        assert merkle.root_from(leaves[index], index, 56, proof) == whole.root()


def test_an_event_that_commits_late_is_sealed_late_and_not_lost(sealer: Sealer) -> None:
    late = record()
    early = record()
    triggers.remove()
    ComplianceEvent.objects.filter(pk=late.pk).delete()
    sealer.seal(at=NOON)
    late.save(force_insert=True)
    triggers.reinstall()
    assert sealer.seal(at=NOON + timedelta(seconds=1)) == 1
    assert list(Leaf.objects.order_by("leaf_index").values_list("event_id", flat=True)) == [early.pk, late.pk]


def test_a_backlog_is_sealed_stretch_by_stretch(sealer: Sealer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "BATCH", 3)
    for _ in range(8):
        record()
    rounds = [sealer.seal(at=NOON) for _ in range(4)]
    assert sum(rounds) == 8
    assert max(rounds) < 6
    record()
    assert sealer.seal(at=NOON) == 1
    assert list(Leaf.objects.order_by("leaf_index").values_list("event_id", flat=True)) == list(
        ComplianceEvent.objects.order_by("id").values_list("id", flat=True)
    )


def test_what_committed_very_late_is_found_by_the_look_at_the_past(
    sealer: Sealer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [record() for _ in range(12)]
    late = events[1]
    triggers.remove()
    ComplianceEvent.objects.filter(pk=late.pk).delete()
    sealer.seal(at=NOON)
    late.save(force_insert=True)
    triggers.reinstall()
    monkeypatch.setattr(seal, "BATCH", 4)
    monkeypatch.setattr(seal, "RECENT", 2)
    another = Sealer()
    another.start(at=NOON)
    assert sum(another.seal(at=NOON) for _ in range(late.pk // 4 + 1)) == 1
    assert Leaf.objects.latest("leaf_index").event_id == late.pk


def test_checkpoints_are_put_outside_and_the_event_is_known_as_anchored(sealer: Sealer, vault: Path) -> None:
    event = record()
    assert proofs.states([event.pk]) == {}
    sealer.seal(at=NOON)
    assert proofs.states([event.pk]) == {event.pk: "anchored"}
    written = [json.loads(line)["note"] for line in (vault / "anchors" / "trail.jsonl").read_text().splitlines()]
    assert written == [Statement.objects.get().note, Checkpoint.objects.get().note]
    assert len(mail.outbox) == 1
    assert Checkpoint.objects.get().note in mail.outbox[0].body
    record()
    sealer.seal(at=NOON + timedelta(hours=1))
    assert len(mail.outbox) == 1
    sealer.seal(at=NOON + timedelta(days=1))
    assert len(mail.outbox) == 2
    assert Anchor.objects.count() == 4


def test_a_month_that_is_over_is_closed_and_never_gone_back_to(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    record()
    december = NOON + timedelta(days=10)
    sealer.seal(at=december)
    assert Checkpoint.objects.filter(log=LOG).latest("id").is_final
    record()
    sealer.seal(at=NOON)
    assert Leaf.objects.filter(log="compliance/2026-12").count() == 2
    times = [
        notes.Checkpoint.parse(notes.take_apart(note).text).at
        for note in Checkpoint.objects.order_by("id").values_list("note", flat=True)
    ]
    assert times == sorted(times)


def test_an_approver_gets_a_receipt(sealer: Sealer) -> None:
    record(Action.ORDER_PROPOSED, order_id=uuid.uuid4())
    order_id = uuid.uuid4()
    record(Action.ORDER_APPROVED, order_id=order_id)
    sealer.seal(at=NOON)
    receipt = Receipt.objects.get(order_id=order_id)
    root = merkle.root_from(
        bytes(receipt.leaf_hash), receipt.leaf_index, receipt.size, merkle.split(bytes(receipt.proof))
    )
    assert root == notes.Checkpoint.parse(notes.take_apart(receipt.note).text).root


def test_an_event_not_written_by_us_is_not_sealed_and_raises_the_alarm_once(sealer: Sealer) -> None:
    record()
    forged = ComplianceEvent.objects.get()
    forged.pk, forged.event_uuid, forged.writer_mac = None, uuid.uuid4(), bytes(32)
    forged.save(force_insert=True)
    for _ in range(3):
        sealer.seal(at=NOON)
    assert not Leaf.objects.filter(event_id=forged.pk).exists()
    assert [event.details["alert"] for event in ComplianceEvent.objects.filter(action="alert_raised")] == [
        "event_not_ours"
    ]


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM compliance_checkpoint",
        "DELETE FROM compliance_leaf WHERE leaf_index = 2",
        "DELETE FROM compliance_statement",
        "UPDATE compliance_checkpoint SET frontier = root",
        "UPDATE compliance_checkpoint SET size = size + 1",
        "UPDATE compliance_checkpoint SET note = replace(note, 'time 2026', 'time 2025')",
    ],
)
def test_nothing_more_is_signed_over_a_trail_that_was_tampered_with(sealer: Sealer, tampering: str) -> None:
    for _ in range(3):
        record()
    sealer.seal(at=NOON)
    record()
    triggers.remove()
    with connection.cursor() as cursor:
        cursor.execute(tampering)
    with pytest.raises((TrailBroken, trust.KeyProblem)):
        sealer.seal(at=NOON)
    with pytest.raises((TrailBroken, trust.KeyProblem)):
        Sealer().start(at=NOON)


def test_yesterday_s_database_is_not_continued(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    yesterday = Checkpoint.objects.latest("id").pk
    record()
    sealer.seal(at=NOON)
    triggers.remove()
    Checkpoint.objects.filter(pk__gt=yesterday).delete()
    Leaf.objects.filter(leaf_index=1).delete()
    with pytest.raises(TrailBroken, match="audit restored"):
        Sealer().start(at=NOON)


def test_another_key_is_not_taken_for_ours(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    thief = trust.generate()
    triggers.remove()
    Statement.objects.update(note=trust.state(trust.Kind.INTRODUCE, str(thief.verifier), "2026", {}, thief).note)
    with pytest.raises(trust.KeyProblem):
        sealer.seal(at=NOON)


def test_a_key_file_that_others_may_read_is_not_used(sealer: Sealer, vault: Path) -> None:
    key = next((vault / "keys").glob("sealing-*.key"))
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    with pytest.raises(trust.KeyProblem, match="open to others"):
        sealer.seal(at=NOON)


def test_without_the_writers_key_nothing_happens_that_needs_an_event(sealer: Sealer, vault: Path) -> None:
    record()
    (vault / "keys" / "writer_mac.key").unlink()
    mac.forget()

    def restrict() -> None:
        with transaction.atomic():
            RestrictedSymbol.objects.create(symbol="AAPL", reason="-")
            record()

    with pytest.raises(trust.KeyProblem):
        restrict()
    assert not RestrictedSymbol.objects.exists()
    assert not (vault / "keys" / "writer_mac.key").exists()


def test_a_leaf_must_extend_the_tail(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    with pytest.raises(DatabaseError, match="extend the tail"), transaction.atomic():
        Leaf.objects.create(log=LOG, leaf_index=5, event_id=99, leaf_hash=bytes(32))


def test_the_leaves_of_one_statement_must_follow_one_another(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    for places in ((1, 3), (2, 3), (-1,)):
        with pytest.raises(DatabaseError, match="extend the tail"), transaction.atomic():
            Leaf.objects.bulk_create(
                Leaf(log=LOG, leaf_index=place, event_id=99 + place, leaf_hash=bytes(32)) for place in places
            )
    Leaf.objects.bulk_create(Leaf(log=LOG, leaf_index=place, event_id=99 + place, leaf_hash=b"") for place in (1, 2))


def test_a_quiet_round_signs_nothing(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    assert sealer.seal(at=NOON) == 0
    assert Checkpoint.objects.count() == 1
    assert seal.oldest_unsealed() is None

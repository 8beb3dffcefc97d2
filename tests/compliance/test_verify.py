"""What `audit verify` finds: the database administrator's attacks, and each on its own row."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from compliance import examination, mac, merkle, notes, seal, triggers, trust, verify
from compliance.audit import Action
from compliance.models import Anchor, Checkpoint, ComplianceEvent, Leaf, Node, Statement
from compliance.sealer import Sealer
from tests.compliance.conftest import record
from tests.conftest import NOON

EVENT = "compliance_complianceevent"


@pytest.fixture
def trail(sealer: Sealer) -> Sealer:
    """Forty events, sealed by and by, one of them an approval, and one unsealed."""
    for number in range(40):
        order = {"order_id": uuid.uuid4()} if number % 3 == 0 else {}
        record(Action.ORDER_APPROVED if order else Action.CHAT_REQUEST, details={"n": str(number)}, **order)
        if number % 7 == 0:
            sealer.seal(at=NOON + timedelta(seconds=number))
    sealer.seal(at=NOON + timedelta(minutes=1))
    record(details={"message": "not sealed yet"})
    return sealer


def sql(*statements: str) -> None:
    """As the owner of the tables, who first takes the triggers away and puts them back when done."""
    triggers.remove()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    triggers.reinstall()


def faults() -> list[str]:
    return [f"{fault.where}: {fault.what}" for fault in verify.verify().faults]


def test_a_trail_that_nobody_touched_is_found_right(trail: Sealer) -> None:
    report = verify.verify()
    assert report.faults == []
    assert (report.events, report.leaves, report.unsealed) == (41, 40, 1)
    assert verify.verify(since=NOON + timedelta(seconds=10)).faults == []
    assert verify.verify(since=NOON + timedelta(seconds=10)).leaves < 40


def test_it_looks_at_every_column_that_repeats_the_bytes() -> None:
    assert set(examination.COLUMNS) == set(ComplianceEvent(ts_utc=NOON).facts())


FIFTH = f"(SELECT id FROM {EVENT} ORDER BY id LIMIT 1 OFFSET 4)"
ATTACKS = {
    "edit the bytes": [f"UPDATE {EVENT} SET canonical = CAST('x' AS {{bytes}}) WHERE id = {FIFTH}"],
    "edit what is shown": [f"UPDATE {EVENT} SET actor_pid = 'user:9' WHERE id = {FIFTH}"],
    "edit the details": [f"UPDATE {EVENT} SET details = '{{{{}}}}' WHERE id = {FIFTH}"],
    "delete an event": [f"DELETE FROM {EVENT} WHERE id = {FIFTH}"],
    "delete an event and its leaf": [
        f"DELETE FROM compliance_leaf WHERE event_id = {FIFTH}",
        f"DELETE FROM {EVENT} WHERE id = {FIFTH}",
    ],
    "reorder": ["UPDATE compliance_leaf SET leaf_index = leaf_index + 100 WHERE leaf_index = 3"],
    "renumber": [f"UPDATE {EVENT} SET id = 1000000 WHERE id = {FIFTH}"],
    "swap two events": [
        f"UPDATE {EVENT} SET id = 1000000 WHERE id = {FIFTH}",
        f"UPDATE {EVENT} SET id = id - 1 WHERE id = {FIFTH}",  # what was the sixth
        f"UPDATE {EVENT} SET id = 1 + {FIFTH} WHERE id = 1000000",
    ],
    "back-date": [f"UPDATE {EVENT} SET ts_utc = '2020-01-01 00:00:00' WHERE id = {FIFTH}"],
    "cut the newest": [
        "DELETE FROM compliance_leaf WHERE leaf_index > 5",
        f"DELETE FROM {EVENT} WHERE id NOT IN (SELECT event_id FROM compliance_leaf)",
        "DELETE FROM compliance_checkpoint WHERE size > 6",
        "DELETE FROM compliance_node",
        "DELETE FROM compliance_receipt WHERE size > 6",
        "DELETE FROM compliance_anchor WHERE size > 6",
    ],
    "delete everything": [
        f"DELETE FROM compliance_{name}"
        for name in ("leaf", "node", "checkpoint", "anchor", "complianceevent", "receipt")
    ],
    "strip the signatures": ["UPDATE compliance_checkpoint SET note = replace(note, '— ', '')"],
    "take the HMAC away": [f"UPDATE {EVENT} SET writer_mac = NULL, mac_key_id = '' WHERE id = {FIFTH}"],
    "swap logs": ["UPDATE compliance_checkpoint SET log = 'txn/2026-10' WHERE log = 'txn/2026-11'"],
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_database_s_owner_is_found_out(trail: Sealer, attack: str) -> None:
    binary = "BLOB" if connection.vendor == "sqlite" else "BYTEA"
    sql(*(statement.format(bytes=binary) if "{" in statement else statement for statement in ATTACKS[attack]))
    assert faults()


def test_a_history_that_is_hashed_anew_without_our_keys_is_found_out(trail: Sealer) -> None:
    """An edited event, and every leaf, node, root and compact range made to fit it."""
    event = ComplianceEvent.objects.get(details={"n": "4"})
    forged = bytes(event.canonical).replace(b'"n":"4"', b'"n":"9"')
    assert forged != bytes(event.canonical)
    triggers.remove()
    with connection.cursor() as cursor:
        given = [forged, json.dumps({"n": "9"}), event.pk]
        cursor.execute(f"UPDATE {EVENT} SET canonical = %s, details = %s WHERE id = %s", given)
        given = [merkle.leaf_hash(forged), event.pk]
        cursor.execute("UPDATE compliance_leaf SET leaf_hash = %s WHERE event_id = %s", given)
    for log in set(Leaf.objects.values_list("log", flat=True)):
        leaves = [
            bytes(leaf)
            for leaf in Leaf.objects.filter(log=log).order_by("leaf_index").values_list("leaf_hash", flat=True)
        ]
        Node.objects.filter(log=log).delete()
        seal.insert(Node, [(log, *node) for node in merkle.Frontier().extend(leaves)])
        for row in Checkpoint.objects.filter(log=log):
            until = merkle.Frontier()
            until.extend(leaves[: row.size])
            Checkpoint.objects.filter(pk=row.pk).update(root=until.root(), frontier=until.as_bytes())
    triggers.reinstall()
    found = faults()
    assert f"event {event.pk}: its HMAC is not a writer's" in found
    assert any("its columns are not what is signed" in fault for fault in found)


def test_a_faithful_forgery_with_a_key_of_one_s_own_is_found_by_the_pin(trail: Sealer) -> None:
    thief = trust.generate()
    sql()
    triggers.remove()
    first = trust.state(trust.Kind.INTRODUCE, str(thief.verifier), "2026-01-01T00:00:00.000000Z", {}, thief)
    Statement.objects.update(note=first.note, subject=first.subject)
    for row in Checkpoint.objects.all():
        text = notes.take_apart(row.note).text
        Checkpoint.objects.filter(pk=row.pk).update(note=notes.make(text.splitlines(), thief))
    triggers.reinstall()
    assert any("pinned" in fault for fault in faults())


def test_a_lost_trigger_is_a_fault(trail: Sealer) -> None:
    triggers.remove()
    assert any(fault.startswith("trigger compliance_complianceevent_no") for fault in faults())


def test_a_sink_that_was_cut_is_a_fault(trail: Sealer, vault: Path) -> None:
    file = vault / "anchors" / "trail.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-1]))
    assert any("has no such checkpoint any more" in fault for fault in faults())
    file.unlink()
    assert any("has no such checkpoint any more" in fault for fault in faults())


def test_two_checkpoints_of_one_size_are_a_fault(trail: Sealer, vault: Path) -> None:
    """A split view: another root was shown, and anchored, to somebody else."""
    signer = trust.load(trust.keyring().current.verifier)
    real = notes.Checkpoint.parse(notes.take_apart(Checkpoint.objects.latest("id").note).text)
    other = notes.Checkpoint(origin=real.origin, size=real.size, root=bytes(32), at=real.at)
    with (vault / "anchors" / "trail.jsonl").open("a") as file:
        file.write(json.dumps({"at": real.at, "note": notes.make(other.lines(), signer)}) + "\n")
    assert any("was anchored and is not here" in fault for fault in faults())


@pytest.mark.parametrize(
    ("table", "column"),
    [
        *((EVENT, name) for name in ("event_uuid", "ts_utc", "type", "action", "severity", "outcome", "details")),
        *((EVENT, name) for name in ("actor_pid", "subject_pid", "order_id", "canonical", "writer_mac", "mac_key_id")),
        ("compliance_leaf", "leaf_hash"),
        ("compliance_node", "node_hash"),
        ("compliance_checkpoint", "root"),
        ("compliance_checkpoint", "frontier"),
        ("compliance_checkpoint", "note"),
        ("compliance_anchor", "note"),
        ("compliance_anchor", "external_ref"),
        ("compliance_receipt", "proof"),
        ("compliance_receipt", "note"),
        ("compliance_statement", "note"),
        ("compliance_statement", "subject"),
    ],
)
def test_one_changed_byte_is_named(trail: Sealer, table: str, column: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL ORDER BY id LIMIT 1 OFFSET %s",
            [int(table not in ("compliance_node", "compliance_statement"))],
        )
        key, value = cursor.fetchone()
    triggers.remove()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [_changed(column, value), key])
    triggers.reinstall()
    name = {EVENT: "event", "compliance_statement": ""}.get(table, table.removeprefix("compliance_"))
    wanted = f"{name} {key}" if name in ("event", "checkpoint", "anchor", "receipt") else name
    assert any(wanted in fault or (wanted == "leaf" and "of leaf" in fault) for fault in faults()), faults()


def test_another_case_of_a_letter_is_a_changed_byte_too(trail: Sealer) -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL stores a UUID as its number")
    sql("UPDATE compliance_receipt SET order_id = upper(order_id)")
    assert any("its order is not that of its event" in fault for fault in faults())


def _changed(column: str, value: object) -> object:
    if column == "event_uuid" or column == "order_id":
        text = str(value).replace("-", "")
        return ("0" if text[0] != "0" else "1") + text[1:]
    if column == "ts_utc":
        return "2026-11-23 12:00:31"
    if column == "details":
        return '{"n": "x"}'
    if isinstance(value, str):
        middle = len(value) // 2
        return value[:middle] + ("x" if value[middle] != "x" else "y") + value[middle + 1 :]
    raw = bytearray(bytes(value))  # type: ignore[call-overload]
    raw[len(raw) // 2] ^= 1
    return bytes(raw)


def test_the_command_says_so(trail: Sealer, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit", "verify", "--json")
    found = json.loads(capsys.readouterr().out)
    assert found["ok"]
    assert (found["events"], found["unsealed"], found["first_fault"]) == (41, 1, None)
    event = ComplianceEvent.objects.earliest("pk")
    sql(f"UPDATE {EVENT} SET action = 'x' WHERE id = {event.pk}")
    with pytest.raises(CommandError):
        call_command("audit", "verify")
    assert f"first_fault: event {event.pk}: what is shown is not what was hashed: action" in capsys.readouterr().out


def test_the_writers_key_moves_on_each_day_and_older_events_still_verify(trail: Sealer) -> None:
    record(at=NOON + timedelta(days=3))
    assert ComplianceEvent.objects.latest("pk").mac_key_id == "1.2026-11-26"
    assert mac.rotate(day=NOON.date()) == "2.2026-11-23"
    record()
    assert ComplianceEvent.objects.latest("pk").mac_key_id == "2.2026-11-23"
    assert faults() == []
    assert Anchor.objects.exists()
    assert Leaf.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_sealer_at_work_is_no_fault(sealer: Sealer) -> None:
    def work() -> None:
        try:
            for _ in range(60):
                for _ in range(3):
                    record(Action.ORDER_APPROVED, order_id=uuid.uuid4())
                sealer.seal(at=timezone.now())
        finally:
            connection.close()

    record()
    sealer.seal(at=NOON)
    looks = []
    with ThreadPoolExecutor(1) as beside:
        working = beside.submit(work)
        while not working.done():
            looks.append(verify.verify(processes=1))
        working.result()
    assert [look.faults for look in looks] == [[]] * len(looks)
    assert looks[0].leaves < looks[-1].leaves

"""The trail under load and under attack.

R8: one byte in a random place of the trail's tables is changed, again and again: `audit verify` must name its row.
R9: many writers at once, some of which roll back, and two sealers: no event lost, no gap, no break.
S5: what an event costs inside a business transaction. S6: sealing, full verification, inclusion proofs.
"""

import argparse
import json
import multiprocessing
import random
import statistics
import sys
import time
from datetime import datetime
from typing import Any

from tests.campaigns import ground

FORK = multiprocessing.get_context("fork")
CLIENTS = 4
TABLES = ("complianceevent", "leaf", "node", "checkpoint", "anchor", "statement", "receipt")


def write(number: int, count: int) -> int:
    """Append so many events, each with a change of its own; every tenth transaction is rolled back. How many stay."""
    from django.db import transaction

    from compliance import audit
    from compliance.audit import Action

    kept = 0
    for each in range(count):
        with transaction.atomic():
            audit.record(Action.CHAT_REQUEST, actor=f"user:{number}", at=ground.now(), details={"n": str(each)})
            if each % 10 == 9:
                transaction.set_rollback(True)
            else:
                kept += 1
    return kept


def seal_until(stop: Any, urgent_s: float) -> None:
    from compliance.sealer import Sealer

    sealer = Sealer()
    sealer.start(at=ground.now())
    while not stop.is_set():
        sealer.seal(at=ground.now())
        time.sleep(urgent_s)


def together(writers: int, events: int) -> dict[str, Any]:
    """R9."""
    from django.db import connections

    from compliance import verify
    from compliance.models import ComplianceEvent, Leaf
    from compliance.sealer import Sealer

    first = Sealer()
    first.start(at=ground.now())
    before = ComplianceEvent.objects.count()
    connections.close_all()
    stop = FORK.Event()
    sealers = [FORK.Process(target=seal_until, args=(stop, 0.05)) for _ in range(2)]
    for process in sealers:
        process.start()
    start = time.monotonic()
    try:
        with FORK.Pool(writers) as pool:
            kept = sum(pool.starmap(write, [(number, -(-events // writers)) for number in range(writers)]))
        spent = time.monotonic() - start
    finally:
        stop.set()
        for process in sealers:
            process.join()
    first.seal(at=ground.now())
    report = verify.verify(processes=1)
    lost = before + kept - ComplianceEvent.objects.count()
    return {
        "writers": writers,
        "kept": kept,
        "lost": lost,
        "unsealed": before + kept - Leaf.objects.count(),
        "faults": [list(fault) for fault in report.faults],
        "checkpoints": report.checkpoints,
        "events_per_s": kept / spent,
        "sealers_failed": sum(process.exitcode != 0 for process in sealers),
    }


def flips(count: int, seed: int) -> dict[str, Any]:
    """R8, over the trail that is there. Surrogate keys are left out, but for the event's, which the leaf names."""
    from django.db import transaction

    from compliance import triggers, verify

    triggers.remove()
    guarded = {f"trigger {name}" for name in triggers.missing()}
    chance = random.Random(seed)
    cells = _cells()
    weights = [len(value) for *_, value in cells]
    unnamed = []
    for table, column, key, value in chance.choices(cells, weights, k=count):
        with transaction.atomic():
            changed = _flip(chance, table, column, key, value)
            found = {fault.where for fault in verify.verify(processes=1).faults} - guarded
            if changed and (f"event {key}" not in found if table.endswith("event") else not found):
                unnamed.append([table, column, key])
            transaction.set_rollback(True)
    triggers.reinstall()
    return {"places": sum(weights), "flips": count, "unnamed": unnamed}


def _cells() -> list[tuple[str, str, int, bytes]]:
    """(table, column, id, bytes) of everything that is stored as text or bytes."""
    from django.apps import apps
    from django.db import connection

    found = []
    for name in TABLES:
        model = apps.get_model("compliance", name)
        columns = [field.column for field in model._meta.concrete_fields if not field.primary_key]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT id, {', '.join(columns)} FROM {model._meta.db_table}")
            for key, *values in cursor.fetchall():
                for column, value in zip(columns, values, strict=True):
                    raw = value.encode() if isinstance(value, str) else value
                    if isinstance(raw, bytes | memoryview) and len(raw):
                        found.append((model._meta.db_table, column, key, bytes(raw)))
    return found


def _flip(chance: random.Random, table: str, column: str, key: int, value: bytes) -> bool:
    """Change one byte; whether the database took it (PostgreSQL refuses text that is none, and JSON that is none)."""
    from django.db import DatabaseError, connection, transaction

    place = chance.randrange(len(value))
    changed = bytearray(value)
    changed[place] = chance.choice([byte for byte in range(1, 128) if byte != value[place]])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [key])
        is_text = isinstance(cursor.fetchone()[0], str)
        try:
            text = changed.decode() if is_text else bytes(changed)
            with transaction.atomic():
                cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [text, key])
                cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [key])
        except (DatabaseError, UnicodeDecodeError):
            return False
        stored = cursor.fetchone()[0]
    return (stored.encode() if isinstance(stored, str) else bytes(stored)) != value


def in_transactions(count: int) -> dict[str, float]:
    """S5: an insert and its event in a transaction, against the insert alone, in turns; then from four clients."""
    from django.db import connections

    took: dict[bool, list[float]] = {True: [], False: []}
    for number in range(count * 2):
        with_event = bool(number % 2)
        took[with_event].append(_inserted_s(f"s5:{number}", with_event=with_event))
    alone, both = sorted(took[False]), sorted(took[True])
    connections.close_all()
    start = time.perf_counter()
    with FORK.Pool(CLIENTS) as pool:
        pool.starmap(_insert, [(client, count) for client in range(CLIENTS)])
    spent = time.perf_counter() - start
    return {
        "events_per_s": count / sum(both),
        "bare_inserts_per_s": count / sum(alone),
        "p50_added_ms": (statistics.median(both) - statistics.median(alone)) * 1000,
        "p99_added_ms": (both[int(0.99 * count)] - alone[int(0.99 * count)]) * 1000,
        f"events_per_s_{CLIENTS}": CLIENTS * count / spent,
    }


def _inserted_s(key: str, *, with_event: bool) -> float:
    from django.db import transaction

    from compliance import audit
    from compliance.audit import Action
    from nextrade.ops.models import RateWindow

    start = time.perf_counter()
    with transaction.atomic():
        RateWindow.objects.create(key=key, started_s=0, count=1)
        if with_event:
            audit.record(Action.CHAT_REQUEST, actor="user:1", at=ground.now(), details={"key": key})
    return time.perf_counter() - start


def _insert(client: int, count: int) -> None:
    for number in range(count):
        _inserted_s(f"s5:{client}:{number}", with_event=True)


def at_size(count: int) -> dict[str, float]:
    """S6, on so many events of the size that a chat turn leaves."""
    from compliance import proofs, seal, verify
    from compliance.models import ComplianceEvent, Leaf
    from compliance.sealer import Sealer

    sealer = Sealer()
    sealer.start(at=ground.now())
    sealer.seal(at=ground.now())
    _fill(count)
    took = []
    start = time.monotonic()
    while True:
        begun = time.monotonic()
        done = sealer.seal(at=ground.now())
        took.append(done / (time.monotonic() - begun))
        if done < seal.BATCH:
            break
    spent = time.monotonic() - start
    start = time.monotonic()
    report = verify.verify()
    verified = time.monotonic() - start
    assert not report.faults, report.faults[:3]
    start = time.monotonic()
    verify.verify(since=ground.now())
    incremental = time.monotonic() - start
    chance = random.Random(1)
    leaf = Leaf.objects.latest("id")
    size = leaf.leaf_index + 1
    picked = list(Leaf.objects.filter(log=leaf.log, leaf_index__in=[chance.randrange(size) for _ in range(200)]))
    proof_ms = []
    for one in picked:
        start = time.perf_counter()
        proofs.prove(one, size)
        proof_ms.append((time.perf_counter() - start) * 1000)
    return {
        "events": ComplianceEvent.objects.count(),
        "sealed_per_s": count / spent,
        "median_batch_per_s": statistics.median(took),
        "verify_s": verified,
        "verify_per_s": report.events / verified,
        "incremental_s": incremental,
        "proof_p50_ms": statistics.median(proof_ms),
        "proof_p99_ms": sorted(proof_ms)[int(0.99 * (len(proof_ms) - 1))],
    }


def _fill(count: int) -> None:
    """Events as `audit.record` makes them, many in one insert; and what autovacuum would learn of so many."""
    from django.db import connection

    from compliance import seal
    from compliance.models import ComplianceEvent

    at = ground.now()
    fields = [field for field in ComplianceEvent._meta.concrete_fields if not field.primary_key]
    for start in range(0, count, seal.BATCH):
        events = [_event(number, at) for number in range(start, min(start + seal.BATCH, count))]
        seal.insert(
            ComplianceEvent,
            [
                [field.get_db_prep_save(getattr(event, field.attname), connection) for field in fields]
                for event in events
            ],
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _event(number: int, at: datetime) -> Any:
    import orjson

    from compliance import mac
    from compliance.models import ComplianceEvent, EventType, Outcome, RetentionClass, Severity

    event = ComplianceEvent(
        ts_utc=at,
        retention_class=RetentionClass.COMPLIANCE,
        type=EventType.USER_ACTION,
        action="chat_request",
        severity=Severity.INFO,
        outcome=Outcome.SUCCESS,
        actor_pid=f"user:{number % 50}",
        subject_pid=f"user:{number % 50}",
        request_id=f"{number:032x}",
        details={"message": f"What is the price of AAPL, and of MSFT ({number})?"},
    )
    event.canonical = orjson.dumps(event.facts(), option=orjson.OPT_SORT_KEYS)
    event.writer_mac, event.mac_key_id = mac.sign(event.canonical, at=at)
    return event


def campaign(database: str, *, writers: int, events: int, changed: int, seed: int, size: int) -> dict[str, Any]:
    with ground.prepare(database):
        from django.db import transaction

        from compliance import audit
        from compliance.audit import Action
        from compliance.sealer import Sealer

        found: dict[str, Any] = {"database": database.split(":")[0]}
        if changed:
            import uuid

            sealer = Sealer()
            sealer.start(at=ground.now())
            for number in range(60):
                with transaction.atomic():
                    order = uuid.uuid4() if number % 3 else None
                    action = Action.ORDER_APPROVED if order else Action.CHAT_REQUEST
                    facts = {"details": {"n": str(number)}, "personal": {"said": f"word {number}"}}
                    audit.record(action, actor="user:1", at=ground.now(), order_id=order, **facts)
                if number % 20 == 0:
                    sealer.seal(at=ground.now())
            sealer.seal(at=ground.now())
            found["R8"] = flips(changed, seed)
        if events:
            found["R9"] = together(writers, events)
            found["S5"] = in_transactions(min(events, 2000))
        if size:
            found["S6"] = at_size(size)
        return found


def is_wrong(found: dict[str, Any]) -> bool:
    together_ = found.get("R9", {"lost": 0, "unsealed": 0, "faults": [], "sealers_failed": 0})
    return bool(
        found.get("R8", {}).get("unnamed")
        or any(together_[name] for name in ("lost", "unsealed", "faults", "sealers_failed"))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--writers", type=int, help="8 on SQLite, 32 on PostgreSQL")
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--changed", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=1_000_000)
    given = parser.parse_args()
    writers = given.writers or (8 if given.database == "sqlite" else 32)
    found = campaign(
        given.database,
        writers=writers,
        events=given.events,
        changed=given.changed,
        seed=given.seed,
        size=given.size,
    )
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(is_wrong(found))


if __name__ == "__main__":
    main()

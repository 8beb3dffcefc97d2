"""Backups under load, and what is lost by a killing.

R11: backups are taken while processes write and roll back, and the sealer seals; each is restored, and integrity, the
books and the whole trail are verified there. The control, a plain copy of the file, has to fail (SQLite).
R12, RPO: writers and litestream are killed with -9 at random moments, the files are thrown away, and what comes back
from the replica is compared with what was committed (SQLite). RTO: `dr drill` on a database of the size asked for.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.campaigns import ground, trail

FORK = multiprocessing.get_context("fork")


def write_orders(number: int, stop: Any) -> None:
    """Propose, and approve every other; every fifth transaction of another kind is rolled back."""
    from django.contrib.auth.models import User
    from django.db import transaction

    from nextrade.errors import NexTradeError
    from nextrade.ops.models import RateWindow
    from orders import services

    ann, bob = User.objects.get(username="ann"), User.objects.get(username="bob")
    each = 0
    while not stop.is_set():
        each += 1
        request = services.Request(key=f"{number}:{each}", symbol="AAPL", side="buy", quantity="1")
        with contextlib.suppress(NexTradeError):
            order = services.propose(request, owner=ann, by="agent:portfolio", at=ground.now())
            if each % 2:
                services.approve(order.pk, by=bob, version=order.version, at=ground.now())
        with transaction.atomic():
            RateWindow.objects.create(key=f"{number}:{each}", started_s=0, count=1)
            transaction.set_rollback(each % 5 == 0)


@contextlib.contextmanager
def load(writers: int) -> Iterator[None]:
    from django.db import connections

    connections.close_all()
    stop = FORK.Event()
    processes = [FORK.Process(target=write_orders, args=(number, stop)) for number in range(writers)]
    processes.append(FORK.Process(target=trail.seal_until, args=(stop, 0.2)))
    for process in processes:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in processes:
            process.join(30)


def under_load(count: int, writers: int) -> dict[str, Any]:
    """R11."""
    from nextrade.ops.backup import shelf, take

    took, bad, rows = [], [], []
    with load(writers):
        for _ in range(count):
            start = time.monotonic()
            name = take.take()
            took.append(time.monotonic() - start)
            found = in_child(name)
            rows.append(found["events"])
            if found["faults"]:
                bad.append([name, found["faults"][:2]])
            sys.stderr.write(
                f"{len(took)}: {took[-1]:.1f} s, {found['events']} events, {found['faults'][:2] or 'whole'}\n"
            )
            shutil.rmtree(shelf.data().folder / name)
            shutil.rmtree(shelf.keys().folder / name)
        copies = control(min(count, 12))
    return {
        "backups": count,
        "bad": bad,
        "took_p50_s": statistics.median(took),
        "took_max_s": max(took),
        "events_first_last": [rows[0], rows[-1]],
        "plain_copies": copies,
    }


def in_child(name: str) -> dict[str, Any]:
    """Verify a set in a process whose database is the restored copy."""
    from django.db import connections

    connections.close_all()
    ours, theirs = FORK.Pipe()
    child = FORK.Process(target=_verify_copy, args=(name, theirs))
    child.start()
    found: dict[str, Any] = ours.recv() if ours.poll(300) else {"faults": ["no answer"], "events": 0}
    child.join()
    return found


def _verify_copy(name: str, pipe: Any) -> None:
    from django.conf import settings
    from django.db import connection

    from compliance import triggers, verify
    from nextrade.ops.backup import manifest, place, postgres, settle, shelf, sqlite

    folder = shelf.data().find(name)
    made = f"{connection.settings_dict['NAME']}_copy"
    settings.ANCHORS = []  # they are ahead of every backup
    try:
        if settings.SQLITE:
            copy = next(folder.glob("trading_orders_*"))
            connection.settings_dict["NAME"] = str(copy)
            faults = sqlite.problems(copy)
        else:
            postgres.drop(connection.settings_dict, made)
            place.fill_postgres(folder, {**connection.settings_dict, "NAME": made}, is_scratch=True)
            connection.settings_dict["NAME"] = made
            told, holds = manifest.read(folder)["rows"], postgres.told(connection.settings_dict)["rows"]
            faults = [f"{table}: {told[table]} is {holds[table]}" for table in told if told[table] != holds[table]]
        report = verify.verify(processes=1)
        faults += [f"{fault.where}: {fault.what}" for fault in report.faults]
        pipe.send({"faults": [*faults, *triggers.missing(), *settle.book_faults()], "events": report.events})
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
        pipe.send({"faults": [repr(error)], "events": 0})
    finally:
        connection.close()
        if not settings.SQLITE:
            postgres.drop({**connection.settings_dict}, made)


def control(count: int) -> dict[str, int]:
    """What the guide's `cp` would have made of it."""
    from django.conf import settings
    from django.db import connection

    from nextrade.ops.backup import sqlite

    if not settings.SQLITE:
        return {"made": 0, "bad": 0}
    source, target, bad = Path(connection.settings_dict["NAME"]), settings.DATA_DIR / "plain.db", 0
    for _ in range(count):
        shutil.copyfile(source, target)
        bad += bool(sqlite.problems(target))
        time.sleep(0.2)
    return {"made": count, "bad": bad}


WRITE = """
import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], timeout=20, isolation_level=None)
c.execute("PRAGMA journal_mode=WAL"); c.execute("PRAGMA synchronous=FULL")
c.execute("CREATE TABLE IF NOT EXISTS written (at REAL)")
done = open(sys.argv[2], "w")
while True:
    at = time.time()
    c.execute("INSERT INTO written VALUES (?)", [at])
    done.write(f"{at}\\n"); done.flush()
    time.sleep(0.01)
"""


def kills(count: int, seed: int) -> dict[str, Any]:
    """R12, RPO: seconds between the last commit that was answered and the last that came back."""
    from django.conf import settings

    from nextrade.ops.backup import replication, sqlite

    chance, lost, bad = random.Random(seed), [], 0
    for number in range(count):
        folder = settings.DATA_DIR / f"kill-{number}"
        folder.mkdir()
        database, done = folder / "books.db", folder / "done"
        replica = {"type": "file", "path": str(folder / "elsewhere"), "sync-interval": "1s"}
        (folder / "config").write_text(json.dumps({"dbs": [{"path": str(database), "replica": replica}]}))
        writer = subprocess.Popen([sys.executable, "-c", WRITE, str(database), str(done)])
        command = [replication.program(), "replicate", "-config", str(folder / "config")]
        copier = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(3 + chance.random() * 3)
        for process in (writer, copier):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        for file in folder.glob("books.db*"):
            file.unlink()
        shutil.rmtree(folder / ".books.db-litestream", ignore_errors=True)
        back = folder / "back.db"
        asked = [replication.program(), "restore", "-o", str(back), "-config", str(folder / "config"), str(database)]
        subprocess.run(asked, check=True, capture_output=True)
        bad += bool(sqlite.problems(back))
        last = float(done.read_text().splitlines()[-1])
        newest = sqlite3.connect(back).execute("SELECT MAX(at) FROM written").fetchone()[0]
        lost.append(last - newest)
        shutil.rmtree(folder)
    ordered = sorted(lost)
    return {"kills": count, "bad": bad, "rpo_p50_s": statistics.median(ordered), "rpo_max_s": ordered[-1]}


def recovery(size: int) -> dict[str, Any]:
    """R12, RTO, at a trail of so many events."""
    from django.utils import timezone

    from compliance import seal
    from compliance.sealer import Sealer
    from nextrade.ops.backup import drill, shelf, take

    if size:
        sealer = Sealer()
        sealer.start(at=ground.now())
        trail._fill(size)
        while sealer.seal(at=ground.now()) >= seal.BATCH:
            pass
    start = time.monotonic()
    name = take.take()
    backup_s = time.monotonic() - start
    done = drill.drill(shelf.LATEST, at=timezone.now())
    stored = sum(file.stat().st_size for file in (shelf.data().folder / name).iterdir())
    rto_s = float(done.summary.split("RTO=")[1].split("s")[0])
    return {"backup_s": backup_s, "set_bytes": stored, "rto_s": rto_s, "said": done.summary}


def campaign(database: str, *, backups: int, writers: int, killed: int, size: int, seed: int) -> dict[str, Any]:
    with ground.prepare(database):
        from django.conf import settings

        ground.people()
        found: dict[str, Any] = {"database": database.split(":")[0], "load": os.getloadavg()[0]}
        if backups:
            found["R11"] = under_load(backups, writers)
        if killed and settings.SQLITE:
            found["R12_rpo"] = kills(killed, seed)
        if size >= 0:
            found["R12_rto"] = recovery(size)
        return found


def is_wrong(found: dict[str, Any]) -> bool:
    r11, rpo = found.get("R11", {"bad": []}), found.get("R12_rpo", {"bad": 0, "rpo_max_s": 0})
    return bool(r11["bad"] or rpo["bad"] or rpo["rpo_max_s"] > 900 or found.get("R12_rto", {"rto_s": 0})["rto_s"] > 900)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--backups", type=int, default=100)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--size", type=int, default=1_000_000, help="events of the trail at the drill; -1: no drill")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    found = campaign(
        given.database,
        backups=given.backups,
        writers=given.writers,
        killed=given.kills,
        size=given.size,
        seed=given.seed,
    )
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(is_wrong(found))


if __name__ == "__main__":
    main()

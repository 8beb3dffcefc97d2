"""A ruined installation comes back, proves what it is, and forgets again whom it had forgotten. In processes of its
own, on the suite's database."""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyrage
import pytest

from nextrade.ops.backup import copy, replication
from tests.campaigns.house import ROOT, House, built

DATABASE = os.environ.get("TEST_DATABASE_URL", "sqlite")

ORDER = """
from django.contrib.auth.models import User
from django.utils import timezone
from orders import services
request = services.Request(key="{number}", symbol="KO", side="buy", quantity="{number}")
services.propose(request, owner=User.objects.get(username="ann"), by="agent:portfolio", at=timezone.now())
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with built(tmp_path_factory.mktemp("house") / "data", DATABASE) as made:
        made.back_up()
        yield made


def ask(house: House, query: str) -> list[tuple[object, ...]]:
    if house.is_sqlite:
        with contextlib.closing(sqlite3.connect(house.folder / "nextrade.sqlite3")) as opened:
            return opened.execute(query).fetchall()
    with psycopg.connect(house.database) as server:
        return server.execute(query.encode()).fetchall()


def names(house: House) -> list[object]:
    return [name for (name,) in ask(house, "SELECT username FROM auth_user ORDER BY username")]


def set_of(house: House) -> Path:
    return (house.folder / "backups" / "latest").resolve()


def test_the_drill_proves_a_backup_and_says_so_of_a_corrupt_one(house: House) -> None:
    said = house.must("dr", "drill")
    assert "RTO=" in said
    assert "RPO=" in said
    assert "/health " in said
    file = next(set_of(house).glob("trading_orders_*"))
    whole = file.read_bytes()
    file.write_bytes(whole[:5000] + b"corrupt" + whole[5007:])
    try:
        done = house.run("dr", "drill")
        assert done.returncode == 1
        assert f"{file.name} is not what it was" in done.stderr
    finally:
        file.write_bytes(whole)
    assert list((house.folder / "drill").iterdir()) == []
    runs = ask(house, "SELECT status FROM ops_maintenancerun WHERE job = 'restore_drill' ORDER BY id")
    assert runs == [("succeeded",), ("failed",)]


def test_a_ruined_installation_comes_back(house: House) -> None:
    """With a log left by a killed writer, events that are lost, and a person who was erased since."""
    manifest = json.loads((set_of(house) / "manifest.json").read_text())
    house.must("gdpr", "erase", "zanzibarina")
    house.must("sealer", "--once")  # anchored: the trail will stand behind what is known outside
    if house.is_sqlite:
        late = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('UPDATE auth_user SET email = 1')"
        code = f"{late}; c.commit(); os._exit(9)"
        subprocess.run([sys.executable, "-c", code, str(house.folder / "nextrade.sqlite3")], check=False)
        assert (house.folder / "nextrade.sqlite3-wal").stat().st_size > 0
    house.ruin()

    said = house.must("backup", "restore", "latest")

    assert "what was there is kept" in said
    assert ask(house, "SELECT COUNT(*) FROM orders_order") == [(manifest["rows"]["orders_order"],)]
    assert names(house) == ["ann", "bob", "erased-3"]
    assert ask(house, "SELECT COUNT(*) FROM auth_user WHERE email = '1'") == [(0,)]
    assert ask(house, "SELECT COUNT(*) FROM django_session") == [(0,)]
    assert ("restore",) in ask(house, "SELECT kind FROM compliance_statement")
    assert ask(house, "SELECT status FROM ops_maintenancerun WHERE job = 'restore'") == [("succeeded",)]
    assert len(ask(house, "SELECT id FROM compliance_complianceevent WHERE action = 'backup_restored'")) == 1
    assert "events sealed" in house.must("sealer", "--once")
    assert "zanzibarina" not in (house.folder / "compliance.log").read_text()
    if house.is_sqlite:
        assert len(list(house.folder.glob("before-restore-*/nextrade.sqlite3"))) == 1
        assert sqlite3.connect(house.folder / "nextrade.sqlite3").execute("PRAGMA integrity_check").fetchone() == (
            "ok",
        )


def test_from_an_empty_directory_to_a_running_system(house: House, tmp_path: Path) -> None:
    """By way of encrypted copies elsewhere; the machine that had the books is gone."""
    made = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").write_text(f"{made}\n")
    away = {"BACKUP_OFFSITE": f"dir:{tmp_path / 'a'}", "NEXTRADE_BACKUP_KEYS_OFFSITE": f"dir:{tmp_path / 'b'}"}
    house.must("backup", "run", NEXTRADE_BACKUP_RECIPIENTS=str(made.to_public()), **away)
    new = House(tmp_path / "new", "sqlite" if house.is_sqlite else f"{house.database}_new")
    given = ("dr", "restore", "--from", f"dir:{tmp_path / 'a'}", "--keys-from", f"dir:{tmp_path / 'b'}")
    assert new.run(*given).returncode == 2  # without the private key
    said = new.must(*given, "--identity", str(tmp_path / "identity"))
    assert "RTO=" in said
    assert names(new) == ["ann", "bob", "erased-3"]
    again = new.run(*given, "--identity", str(tmp_path / "identity"))
    assert again.returncode == 1
    assert "empty directory" in again.stderr or "already exists" in again.stderr


@pytest.mark.skipif(DATABASE != "sqlite", reason="PostgreSQL comes back from its own archive")
def test_the_newest_commits_come_back_from_the_replica_here_and_in_a_second_region(tmp_path: Path) -> None:
    """The database is thrown away and so is what litestream knew of it; twice, for the replica goes on after a restore.
    Then another directory and port, from the day's sets and what the replica has since."""
    where = {"NEXTRADE_REPLICA_URL": f"file:{tmp_path / 'elsewhere'}"}
    with built(tmp_path / "first", "sqlite") as first:
        first.back_up()
        for number in (2, 3):
            with replicating(first, where):
                first.python(ORDER.format(number=number))
                wait_until_elsewhere(first, tmp_path / "look", orders=number)
            throw_away(first)
            first.must("backup", "restore", "replica", **where)  # which verifies trail and books
            assert ask(first, "SELECT COUNT(*) FROM orders_order") == [(number,)]
        second = House(tmp_path / "second", "sqlite")
        sets = ("--from", str(first.folder / "backups"), "--keys-from", str(first.folder / "backups-keys"))
        second.must("dr", "restore", *sets)
        assert ask(second, "SELECT COUNT(*) FROM orders_order") == [(1,)]
        second.must("backup", "restore", "replica", **where)
        assert ask(second, "SELECT COUNT(*) FROM orders_order") == [(3,)]
        assert "first_fault: none" in second.must("audit", "verify")
        assert copy.boot(second.environment)["components"]["database"]


@contextlib.contextmanager
def replicating(house: House, where: dict[str, str]) -> Iterator[None]:
    """litestream beside it, and killed."""
    command = [sys.executable, "manage.py", "backup", "replicate"]
    with (house.folder / "litestream.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**house.environment, **where}, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def wait_until_elsewhere(house: House, look: Path, *, orders: int) -> None:
    deadline, found = time.monotonic() + 60, 0
    while found < orders:
        assert time.monotonic() < deadline, (house.folder / "litestream.log").read_text()[-2000:]
        time.sleep(0.5)
        look.unlink(missing_ok=True)
        database = house.folder / "nextrade.sqlite3"
        asked = [replication.program(), "restore", "-config", house.folder / "litestream.json", "-o", look, database]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            with contextlib.closing(sqlite3.connect(look)) as opened:
                (found,) = opened.execute("SELECT COUNT(*) FROM orders_order").fetchone()


def throw_away(house: House) -> None:
    for file in house.folder.glob("nextrade.sqlite3*"):
        file.unlink()
    for known in house.folder.glob(".*-litestream"):
        shutil.rmtree(known)

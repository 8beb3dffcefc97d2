"""Backups: whole or not at all, read back, apart from their keys, old ones pruned by their names, others sent away."""

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import boto3
import pyrage
import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from moto import mock_aws

from agents import memory
from compliance import mac, subjects
from compliance.models import ComplianceEvent, Leaf
from compliance.sealer import Sealer
from nextrade.ops.backup import (
    copy,
    envelope,
    manifest,
    offsite,
    place,
    postgres,
    prune,
    replication,
    restore,
    shelf,
    sqlite,
    take,
    verify,
)
from nextrade.ops.backup.shelf import BackupProblem, NoSuchBackup
from nextrade.ops.models import Heartbeat, MaintenanceRun
from orders.models import Order
from tests.conftest import NOON
from tests.nextrade import test_gdpr

pytestmark = pytest.mark.django_db(transaction=True)
NEW_YEAR = datetime(2026, 1, 1, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def shelves(settings: Any, tmp_path: Path) -> Iterator[Path]:
    settings.BACKUP_DIR, settings.BACKUP_KEYS_DIR = tmp_path / "data", tmp_path / "apart"
    settings.KEYS_DIR = tmp_path / "keys"
    settings.ANCHORS = [f"file:{tmp_path / 'trail.jsonl'}"]
    mac.forget()
    yield tmp_path
    mac.forget()


@pytest.fixture
def identity(settings: Any, tmp_path: Path) -> Path:
    """The private half, which in life is on no machine of ours."""
    made = pyrage.x25519.Identity.generate()
    settings.BACKUP_RECIPIENTS = [str(made.to_public())]
    file = tmp_path / "identity.txt"
    file.write_text(f"# made for a test\n{made}\n")
    return file


def run(*args: str) -> str:
    out = StringIO()
    call_command("backup", *args, stdout=out)
    return out.getvalue()


def books(folder: Path) -> Path:
    return next(folder.glob("trading_orders_*"))


def taken(at: datetime) -> str:
    """One that was taken at that moment."""
    with time_machine.travel(at, tick=False):
        return take.take()


def test_a_backup_is_whole_private_and_says_what_it_holds(approved: Order, settings: Any) -> None:
    sealer = Sealer()
    sealer.start(at=NOON)
    sealer.seal(at=NOON)
    said = run("run").strip()
    name = said.removeprefix("Backup completed: ")
    assert shelf.NAME.fullmatch(name)
    folder = settings.BACKUP_DIR / name
    assert (settings.BACKUP_DIR / "latest").resolve() == folder
    kind = "db" if settings.SQLITE else "dump"
    wanted = {f"trading_orders_{name}.{kind}", f"compliance_{name}.log", "manifest.json", "SHA256SUMS"}
    assert wanted <= {file.name for file in folder.iterdir()}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    summed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    assert summed.stdout.count(": OK") == len(wanted) - 1 + any(folder.glob("checkpoints_*"))
    told = manifest.read(folder)
    assert told["rows"]["orders_order"] == 1
    assert (
        told["rows"]["compliance_complianceevent"] == ComplianceEvent.objects.count() - 1
    )  # the run's own comes after
    assert sum(head["size"] for head in told["trail"]) == Leaf.objects.count() > 0
    assert told["migrations"]["ops"] >= "0002"
    row = MaintenanceRun.objects.get(job="database_backup")
    assert (row.artefact, row.sha256) == (str(folder), manifest.sha256(folder / "manifest.json"))
    assert verify.verify(name, at=timezone.now()) == []


def test_keys_lie_apart_from_what_they_open(ann: User, settings: Any) -> None:
    key = subjects.key(f"user:{ann.pk}", "compliance", may_create=True)
    name = take.take()
    data, keys = (place / name for place in (settings.BACKUP_DIR, settings.BACKUP_KEYS_DIR))
    with tarfile.open(keys / f"keys_{name}.tar") as tar:
        assert f"keys/{subjects.WRAP}" in tar.getnames()
        wrap = tar.extractfile(f"keys/{subjects.WRAP}").read()  # type: ignore[union-attr]
    copied = sqlite3.connect(keys / f"subjects_{name}.db")
    assert copied.execute("SELECT subject_pid FROM subject_key").fetchone() == (f"user:{ann.pk}",)
    assert key
    for file in data.iterdir():
        assert wrap not in file.read_bytes()


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "lost", "other sum", "other name"])
def test_harm_to_a_backup_is_found(ann: User, harm: str) -> None:
    folder = shelf.data().find(take.take())
    file = books(folder)
    data = bytearray(file.read_bytes())
    if harm == "flip":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif harm == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif harm == "empty":
        file.write_bytes(b"")
    elif harm == "lost":
        file.unlink()
    elif harm == "other sum":
        (folder / "SHA256SUMS").write_text("")
    else:
        folder = folder.rename(folder.with_name("20200101_000000"))
    with pytest.raises(CommandError, match="1 of 1 sets are wrong"):
        run("verify", folder.name)
    assert not verify.is_verified(folder)


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ("DELETE FROM ops_knownjob", "ops_knownjob has 0 rows"),
        ("DROP TRIGGER compliance_complianceevent_no_delete", "compliance_complianceevent_no_delete"),
    ],
)
def test_harm_that_its_sums_were_mended_for_is_found_too(ann: User, settings: Any, harm: str, told: str) -> None:
    """A copy that is a sound database, with rows that the manifest does not know, or without a trigger."""
    if not settings.SQLITE:
        pytest.skip("a dump is compressed: its harm is found by pg_restore")
    folder = shelf.data().find(take.take())
    with sqlite3.connect(books(folder)) as changed:
        changed.execute(harm)
    manifest.write_sums(folder, sorted(file for file in folder.iterdir() if file.name not in manifest.APART))
    assert any(told in problem for problem in verify.examine(folder))


def test_a_full_disk_is_a_failure_without_a_trace(ann: User, settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_DIR = tmp_path / "small"
    settings.BACKUP_DIR.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=100k", "none", str(settings.BACKUP_DIR)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("nobody but root mounts a small disk")
    try:
        out = StringIO()
        with pytest.raises(CommandError, match="no backup: ") as caught:
            call_command("backup", "run", stdout=out)
        assert caught.value.returncode == 1
        assert out.getvalue() == ""
        assert list(settings.BACKUP_DIR.iterdir()) == []
        assert shelf.keys().names() == []
        row = MaintenanceRun.objects.get(job="database_backup")
        assert (row.status, row.exit) == ("failed", 1)
    finally:
        subprocess.run(["umount", str(settings.BACKUP_DIR)], check=True)


def test_no_name_leads_out_of_the_shelf(ann: User) -> None:
    take.take()
    for name in ("../../etc", "/etc", "20260101_000000/..", "", ".", "20260101_000000\n", "x" * 500):
        with pytest.raises(NoSuchBackup):
            shelf.data().find(name)
    with pytest.raises(CommandError):
        run("verify", "../data")


def test_old_ones_are_compressed_then_deleted_by_their_names(ann: User, settings: Any) -> None:
    names = [taken(NEW_YEAR + timedelta(days=day)) for day in (0, 1, 2, 3)]
    for name in names:
        for file in (settings.BACKUP_DIR / name).iterdir():
            file.touch()  # what a file's own time says is nobody's business
    assert prune.prune(at=NEW_YEAR + timedelta(days=30), is_dry=True) == []
    done = prune.prune(at=NEW_YEAR + timedelta(days=31, seconds=1))
    assert [line for line in done if "keys" not in line] == [f"compressed {name}" for name in names[:2]]
    old = settings.BACKUP_DIR / names[0]
    assert {file.suffix for file in old.iterdir()} <= {".gz", ".json", ""}
    assert verify.verify(names[0], at=timezone.now()) == []
    if settings.SQLITE:
        copy = settings.BACKUP_DIR / "unpacked"
        copy.write_bytes(gzip.decompress(books(old).read_bytes()))
        assert sqlite3.connect(copy).execute("SELECT COUNT(*) FROM orders_account").fetchone() == (1,)
    assert books(settings.BACKUP_DIR / names[3]).suffix in (".db", ".dump")
    done = prune.prune(at=NEW_YEAR + timedelta(days=92))
    assert f"deleted {names[1]}" in done
    assert shelf.data().names() == [names[0], names[2], names[3]]  # the first of the month, young enough, the last


def test_the_last_that_was_verified_stays_and_the_month_s_first_for_seven_years(ann: User) -> None:
    first, second = taken(NEW_YEAR), taken(NEW_YEAR + timedelta(days=1))
    verify.mark(shelf.data().find(second), ["it is broken"], at=timezone.now())
    prune.prune(at=NEW_YEAR + timedelta(days=9 * 366))
    assert shelf.data().names() == [first, second]  # the last verified, and the last
    third = taken(NEW_YEAR + timedelta(days=40))
    prune.prune(at=NEW_YEAR.replace(year=2033))
    assert shelf.data().names() == [first, third]
    prune.prune(at=NEW_YEAR.replace(year=2033) + timedelta(days=1))
    assert shelf.data().names() == [third]


def test_keys_live_thirty_days(ann: User) -> None:
    names = [taken(NEW_YEAR + timedelta(days=day)) for day in (0, 1, 40)]
    prune.prune(at=NEW_YEAR + timedelta(days=41))
    assert shelf.keys().names() == names[2:]
    assert shelf.data().names() == names


def test_what_leaves_is_encrypted_and_debian_s_age_opens_it(ann: User, identity: Path, tmp_path: Path) -> None:
    name = take.take()
    sealed = tmp_path / f"{name}.tar.age"
    envelope.pack(shelf.data().find(name), sealed, [str(_public(identity))])
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")
    opened = envelope.unpack(sealed, identity, tmp_path / "opened")
    assert verify.examine(opened) == []
    other = tmp_path / "other"
    other.write_text(f"\n{pyrage.x25519.Identity.generate()}\n")
    with pytest.raises(BackupProblem, match="cannot be opened"):
        envelope.unpack(sealed, other, tmp_path / "by-another")
    if shutil.which("age"):
        command = ["age", "--decrypt", "-i", str(identity), "-o", str(tmp_path / "by-age.tar"), str(sealed)]
        subprocess.run(command, check=True)
        with tarfile.open(tmp_path / "by-age.tar") as tar:
            assert tar.getnames()[0] == name
    sealed.write_bytes(sealed.read_bytes()[:-5] + b"wrong")
    with pytest.raises(BackupProblem, match="cannot be opened"):
        envelope.unpack(sealed, identity, tmp_path / "again")


def _public(identity: Path) -> Any:
    return pyrage.x25519.Identity.from_str(identity.read_text().splitlines()[1]).to_public()


def test_nothing_leaves_unencrypted(ann: User, settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_OFFSITE = [f"dir:{tmp_path / 'away'}"]
    with pytest.raises(CommandError, match="nothing leaves unencrypted"):
        run("run")
    assert not (tmp_path / "away").exists()


@pytest.mark.parametrize("evil", ["../out", "/etc/out", "20260101_000000/../../out", "20260101_000000/deep/er", "link"])
def test_a_tar_that_leads_out_is_refused(identity: Path, tmp_path: Path, evil: str) -> None:
    plain, sealed = tmp_path / "evil.tar", tmp_path / "evil.tar.age"
    with tarfile.open(plain, "w") as tar:
        top = tarfile.TarInfo("20260101_000000")
        top.type, top.mode = tarfile.DIRTYPE, 0o700
        tar.addfile(top)
        inner = tarfile.TarInfo("20260101_000000/x" if evil == "link" else evil)
        if evil == "link":
            inner.type, inner.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(inner)
    pyrage.encrypt_file(str(plain), str(sealed), [_public(identity)])
    with pytest.raises(BackupProblem, match="which no backup of ours does"):
        envelope.unpack(sealed, identity, tmp_path / "into")
    assert not (tmp_path / "out").exists()
    assert list((tmp_path / "into").iterdir()) == []


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="away")
        yield


@pytest.mark.parametrize("kind", ["dir", "s3", "rsync"])
def test_copies_elsewhere_are_read_back_fetched_and_let_go(
    ann: User, identity: Path, bucket: None, settings: Any, tmp_path: Path, kind: str
) -> None:
    if kind == "rsync" and not shutil.which("rsync"):
        pytest.skip("rsync is not installed")
    (tmp_path / "away").mkdir()
    where = "s3:away/nextrade" if kind == "s3" else f"{kind}:{tmp_path / 'away'}"
    settings.BACKUP_OFFSITE = [where]
    old, name = taken(NEW_YEAR), taken(NEW_YEAR + timedelta(days=1))
    sink = offsite.sink(where)
    assert sink.names() == [f"{old}.tar.age", f"{name}.tar.age"]
    assert offsite.verify(name) == []
    fetched = offsite.fetch(where, "latest", identity, tmp_path / "fetched")
    assert fetched.name == name
    assert verify.examine(fetched) == []
    with pytest.raises(NoSuchBackup):
        offsite.fetch(where, "../x", identity, tmp_path / "fetched")
    other = tmp_path / f"{name}.tar.age"
    sink.get(other.name, other)
    other.write_bytes(other.read_bytes()[:-1] + b"!")
    sink.put(other)
    assert offsite.verify(name) == [f"the copy at {where} is not what was sent"]
    sink.delete(f"{old}.tar.age")
    assert sink.names() == [f"{name}.tar.age"]


def test_elsewhere_the_same_ages_hold(ann: User, identity: Path, settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_OFFSITE, settings.BACKUP_KEYS_OFFSITE = [f"dir:{tmp_path / 'a'}"], [f"dir:{tmp_path / 'b'}"]
    names = [taken(NEW_YEAR + timedelta(days=day)) for day in (0, 1, 2)]
    prune.prune(at=NEW_YEAR + timedelta(days=95))
    assert offsite.sink(settings.BACKUP_OFFSITE[0]).names() == [f"{name}.tar.age" for name in (names[0], names[2])]
    assert offsite.sink(settings.BACKUP_KEYS_OFFSITE[0]).names() == [f"{names[2]}.tar.age"]


def test_whoever_was_erased_is_not_in_the_next_backup(settings: Any) -> None:
    """R22."""
    zan = test_gdpr.person(test_gdpr.NAME, "Traders", last_name=test_gdpr.FAMILY, is_staff=True)
    test_gdpr.live(zan)
    assert _marks(shelf.data().find(take.take())) == set(test_gdpr.MARKS)
    call_command("gdpr", "erase", test_gdpr.NAME)
    name = take.take()
    assert _marks(shelf.data().find(name)) == set()
    assert _marks(shelf.keys().find(name)) == set()


def _marks(folder: Path) -> set[str]:
    return {mark for mark in test_gdpr.MARKS for file in folder.iterdir() if mark.encode() in _bytes(file)}


def _bytes(file: Path) -> bytes:
    if file.suffix != ".dump":
        return file.read_bytes()
    return subprocess.run(["pg_restore", "--file=-", str(file)], capture_output=True, check=True).stdout


def test_a_server_newer_than_the_programs_here_is_said(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if settings.SQLITE:
        pytest.skip("SQLite needs no program")
    monkeypatch.setattr(postgres, "_server_version", lambda database: "99.1")
    with pytest.raises(CommandError, match="no pg_dump of version 99"):
        run("run")


def test_the_list_tells_of_each(ann: User) -> None:
    name = take.take()
    (told,) = json.loads(run("list", "--json"))
    assert (told["name"], told["verified"], told["monthly"], told["has_keys"]) == (name, True, True, True)
    assert name in run("list")


def test_nothing_is_put_back_while_something_lives(ann: User, settings: Any) -> None:
    name = take.take()
    Heartbeat.objects.create(name="scheduler", at=timezone.now())
    with pytest.raises(CommandError, match="scheduler has beaten"):
        run("restore", name)
    Heartbeat.objects.all().delete()
    if not settings.SQLITE:
        return  # test_restore has it: here every session is this test's own
    code = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT 1 FROM auth_user'); "
    code += "print(1, flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, str(connection.settings_dict["NAME"])]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(CommandError, match=f"pid {holder.pid}"):
            run("restore", name)
    finally:
        holder.kill()
        holder.wait()


def test_a_set_that_is_harmed_or_of_newer_code_is_not_put_back(ann: User) -> None:
    folder = shelf.data().find(take.take())
    told = manifest.read(folder)
    told["migrations"]["orders"] = "9999_from_the_future"
    (folder / "manifest.json").write_text(json.dumps(told))
    with pytest.raises(BackupProblem, match=r"manifest.json is not what it was"):
        restore.sound(folder)
    manifest.write_sums(folder, sorted(file for file in folder.iterdir() if file.name not in manifest.APART))
    with pytest.raises(BackupProblem, match=r"made by code that this is not \(orders 9999"):
        restore.sound(folder)


@pytest.mark.parametrize("evil", ["keys/../../out", "../out", "keys/deep/er", "other"])
def test_keys_that_lead_out_are_refused(tmp_path: Path, evil: str) -> None:
    folder = tmp_path / "20260101_000000"
    folder.mkdir()
    with tarfile.open(folder / "keys_20260101_000000.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo(evil))
    manifest.write(folder, {"name": folder.name})
    with pytest.raises(BackupProblem, match="which no set of ours does"):
        place.put_keys(folder, keys=tmp_path / "in", data=tmp_path, subjects={"NAME": str(tmp_path / "s")})
    assert not (tmp_path / "out").exists()


def test_a_copy_knows_no_key_no_address_and_no_broker_of_the_real_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in (
        "ALPACA_SECRET_KEY",
        "PAGERDUTY_ROUTING_KEY",
        "OPENAI_API_KEY",
        "REDIS_URL",
        "EMAIL_URL",
        "BACKUP_OFFSITE",
    ):
        monkeypatch.setenv(name, "of the real one")
    monkeypatch.setenv("NEXTRADE_BROKER", "alpaca")
    given = copy.environment(tmp_path, connection.settings_dict, settings.SUBJECTS_DATABASE)
    assert "of the real one" not in given.values()
    assert "NEXTRADE_BROKER" not in given
    assert given["NEXTRADE_ANCHORS"] == ""
    assert given["SECRET_KEY"] != settings.SECRET_KEY


def test_what_could_be_recovered_is_a_figure(ann: User) -> None:
    at = timezone.now() - timedelta(hours=5)
    rows = {"database_backup": "", "replication": "behind=4.0s", "restore_drill": "RTO=12.5s RPO=60.0s of x"}
    for job, summary in rows.items():
        when = timezone.now() if job == "replication" else at
        more = {"started_at": when, "finished_at": when, "started_by": "system:test"}
        MaintenanceRun.objects.create(job=job, status="succeeded", summary=summary, **more)
    lines = Client().get("/metrics").content.decode().splitlines()
    told = {
        key: float(value) for key, _, value in (line.rpartition(" ") for line in lines if line.startswith("nextrade_"))
    }
    assert told["nextrade_dr_last_rto_seconds"] == 12.5
    assert 4 <= told["nextrade_backup_age_seconds"] == told["nextrade_replication_age_seconds"] < 60
    assert told['nextrade_job_max_age_seconds{job="database_backup"}'] == 26 * 3600
    MaintenanceRun.objects.filter(job="replication").delete()
    text = Client().get("/metrics").content.decode()
    age = next(float(line.split()[1]) for line in text.splitlines() if line.startswith("nextrade_backup_age_seconds "))
    assert 5 * 3600 <= age < 5 * 3600 + 60


def test_replication_says_that_it_is_off_or_how_far_behind(settings: Any, tmp_path: Path) -> None:
    assert replication.measure().summary.startswith("off: ")
    if not settings.SQLITE:
        assert any("archive_mode is off" in problem for problem in replication.wal_problems())
        with pytest.raises(CommandError, match="archive_command is not set"):
            run("wal")
        return
    memory.checkpointer()
    settings.REPLICA_URL = f"file:{tmp_path / 'elsewhere'}"
    with pytest.raises(BackupProblem):
        replication.measure()
    config = str(replication.write_config())
    subprocess.run([replication.program(), "replicate", "-once", "-config", config], check=True, capture_output=True)
    done = replication.measure()
    assert done.summary.startswith("behind=")
    replication.restore(Path(connection.settings_dict["NAME"]), tmp_path / "back.db")
    assert sqlite.problems(tmp_path / "back.db") == []
    with time_machine.travel(timezone.now() + timedelta(minutes=20)), pytest.raises(BackupProblem, match="minutes old"):
        replication.measure()

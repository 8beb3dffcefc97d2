"""`manage.py db`: whole, tidy, by its indexes, and nothing deleted that must be kept."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_q.models import Task

from agents import memory
from agents.models import Message, Thread
from nextrade.errors import Refused
from nextrade.ops.backup import shelf, take, verify
from nextrade.ops.care import birth, hot_queries, integrity, plans, sweeping, tidying
from nextrade.ops.care.finding import Verdict
from nextrade.ops.care.hot_queries import HotQuery
from nextrade.ops.models import IdempotentReply
from orders.models import Order
from tests.conftest import Propose

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
on_sqlite = pytest.mark.skipif(not settings.SQLITE, reason="SQLite's own file")
on_postgresql = pytest.mark.skipif(settings.SQLITE, reason="PostgreSQL's own checks")


def db(*words: str) -> str:
    out = StringIO()
    call_command("db", *words, stdout=out)
    return out.getvalue()


def test_every_hot_query_goes_by_an_index() -> None:
    found = plans.plans(at=NOW)
    assert {plan.query.name: plan.steps for plan in found if plan.scans} == {}
    assert len(found) == len(hot_queries.HOT)
    if settings.SQLITE:
        assert "USING INDEX" in db("explain")


def test_a_query_that_reads_a_big_table_whole_fails_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    by_words = HotQuery(name="words", where="a test", ask=lambda at: Order.objects.filter(user_words="buy"))
    by_walk = HotQuery(
        name="walked", where="a test", ask=lambda at: Order.objects.order_by("rationale")[:5], may_walk=True
    )
    monkeypatch.setattr(plans.plans, "__kwdefaults__", {"queries": (by_words, by_walk)})
    with pytest.raises(CommandError, match="2 read a big table whole: words; walked") as failed:
        db("explain")
    assert failed.value.returncode == 1


def test_a_whole_database_passes(approved: Order) -> None:
    if not settings.SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    found = json.loads(db("check", "--json"))
    assert {each["verdict"] for each in found} == {"ok"}
    assert {"rows", "trail"} <= {each["what"] for each in found}


@on_postgresql
def test_without_amcheck_the_pages_are_unknown_not_fine() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP EXTENSION IF EXISTS amcheck")
    with pytest.raises(CommandError, match="not fine: amcheck"):
        db("check")


@on_sqlite
def test_garbage_in_a_page_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite3"
    with (
        closing(sqlite3.connect(str(connection.settings_dict["NAME"]))) as source,
        closing(sqlite3.connect(copy)) as to,
    ):
        source.backup(to)
        size = to.execute("PRAGMA page_size").fetchone()[0]
    assert integrity.file_problems(copy) == []
    with copy.open("r+b") as file:
        file.seek(49 * size)
        file.write(bytes(range(1, 256)) * (size // 255))
    assert integrity.file_problems(copy)


def test_a_row_that_cannot_be_is_found_and_named(approved: Order) -> None:
    approved.approvals.all().delete()
    Message.objects.create(
        thread=Thread.objects.create(owner=approved.maker, title="x", created_at=NOW, updated_at=NOW),
        role="notice",
        content="",
        order_id="00000000-0000-4000-8000-000000000000",
        created_at=NOW,
    )
    wrong = {each.what: each for each in integrity.check() if each.verdict == Verdict.FAIL}
    assert str(approved.pk) in wrong["orders that were sent with nobody's approval"].said
    assert "messages about an order that is not there" in wrong


@on_sqlite
def test_vacuum_gives_room_back_while_somebody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "big.sqlite3"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("CREATE TABLE t (x)")
        writer.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
                       "INSERT INTO t SELECT randomblob(2000) FROM n")  # fmt: skip
        writer.execute("DELETE FROM t WHERE rowid > 100")
        before = file.stat().st_size
        monkeypatch.setattr(integrity, "files", lambda: {"big": file})
        open_at = datetime(2026, 11, 23, 16, 0, tzinfo=UTC)
        assert "the exchange is open" in tidying.optimize(at=open_at)[0].said
        (done,) = tidying.optimize(at=datetime(2026, 11, 22, 16, 0, tzinfo=UTC))
        assert done.verdict == Verdict.OK
        assert file.stat().st_size < before / 4
        writer.execute("INSERT INTO t VALUES (1)")
        assert writer.execute("SELECT count(*) FROM t").fetchone()[0] == 101


@on_postgresql
def test_postgresql_is_vacuumed_and_analysed() -> None:
    assert "VACUUM (ANALYZE)" in db("optimize")


def counts() -> dict[str, int]:
    kept = ("orders", "compliance", "auth")
    return {
        model._meta.label: model._default_manager.count()
        for model in apps.get_models()
        if model._meta.app_label in kept
    }


def remember(thread_id: str) -> None:
    saver = memory.checkpointer()
    config: Any = {"configurable": {"thread_id": thread_id, "checkpoint_ns": ""}}
    checkpoint: Any = {"v": 1, "id": "1", "ts": "", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}
    saver.put(config, checkpoint, {}, {})


def test_cleanup_deletes_exactly_what_its_dry_run_lists(ann: User, propose: Propose) -> None:
    propose()
    now = timezone.now()
    sweeping.sweep(at=now, is_dry=False)  # what other tests' conversations left
    thread = Thread.objects.create(owner=ann, title="kept", created_at=now, updated_at=now)
    remember(str(thread.pk))
    remember("deleted-thread")
    for age in (timedelta(days=1), timedelta(days=8), timedelta(days=91)):
        for success in (True, False):
            when = now - age
            Task.objects.create(
                id=f"{age.days}{success}", name="x", func="os.getpid", started=when, stopped=when, success=success
            )
        IdempotentReply.objects.create(key=f"{age.days}", body_sha256="", created_at=now - age - timedelta(hours=1))
        Session.objects.create(session_key=f"{age.days}", session_data="", expire_date=now - age + timedelta(days=2))
    before = counts()
    expected = {
        "expired sessions": 2,
        "expired tokens": 0,
        "kept replies of yesterday": 3,
        "results of tasks over 7 days old": 2,
        "failures of tasks over 90 days old": 1,
        "memories of deleted conversations": 1,
    }
    assert json.loads(db("cleanup", "--dry-run", "--json")) == expected
    assert json.loads(db("cleanup", "--json")) == expected
    assert set(json.loads(db("cleanup", "--json")).values()) == {0}
    assert counts() == before
    assert str(thread.pk) in sweeping._remembered()
    assert memory.checkpointer().delete_thread(str(thread.pk)) is None


@pytest.fixture
def shelves(tmp_path: Path, settings: Any) -> None:
    settings.BACKUP_DIR, settings.BACKUP_KEYS_DIR = tmp_path / "backups", tmp_path / "keys"


@on_sqlite
def test_init_refuses_where_there_are_records(ann: User, shelves: None) -> None:
    with pytest.raises(CommandError, match="there is a database, or a backup of one") as failed:
        db("init")
    assert failed.value.returncode == 1
    with pytest.raises(Refused, match="no verified backup"):
        birth.init(at=NOW, sha256="0" * 64)
    name = take.take()
    assert verify.is_verified(shelf.data().find(name)) or verify.verify(name, at=NOW) == []
    with pytest.raises(Refused, match="is not the SHA-256"):
        birth.init(at=NOW, sha256="0" * 64)
    assert User.objects.filter(pk=ann.pk).exists()


@on_sqlite
def test_init_sets_the_old_file_aside(
    tmp_path: Path, shelves: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    old = tmp_path / "old.sqlite3"
    with closing(sqlite3.connect(old)) as made:
        made.execute("CREATE TABLE t (x)")
        made.commit()
    name = take.take()
    sums = (shelf.data().find(name) / "SHA256SUMS").read_text().splitlines()
    digest = next(line.split()[0] for line in sums if "trading_orders_" in line)
    monkeypatch.setattr(birth, "_file", lambda: old)
    said = birth.init(at=NOW, sha256=digest)
    assert not old.exists()
    assert (tmp_path / "old.sqlite3.20261123_120000").exists()
    assert "old.sqlite3.20261123_120000" in said

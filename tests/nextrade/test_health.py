"""What the health pages say, of real components: nothing of ours is stood in for."""

import json
import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from health_check.base import HealthCheckResult
from health_check.exceptions import ServiceUnavailable

from compliance.sealer import Sealer
from nextrade.ops import asking, checks, components, database, processes, results
from nextrade.ops.models import Heartbeat
from nextrade.ops.outages import Notices
from nextrade.ops.tasks import heartbeat
from nextrade.sqlite import Existing
from tests import caching
from tests.openai_server import openai_server

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = {
    *("api", "llm", "database", "circuit_breaker", "cache", "scheduler", "sealer"),
    *("alerting", "broker", "quotes", "disk", "memory", "backup"),
}


@pytest.fixture(autouse=True)
def others_beat(transactional_db: None) -> Iterator[None]:
    for name in ("sealer", "alertd"):
        Heartbeat.objects.create(name=name, at=timezone.now())
    yield
    components.installed.cache_clear()


def get_health(path: str = "/health", **headers: str) -> Any:
    caching.begin()
    return Client(headers=headers).get(path)


def up(name: str) -> bool:
    return bool(get_health().json()["components"][name])


def beat(name: str, ago: timedelta) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"at": timezone.now() - ago})


def test_all_is_well_once_the_heartbeat_has_come_through() -> None:
    assert not up("scheduler")
    heartbeat()
    reply = get_health()
    assert reply.status_code == 200
    assert "no-store" in reply["Cache-Control"]
    body = reply.json()
    assert list(body) == ["status", "timestamp", "components"]
    assert body["status"] == "healthy"
    assert body["components"] == dict.fromkeys(NAMES, True)
    assert datetime.strptime(body["timestamp"], "%Y-%m-%dT%H:%M:%SZ")


def test_json_is_the_same_by_every_address() -> None:
    heartbeat()
    caching.begin()
    web = Client()
    first = web.get("/health").json()
    for reply in (
        web.get("/ht/?format=json"),
        web.get("/ht/", headers={"Accept": "application/json"}),
        web.get("/ht/", headers={"Accept": "nonsense"}),
        web.get("/health", headers={"Accept": "text/html"}),
        web.get("/health/ready"),
    ):
        assert reply.json() == first
    assert web.get("/ht/", headers={"Accept": "image/png"}).status_code == 406
    assert web.get("/health/live").content == b"ok\n"
    assert b"database: ok\n" in web.get("/ht/?format=text").content
    assert b'django_health_check_status{check="Database"} 1' in web.get("/ht/?format=openmetrics").content


def test_a_component_alone_is_503_when_it_is_down() -> None:
    beat("scheduler", timedelta(minutes=3))
    assert get_health("/ht/sealer/?format=json").json()["components"] == {"sealer": True}
    reply = get_health("/ht/scheduler/?format=json")
    assert (reply.status_code, reply.json()["status"]) == (503, "unhealthy")
    assert get_health("/ht/nonsense/").status_code == 404
    assert get_health().status_code == 200


@pytest.mark.parametrize(
    ("name", "component", "ago"),
    [("scheduler", "scheduler", 121), ("sealer", "sealer", 121), ("alertd", "alerting", 61)],
)
def test_a_silent_process_degrades(name: str, component: str, ago: int) -> None:
    heartbeat()
    beat(name, timedelta(seconds=ago - 10))
    assert up(component)
    beat(name, timedelta(seconds=ago))
    reply = get_health()
    assert (reply.status_code, reply.json()["status"], reply.json()["components"][component]) == (
        200,
        "degraded",
        False,
    )


@pytest.mark.owner
def test_an_event_that_waits_to_be_sealed_degrades(ann: User, settings: Any, tmp_path: Path) -> None:
    settings.ANCHORS = [f"file:{tmp_path / 'trail.jsonl'}"]
    assert not up("sealer")  # ann's account was opened at noon, and is not sealed
    sealing = Sealer()
    sealing.start(at=timezone.now())
    sealing.seal(at=timezone.now())
    assert up("sealer")


def test_nobody_is_told_why_but_who_may_see_it(olga: User, ann: User) -> None:
    beat("scheduler", timedelta(minutes=3))
    why = b"no scheduled task has finished"
    operator, trader = Client(), Client()
    operator.force_login(olga)
    trader.force_login(ann)
    caching.begin()
    page = operator.get("/ht/")
    assert page.status_code == 200
    assert why in page.content
    assert b" ms</span>" in page.content
    for web in (Client(), trader):
        told = web.get("/ht/").content
        assert b"Failing" in told
        assert why not in told
        assert b" ms</span>" not in told
        assert why not in web.get("/ht/?format=text").content
        assert "details" not in web.get("/ht/?format=json&details").json()
    assert why.decode() in operator.get("/ht/?format=json&details").json()["details"]["scheduler"]["error"]
    assert "Content-Security-Policy" in page
    assert page["X-Frame-Options"] == "DENY"


def test_a_probe_asks_nothing_of_the_database_on_its_way(django_assert_num_queries: Any) -> None:
    caching.begin()
    results.WATCH.latest()
    with django_assert_num_queries(0):
        assert Client().get("/ht/", headers={"Accept": "application/json"}).status_code == 200
        assert Client().get("/health").status_code == 200


def test_many_probes_at_once_are_one_look() -> None:
    caching.begin()
    seen: list[results.Seen] = []
    asking_at_once = [threading.Thread(target=lambda: seen.append(results.WATCH.latest())) for _ in range(10)]
    for thread in asking_at_once:
        thread.start()
    for thread in asking_at_once:
        thread.join()
    assert len(seen) == 10
    assert len({id(each) for each in seen}) == 1


def test_what_is_not_fresh_is_looked_at_behind_the_asker_s_back() -> None:
    caching.begin()
    first = results.WATCH.latest()
    time.sleep(results.FRESH_S + 0.05)
    assert results.WATCH.latest() is first
    end = time.monotonic() + 20
    while results.WATCH.latest() is first:
        assert time.monotonic() < end
        time.sleep(0.05)


# --- the model's provider


def test_a_model_that_does_not_answer_degrades(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    heartbeat()
    settings.MODEL, settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "gpt", "sk-very-secret", "http://127.0.0.1:9/v1"
    reply = get_health()
    assert (reply.status_code, reply.json()["status"], reply.json()["components"]["llm"]) == (200, "degraded", False)
    assert "ERROR" in caplog.text
    assert "LLM health check failed: " in caplog.text
    assert "sk-very-secret" not in caplog.text


def test_a_provider_is_asked_once_for_many_probes(settings: Any) -> None:
    with openai_server(lambda request: {"content": "ok"}) as provider:
        settings.MODEL, settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "gpt", "sk", provider.url
        asked: list[float] = []
        for _ in range(5):
            asking.problem("it", lambda: asked.append(time.time()))
        assert len(asked) == 1


def test_an_answer_that_nobody_renews_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "WAIT_S", 0.2)
    caching.begin()
    asking.keep("it", "")
    assert asking.problem("it", lambda: None) == ""
    asking._here["it"] = asking.Told(problem="", at=time.time() - asking.STALE_S - 1)
    caching.prefix = "another"
    hang = threading.Event()
    assert "s old" in asking.problem("it", hang.wait)
    hang.set()


# --- the database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A SQLite file with the two tables that the trial touches, of more than one page."""
    path = tmp_path / "desk.sqlite3"
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE compliance_complianceevent (id INTEGER PRIMARY KEY, facts TEXT)")
        db.execute("CREATE TABLE ops_heartbeat (name TEXT PRIMARY KEY, at TEXT)")
        db.executemany("INSERT INTO compliance_complianceevent (facts) VALUES (?)", [("x" * 900,)] * 200)
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def problem_of(path: Path, trial: database.Trial | None = None) -> str:
    try:
        (trial or database.Trial()).try_file(path, is_write_due=True)
    except (ServiceUnavailable, sqlite3.Error, OSError) as error:
        return str(error)
    return ""


def test_a_database_that_works_keeps_nothing_of_the_trial(file: Path) -> None:
    assert problem_of(file) == ""
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("SELECT count(*) FROM ops_heartbeat").fetchone() == (0,)


def test_a_file_that_is_gone_is_missed_and_not_made_anew(file: Path) -> None:
    file.unlink()
    assert "missing" in problem_of(file)
    assert not file.exists()


def test_a_file_that_is_moved_aside_and_back_has_lost_nothing(file: Path) -> None:
    """A new connection meanwhile would make an empty file, and throw the WAL away when it ends."""
    with closing(sqlite3.connect(file, factory=Existing)) as held:
        held.execute("INSERT INTO ops_heartbeat VALUES ('it', 'now')")
        held.commit()
        aside = file.rename(file.with_suffix(".aside"))
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            sqlite3.connect(database=file, factory=Existing)
        assert not file.exists()
        aside.rename(file)
        with closing(sqlite3.connect(database=file, factory=Existing, timeout=1)) as other:
            assert other.execute("SELECT count(*) FROM ops_heartbeat").fetchone() == (1,)


def test_a_file_of_random_pages_is_found_out(file: Path) -> None:
    with file.open("r+b") as pages:
        pages.seek(4096)
        pages.write(os.urandom(file.stat().st_size - 4096))
    assert "malformed" in problem_of(file)


def test_an_empty_file_is_found_out(file: Path) -> None:
    file.write_bytes(b"")
    assert "no such table" in problem_of(file)


def test_a_file_without_permissions_is_found_out(file: Path) -> None:
    file.chmod(0)
    assert "permission" in problem_of(file)


def test_a_full_disk_is_found_out(tmp_path: Path, file: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        copy = disk / file.name
        copy.write_bytes(file.read_bytes())
        assert problem_of(copy) == ""
        with pytest.raises(OSError, match="No space"):
            (disk / "fill").write_bytes(b"\0" * 3_000_000)
        assert "disk full" in problem_of(copy)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert "permission" in problem_of(copy)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_somebody_s_long_transaction_is_borne_for_a_while(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        trial = database.Trial()
        assert problem_of(file, trial) == ""
        monkeypatch.setattr(database, "BUSY_S", -1)
        assert "locked" in problem_of(file, trial)
        other.execute("ROLLBACK")
    assert problem_of(file, trial) == ""


def test_a_database_that_lacks_a_migration_is_unhealthy(caplog: pytest.LogCaptureFixture) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_migrations SET name = 'gone' WHERE app = 'ops' AND name = '0001_initial'")
    try:
        reply = get_health()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET name = '0001_initial' WHERE app = 'ops' AND name = 'gone'")
    assert reply.status_code == 503
    assert (reply.json()["status"], reply.json()["components"]["database"]) == ("unhealthy", False)
    assert "Database health check failed: migrations are missing" in caplog.text


# --- the log's word


def failing(component: str, words: str = "away") -> HealthCheckResult:
    check = next(each for each in components.installed() if each.component == component)
    return HealthCheckResult(check=check, error=ServiceUnavailable(words), time_taken=0.0)


def well(component: str) -> HealthCheckResult:
    return HealthCheckResult(check=failing(component).check, error=None, time_taken=0.0)


def test_an_outage_is_critical_once_for_all_processes(
    settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.DATA_DIR = tmp_path
    caplog.set_level("INFO")
    one, other = Notices(), Notices()
    for _ in range(3):
        one.note(failing("database"))
        other.note(failing("database"))
    levels = [record.levelname for record in caplog.records]
    assert (levels.count("ERROR"), levels.count("CRITICAL")) == (6, 1)
    for result in (well("database"), failing("database")):
        one.note(result)
        other.note(result)
    assert [record.levelname for record in caplog.records].count("CRITICAL") == 2
    assert "Database health check failed: away" in caplog.text
    assert "Database down: away" in caplog.text


def test_other_components_are_told_of_when_they_change(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    notices = Notices()
    for result in (well("backup"), failing("backup"), failing("backup"), well("backup")):
        notices.note(result)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


# --- the rest


def test_a_broker_that_the_worker_has_not_heard_of_is_down(settings: Any) -> None:
    settings.BROKER = "alpaca"
    assert not up("broker")
    caching.begin()
    asking.keep("broker", "")
    assert Client().get("/health").json()["components"]["broker"] is True


def test_a_backup_must_be_of_a_day(settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_DIR = tmp_path
    assert up("backup")  # the installation is younger
    for hours, is_up in ((27, False), (25, True)):
        made = datetime.now(UTC) - timedelta(hours=hours)
        (tmp_path / f"{made:%Y%m%d_%H%M%S}").mkdir()
        assert up("backup") is is_up
    (tmp_path / f"{made:%Y%m%d_%H%M%S}").rmdir()
    (tmp_path / ".20990101_000000.partial").mkdir()
    assert not up("backup")


def test_a_disk_is_full_at_the_percentage_that_is_set() -> None:
    components.Disk(most_pct=100).look()
    with pytest.raises(ServiceUnavailable, match="% full"):
        components.Disk(most_pct=-1).look()
    with pytest.raises(ServiceUnavailable, match="GB"):
        components.Memory(most_bytes=1).look()


def test_processes_are_known_by_their_start_too(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    processes.enlist("worker", os.getpid())
    (tmp_path / "run" / "sealer-1").write_text("0.0")
    (tmp_path / "run" / "alertd-999999999").write_text("1.0")
    assert set(processes.trees()) == {"worker"}
    assert [file.name for file in (tmp_path / "run").iterdir()] == [f"worker-{os.getpid()}"]


@contextmanager
def server(status: int, delay_s: float = 0) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(delay_s)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}/"
    listening.shutdown()


def test_a_check_of_one_s_own_is_a_component(settings: Any) -> None:
    path = "nextrade.ops.components.ExternalHTTP"
    with server(200) as good, server(500) as bad, server(200, delay_s=15) as slow:
        settings.HEALTH_CHECKS = [
            [path, {"url": good, "name": "external_api"}],
            [path, {"url": bad, "name": "broken"}],
            [path, {"url": slow, "name": "slow", "timeout": 0.3}],
        ]
        components.installed.cache_clear()
        assert checks.settings_fit() == []
        start = time.monotonic()
        told = get_health().json()
        assert time.monotonic() - start < 10
    assert (told["components"]["external_api"], told["components"]["broken"]) == (True, False)
    assert told["components"]["slow"] is False
    assert told["status"] == "degraded"


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ([["no.such.Check", {}]], "nextrade.E020"),
        (["text"], "nextrade.E020"),
        ([["nextrade.ops.components.ExternalHTTP", {"url": "http://x", "name": "api"}]], "nextrade.E021"),
        ([["nextrade.ops.components.ExternalHTTP", {"url": "http://x", "name": "Not A Name"}]], "nextrade.E021"),
    ],
)
def test_a_check_that_cannot_be_does_not_start(settings: Any, wrong: Any, code: str) -> None:
    settings.HEALTH_CHECKS = wrong
    components.installed.cache_clear()
    assert [problem.id for problem in checks.settings_fit()] == [code]


def test_the_terminal_tells_by_its_exit_code() -> None:
    def run(*args: str) -> tuple[int, str]:
        out = StringIO()
        try:
            call_command("health", *args, stdout=out)
        except CommandError as error:
            return error.returncode, out.getvalue()
        return 0, out.getvalue()

    beat("scheduler", timedelta(minutes=3))
    assert run("--component", "sealer")[0] == 0
    code, text = run("--component", "scheduler")
    assert code == 1
    assert "no scheduled task" in text
    assert run("--component", "nonsense")[0] == 2
    code, text = run("--json")
    assert (code, json.loads(text)["status"]) == (1, "degraded")
    assert set(json.loads(text)["components"]) == NAMES

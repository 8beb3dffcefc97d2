"""`logs` says what grep and numpy say; `doctor` names what is ill, with nothing alive to ask."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import numpy
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from agents.models import Message, ModelCall, Thread
from nextrade.ops import processes
from nextrade.ops.care import doctor, finding, latency, log_lines
from nextrade.ops.care.finding import Finding, Verdict

ROOT = Path(__file__).resolve().parent.parent.parent
HOUR = timedelta(hours=1)
NOTHING_LIVES = {
    **os.environ,
    "DJANGO_SETTINGS_MODULE": "nextrade.settings",
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "SECRET_KEY": "k" * 50,
    "PORT": "1",
}
LOG = """\
2026-11-23 11:58:59,001 - agents.api - INFO - Function process_chat_request completed in 0.40s
2026-11-23 11:59:00,001 - agents.api - ERROR - Chat endpoint error: timeout
Traceback (most recent call last):
  File "x.py", line 3, in answer
TimeoutError: 12:30 - ERROR - gone
2026-11-23 12:00:01,120 - agents.api - ERROR - Chat endpoint error: timeout
Traceback (most recent call last):
TimeoutError: gone again
2026-11-23 12:00:02,120 - nextrade.ops.outages - CRITICAL - Database down: it: is - away
2026-11-23 12:00:03,120 - agents.api - WARNING - Attempt 1/3 failed for chat: x. Retrying in 1.00s...
2026-11-24 00:00:03,120 - agents.api - INFO - Function process_chat_request completed in 2.40s
2026-11-24 00:00:03,220 - agents.api - INFO - Function quote completed in 0.10s
2026-11-24 00:00:04,120 - agents.api - INFO - Function process_chat_request completed in 12.00s
{"event": "Chat endpoint error: timeout", "logger": "agents.api", "level": "error", \
"timestamp": "2026-11-24T00:01:00Z", "endpoint": "POST /api/v1/chat/"}
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "nextrade.log"
    file.write_text(LOG)
    return file


def logs(*words: str) -> str:
    out = StringIO()
    with contextlib.suppress(SystemExit):  # 1 where something was found
        call_command("logs", *words, stdout=out)
    return out.getvalue()


def test_errors_are_counted_by_what_they_say_not_by_the_minute(log: Path) -> None:
    ranked = json.loads(logs("errors", "--file", str(log), "--json"))
    assert [(row["kind"], row["count"]) for row in ranked] == [
        ("Chat endpoint error: timeout", 3),
        ("Database down: it: is - away", 1),
    ]
    assert ranked[0]["first"].startswith("2026-11-23 11:59:00")
    by_logger = json.loads(logs("errors", "--file", str(log), "--by", "logger", "--json"))
    assert by_logger[0]["kind"] == "agents.api"


def test_a_traceback_belongs_to_its_line(log: Path) -> None:
    first, *_ = log_lines.errors(log_lines.records(LOG.splitlines()[:8]))
    assert first.example.more[-1] == "TimeoutError: gone again"


def test_times_are_numpy_s_percentiles(log: Path) -> None:
    chat, quote = json.loads(logs("times", "--file", str(log), "--json"))
    seconds = [0.4, 2.4, 12.0]
    assert chat["n"] == 3
    for percent in (50, 95, 99):
        assert chat[f"p{percent}"] == pytest.approx(numpy.percentile(seconds, percent))
    assert (quote["n"], quote["p99"], quote["max"]) == (1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("ours", "grep"),
    [
        (["timeout"], ["timeout"]),
        (["TIMEOUT", "-i", "-C", "1"], ["-i", "-C1", "TIMEOUT"]),
        (["completed in [0-9]+", "--count"], ["-c", "completed in [0-9]+"]),
        (["Traceback|Database", "-C", "2"], ["-C2", "Traceback|Database"]),
    ],
)
def test_search_is_grep(log: Path, ours: list[str], grep: list[str]) -> None:
    said = subprocess.run(["grep", "-E", *grep, str(log)], capture_output=True, text=True, check=True).stdout
    assert logs("search", *ours, "--file", str(log)).rstrip("\n") == said.rstrip("\n")


def test_trends_count_levels_by_day(log: Path) -> None:
    found = json.loads(logs("trends", "--file", str(log), "--json"))
    assert found["2026-11-23"] == {"INFO": 1, "ERROR": 2, "CRITICAL": 1, "WARNING": 1}
    assert list(found) == ["2026-11-23", "2026-11-24"]


def test_logs_read_stdin_and_need_no_database() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "logs", "errors", "--file", "-"],
        cwd=ROOT,
        input=LOG,
        text=True,
        capture_output=True,
        env=NOTHING_LIVES,
        check=False,
    )
    assert done.returncode == 1
    assert "     3 Chat endpoint error: timeout" in done.stdout


def test_a_search_looks_at_yesterday_s_log_too_and_an_archive_keeps_its_time(log: Path) -> None:
    old = log.with_name("nextrade.log.2026-11-22")
    old.write_text("2026-11-22 10:00:00,000 - agents.api - ERROR - older\n")
    long_ago = (timezone.now() - timedelta(days=10)).timestamp()
    os.utime(old, (long_ago, long_ago))
    assert "nextrade.log.2026-11-22.gz" in logs("archive", "--file", str(log))
    packed = log.with_name("nextrade.log.2026-11-22.gz")
    assert packed.stat().st_mtime == long_ago
    assert not old.exists()
    texts = [each.message for each in log_lines.records(log_lines.lines_of(log, datetime(2000, 1, 1, tzinfo=UTC)))]
    assert texts[0] == "older"


def test_without_a_log_it_says_what_to_do(settings: Any) -> None:
    with pytest.raises(CommandError, match="LOG_FILE is not set") as failed:
        call_command("logs", "errors", "--file", "")
    assert failed.value.returncode == 2


def found(topic: str, since: timedelta = HOUR) -> dict[str, Finding]:
    return {each.what: each for each in doctor.examine(topic, at=timezone.now(), since=since)}


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Somebody else's program holds the port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); print(flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert other.stdout
    other.stdout.readline()
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setattr(doctor, "ANSWER_S", 0.2)
    yield other.pid
    other.kill()
    other.wait()


@pytest.mark.django_db(transaction=True)
def test_doctor_api_names_who_holds_the_port(stranger: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "trees", dict)
    said = found("api")
    assert said["web process"].said == "not running"
    port = said[f"port {os.environ['PORT']}"]
    assert re.fullmatch(rf"held by python\S* \({stranger}\)", port.said)
    assert said["/health/live"].verdict == Verdict.FAIL


def test_doctor_runs_without_database_and_web() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "api", "--json"],
        cwd=ROOT,
        text=True,
        capture_output=True,
        env=NOTHING_LIVES,
        check=False,
    )
    told = {each["what"]: each for each in json.loads(done.stdout)["findings"]}
    assert done.returncode == 1
    assert told["migrations"]["verdict"] == "unknown"
    assert told["port 1"]["said"] == "nobody listens"
    assert told["port 1"]["next_step"].startswith("systemctl restart")


def test_doctor_errors_ranks_what_was_planted(log: Path, settings: Any) -> None:
    settings.LOG_FILE = str(log)
    first, *_ = doctor.examine("errors", at=timezone.now(), since=timedelta(days=9_000))
    assert first.what == "Chat endpoint error: timeout"
    assert first.said.startswith("3 x, first 2026-11-23 11:59:00")
    assert first.said.endswith("in agents.api, POST /api/v1/chat/")
    assert found("errors", timedelta(0))["log"].verdict == Verdict.OK


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not settings.SQLITE, reason="SQLite's own file")
@pytest.mark.parametrize("illness", ["permission", "integrity", "missing"])
def test_doctor_database_names_the_illness(illness: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    copy = tmp_path / "copy.sqlite3"
    with connection.cursor() as cursor:
        cursor.execute("VACUUM INTO %s", [str(copy)])
    if illness == "permission":
        copy.chmod(0)
    elif illness == "integrity":
        with copy.open("r+b") as file:
            file.seek(4096)
            file.write(os.urandom(60 * 4096))
    else:
        copy.unlink()
    monkeypatch.setitem(connection.settings_dict, "NAME", str(copy))
    told = [each for each in doctor.examine("database", at=timezone.now(), since=HOUR) if each.verdict == Verdict.FAIL]
    monkeypatch.undo()
    assert any(illness in f"{each.what} {each.said}" for each in told)
    assert not any("VACUUM;" in each.next_step or "init" in each.next_step for each in told)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(not settings.SQLITE, reason="SQLite's own file")
def test_doctor_database_names_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection

    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", disk], check=False).returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(disk / "copy.sqlite3")])
        with pytest.raises(OSError, match="No space"):
            (disk / "fill").write_bytes(b"\0" * 5_000_000)
        monkeypatch.setitem(connection.settings_dict, "NAME", str(disk / "copy.sqlite3"))
        told = {each.what: each for each in doctor.examine("database", at=timezone.now(), since=HOUR)}
        monkeypatch.undo()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    assert told["database"].verdict == Verdict.FAIL
    assert "disk full" in told["database"].said
    assert told["database"].next_step.startswith("make room")


@pytest.mark.django_db(transaction=True)
def test_doctor_latency_names_the_model_where_it_takes_the_time(ann: User) -> None:
    now, turn = timezone.now(), "00000000-0000-4000-8000-000000000001"
    thread = Thread.objects.create(owner=ann, title="x", created_at=now, updated_at=now)
    for role, at in (
        ("user", now - timedelta(seconds=14)),
        ("assistant", now - timedelta(seconds=1, milliseconds=500)),
    ):
        Message.objects.create(thread=thread, role=role, content="x", turn_id=turn, created_at=at)
    ModelCall.objects.create(
        user=ann, thread_id=thread.pk, turn_id=turn, agent="desk", model="m", latency_ms=12_000, outcome="ok", at=now
    )
    share = found("latency")["models' share"]
    assert share.verdict == Verdict.WARN
    assert share.said.startswith("96 % of 12.5 s")


def test_prof_is_for_staff_of_operations_where_it_is_set(
    client: Client, olga: User, bob: User, ann: User, settings: Any
) -> None:
    def asked(user: User, method: str = "get") -> Any:
        client.force_login(user)
        return getattr(client, method)("/?prof")

    assert b"cumulative" not in asked(olga).content
    settings.PROFILING = True
    client.handler.load_middleware()
    told = asked(olga)
    assert told["Content-Type"].startswith("text/plain")
    assert b"cumulative" in told.content
    assert 1 <= len(re.findall(rb"^ *\d+(?:/\d+)? +\d+\.\d+ ", told.content, re.MULTILINE)) <= 10
    for user, method in ((bob, "get"), (ann, "get"), (olga, "post")):
        assert b"cumulative" not in asked(user, method).content
    client.logout()
    assert b"cumulative" not in client.get("/?prof").content


def test_p95_is_what_prometheus_reckons() -> None:
    inf = float("inf")
    buckets = {
        "/chat": {1.0: 50.0, 5.0: 90.0, 10.0: 100.0, inf: 100.0},
        "/slow": {1.0: 0.0, inf: 4.0},
        "/none": {inf: 0.0},
    }
    assert latency.p95(buckets) == {"/chat": pytest.approx(7.5), "/slow": 1.0}


@pytest.mark.django_db(transaction=True)
def test_doctor_llm_tells_a_closed_door_from_a_bad_key(settings: Any) -> None:
    assert found("llm")["offline-rules"].verdict == Verdict.OK
    settings.MODEL, settings.OPENAI_API_KEY = "gpt-4o-mini", "key"
    settings.OPENAI_BASE_URL = "http://127.0.0.1:1/v1"
    assert found("llm")["gpt-4o-mini"].verdict == Verdict.FAIL


def test_the_worst_of_nothing_is_unknown() -> None:
    assert finding.worst([]) == Verdict.UNKNOWN


@pytest.mark.django_db(transaction=True)
def test_a_turn_is_profiled_and_its_memory_told(ann: User) -> None:
    out = StringIO()
    call_command("profile", "chat", "--user", "ann", stdout=out)
    assert "cumulative" in out.getvalue()
    assert 1 <= len(re.findall(r"^ *\d+(?:/\d+)? +\d+\.\d+ ", out.getvalue(), re.MULTILINE)) <= 10
    out = StringIO()
    call_command("memory", "snapshot", stdout=out)
    assert "Largest:" in out.getvalue()
    assert "Grown most over 0 turns:" in out.getvalue()

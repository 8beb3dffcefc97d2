import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from nextrade import log_files, logs, telemetry
from nextrade.errors import Invalid
from nextrade.logs import TextFormatter, json_formatter
from nextrade.middleware import request_id
from nextrade.ops import checks
from nextrade.ops.care import log_lines
from nextrade.redaction import MOST, redact
from nextrade.resilience import log_execution_time
from tests.agents.test_chat import client

ROOT = Path(__file__).resolve().parent.parent.parent
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [\w.]+ - (DEBUG|INFO|WARNING|ERROR|CRITICAL) - ")


@pytest.fixture(autouse=True)
def nobody_is_at_work() -> None:
    """A turn without a request around it, as other tests run them, leaves its names behind."""
    structlog.contextvars.clear_contextvars()


def record(message: str, *args: Any, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("nextrade.it", logging.ERROR, "", 1, message, args, info)


def raised(message: str) -> BaseException:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


# --- how a line looks


def test_a_line_is_in_the_guide_s_format() -> None:
    assert LINE.match(TextFormatter().format(record("Chat endpoint error: %s", "timeout")))


def test_an_error_within_a_request_says_in_whose_and_is_read_back(rf: RequestFactory) -> None:
    lines: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        lines.append(TextFormatter().format(record("it failed")))
        lines.append(json_formatter().format(record("it failed")))
        return HttpResponse()

    request_id(view)(rf.post("/api/v1/chat/?token=hunter2"))
    assert lines[0].endswith(" - ERROR - it failed [POST /api/v1/chat/]")
    read = [(each.message, each.endpoint) for each in log_lines.records(lines)]
    assert read == [("it failed", "POST /api/v1/chat/")] * 2
    assert TextFormatter().format(record("it failed")).endswith(" - it failed")
    forged = rf.get("/x\n2026-11-26 12:00:00,000 - boss - INFO - fine")
    request_id(view)(forged)
    assert len(lines[2].splitlines()) == 1


def test_nothing_in_a_message_begins_a_line() -> None:
    forged = "hi\n2026-11-26 12:00:00,000 - boss - CRITICAL - all is well\r\x1b[2J\u2028\u202e"
    lines = TextFormatter().format(record("%s", forged)).splitlines()
    assert len(lines) == 1
    assert "\\u000a2026-11-26" in lines[0]
    assert "\x1b" not in lines[0]


def test_nothing_in_a_traceback_passes_for_a_record() -> None:
    text = TextFormatter().format(record("it failed", error=raised("x\n2026-11-26 12:00:00,000 - boss - INFO - fine")))
    assert "Traceback (most recent call last):" in text
    assert [line for line in text.splitlines()[1:] if LINE.match(line)] == []


def test_a_message_of_ten_megabytes_is_cut() -> None:
    assert len(TextFormatter().format(record("%s", "x" * 10_000_000))) < MOST


def test_json_has_who_and_what_it_is_about() -> None:
    with structlog.contextvars.bound_contextvars(request_id="r-1", user="user:7", thread_id="t-1"):
        told = json.loads(json_formatter().format(record("hello %s", "ann", error=raised("sk-abcdefghijkl"))))
    assert (told["request_id"], told["user"], told["thread_id"]) == ("r-1", "user:7", "t-1")
    assert (told["event"], told["level"], told["logger"]) == ("hello ann", "error", "nextrade.it")
    assert "Traceback" in told["exception"]
    assert "sk-abc" not in told["exception"]
    bare = json.loads(json_formatter().format(record("hello\nthere")))
    assert (bare["request_id"], bare["user"], bare["thread_id"]) == (None, None, None)


@pytest.mark.django_db(transaction=True)
def test_a_chat_s_lines_name_request_person_and_conversation(ann: User, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append({"message": record.getMessage(), **structlog.contextvars.get_contextvars()})

    handler = Keep()
    logging.getLogger("agents").addHandler(handler)
    try:
        with caplog.at_level("INFO"):
            reply = client(ann).post(
                "/api/v1/chat/",
                {"message": "hi"},
                content_type="application/json",
                headers={"X-Request-ID": "req-9"},
            )
    finally:
        logging.getLogger("agents").removeHandler(handler)
    by = {line["message"].split(" in ")[0]: line for line in seen}
    started, done = by["Processing chat request for user ann"], by["Function process_chat_request completed"]
    assert (started["request_id"], started["user"]) == ("req-9", f"user:{ann.pk}")
    assert done["thread_id"] == reply.json()["thread_id"]
    assert structlog.contextvars.get_contextvars().get("user") is None


def test_records_are_counted_by_level() -> None:
    def count() -> float:
        return logs.RECORDS.labels("ERROR")._value.get()

    before = count()
    for _ in range(3):
        logs.Counting().emit(record("x"))
    assert count() == before + 3


# --- what it never holds

SECRETS = (
    ("openai", "key sk-proj-Ab12Cd34Ef56Gh78 refused", "sk-proj-Ab12"),
    ("tavily", "tvly-abcdef123456", "abcdef123456"),
    ("bearer", "Authorization: Bearer abcdef0123456789.x-y_z", "abcdef0123456789"),
    ("dsn", "postgres://desk:hunter2@10.0.0.1:5432/nextrade failed", "hunter2"),
    ("redis", "redis://:hunter2@127.0.0.1/0", "hunter2"),
    ("conninfo", "host=db user=desk password=hunter2 dbname=x", "hunter2"),
    ("json", '{"api_key": "hunter2hunter2"}', "hunter2"),
    ("setting", "OPENAI_API_KEY=hunter2hunter2", "hunter2"),
    ("routing", "routing_key='hunter2hunter2'", "hunter2"),
    ("slack", "POST https://hooks.slack.com/services/T00/B00/hunter2XYZ", "hunter2"),
    ("aws", "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7"),
    ("alpaca", "APCA PKABCDEFGHIJKLMNOPQR", "PKABCDEFGHIJ"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJzdWIi"),
    ("pem", "-----BEGIN PRIVATE KEY-----\nMIIhunter2\n-----END PRIVATE KEY-----", "hunter2"),
    ("mail", "mail to ann.trader@nextrade.example bounced", "ann.trader"),
    ("card", "paid with 4111 1111 1111 1111 today", "4111"),
    ("card, dashed", "5500-0000-0000-0004", "5500-0000"),
)


@pytest.mark.parametrize(("kind", "text", "secret"), SECRETS, ids=[each[0] for each in SECRETS])
def test_a_secret_is_in_no_line_and_in_no_traceback(kind: str, text: str, secret: str) -> None:
    assert secret in text
    for formatter in (TextFormatter(), json_formatter()):
        assert secret not in formatter.format(record("%s", text))
        assert secret not in formatter.format(record("it failed", error=raised(text)))


@pytest.mark.parametrize(
    "text",
    [
        "Function process_chat_request completed in 1.23s",
        "order 8b2c5d0e-0000-4000-8000-000000000000 at 187.32, 10000000 shares",
        "sha256 ca397c46abd4786fd0342c5880dc97768fb4905af75818a65bad34bfca214bc8",
        "input_tokens=1500 output_tokens=20",
        "2026-11-26 12:00:00,000 - event 1234567890123456",
        "GET http://127.0.0.1:8000/health 200",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(st.text(max_size=300))
def test_redaction_is_done_once_and_for_all(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


def test_redaction_is_quick_on_what_was_made_to_be_slow() -> None:
    for evil in ("a" * MOST, "password" * 12_000, "1 " * 50_000, "a@" * 50_000, "x://" * 25_000, "eyJ-" * 25_000):
        start = time.process_time()
        redact(evil)
        assert time.process_time() - start < 2


# --- the file

WRITE = """
import logging, sys
from nextrade.log_files import SharedFile
handler = SharedFile(sys.argv[1], rotation=sys.argv[2], max_bytes=int(sys.argv[3]), keep=50)
handler.setFormatter(logging.Formatter("%(message)s"))
log = logging.getLogger("it"); log.propagate = False; log.addHandler(handler); log.setLevel("INFO")
for number in range(int(sys.argv[5])):
    log.info("%s %05d %s", sys.argv[4], number, "x" * 90)
"""


def write(file: Path, rotation: str, *, writers: int, lines: int, max_bytes: int = 50_000) -> None:
    command = [sys.executable, "-c", WRITE, str(file), rotation, str(max_bytes)]
    started = [subprocess.Popen([*command, f"w{number}", str(lines)], cwd=ROOT) for number in range(writers)]
    assert [each.wait(timeout=60) for each in started] == [0] * writers


def lines_of(folder: Path) -> list[str]:
    return [line for file in folder.glob("nextrade.log*") for line in file.read_text().splitlines()]


def test_four_writers_that_rotate_lose_no_line(tmp_path: Path) -> None:
    file = tmp_path / "nextrade.log"
    write(file, "size", writers=4, lines=800)
    assert sorted(line[:8] for line in lines_of(tmp_path)) == sorted(
        f"w{writer} {number:05d}" for writer in range(4) for number in range(800)
    )
    sizes = [each.stat().st_size for each in tmp_path.glob("nextrade.log*")]
    assert len(sizes) > 5
    assert max(sizes) <= 50_000


def test_four_writers_at_midnight_keep_yesterday_once(tmp_path: Path) -> None:
    file = tmp_path / "nextrade.log"
    file.write_text("yesterday\n")
    midnight = time.time() - 86_400
    os.utime(file, (midnight, midnight))
    write(file, "time", writers=4, lines=200)
    assert (tmp_path / f"nextrade.log.{log_files.day(midnight)}").read_text() == "yesterday\n"
    assert len(lines_of(tmp_path)) == 801
    assert len(list(tmp_path.glob("nextrade.log*"))) == 2


def test_as_many_old_files_are_kept_as_are_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "nextrade.log"
    for number in range(1, 8):
        (tmp_path / f"nextrade.log.2025-11-0{number}").touch()
    file.write_text("old\n")
    os.utime(file, (0, 0))
    handler = log_files.SharedFile(str(file), rotation="time", keep=3)
    handler.emit(record("new"))
    handler.close()
    kept = sorted(each.name for each in tmp_path.glob("nextrade.log.*"))
    assert kept == ["nextrade.log.2025-11-05", "nextrade.log.2025-11-06", "nextrade.log.2025-11-07"]
    sized = log_files.SharedFile(str(tmp_path / "sized.log"), rotation="size", max_bytes=10, keep=2)
    for _ in range(6):
        sized.emit(record("more"))
    sized.close()
    assert sorted(each.name for each in tmp_path.glob("sized.log*")) == ["sized.log", "sized.log.1", "sized.log.2"]


def test_a_file_that_others_rotate_is_opened_anew(tmp_path: Path) -> None:
    file = tmp_path / "nextrade.log"
    handler = log_files.SharedFile(str(file))
    handler.emit(record("one"))
    file.rename(tmp_path / "nextrade.log.1")
    handler.emit(record("two"))
    handler.close()
    assert file.read_text().strip() == "two"


def test_a_forked_process_writes_beside_its_parent(tmp_path: Path) -> None:
    handler = log_files.SharedFile(str(tmp_path / "nextrade.log"), rotation="size", max_bytes=2_000, keep=99)
    handler.emit(record("parent"))
    child = os.fork()
    if not child:
        for _ in range(200):
            handler.emit(record("child"))
        os._exit(0)
    for _ in range(200):
        handler.emit(record("parent"))
    os.waitpid(child, 0)
    handler.close()
    assert len(lines_of(tmp_path)) == 401


def test_rotation_is_one_of_three(settings: Any) -> None:
    settings.LOG_ROTATION = "weekly"
    assert [problem.id for problem in checks.settings_fit()] == ["nextrade.E023"]


def run(env: dict[str, str], code: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "SECRET_KEY": "x", **env}
    command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", code]
    return subprocess.run(command, cwd=ROOT, env=clean, capture_output=True, text=True, check=True)


def test_the_settings_give_lines_to_stderr_and_the_file(tmp_path: Path) -> None:
    code = "import logging, warnings; logging.getLogger('it').info('token=hunter2'); warnings.warn('two\\nlines')"
    file = tmp_path / "nextrade.log"
    done = run({"NEXTRADE_DATA_DIR": str(tmp_path), "LOG_FILE": str(file)}, code)
    assert done.stderr == file.read_text()
    assert all(LINE.match(line) for line in done.stderr.splitlines())
    assert "token=[secret]" in done.stderr
    done = run({"NEXTRADE_DATA_DIR": str(tmp_path), "LOG_FORMAT": "json"}, code)
    assert [json.loads(line)["request_id"] for line in done.stderr.splitlines()] == [None, None]


def test_what_is_for_development_is_told_when_asked_for(tmp_path: Path) -> None:
    code = "import logging; logging.getLogger('it').debug('a detail')"
    assert "a detail" not in run({"NEXTRADE_DATA_DIR": str(tmp_path)}, code).stderr
    assert " - it - DEBUG - a detail\n" in run({"NEXTRADE_DATA_DIR": str(tmp_path), "LOG_LEVEL": "DEBUG"}, code).stderr


def test_how_long_a_call_took_is_told_of_returned_failed_and_refused(caplog: pytest.LogCaptureFixture) -> None:
    @log_execution_time
    def work(error: Exception | None) -> None:
        if error:
            raise error

    caplog.set_level("INFO")
    work(None)
    for error in (ValueError("no"), Invalid("no")):
        with pytest.raises(type(error)):
            work(error)
    told = [(record.levelname, re.sub(r"\d+\.\d\ds$", "T", record.getMessage())) for record in caplog.records]
    assert told == [
        ("INFO", "Function work completed in T"),
        ("ERROR", "Function work failed after T"),
        ("WARNING", "Function work failed after T"),
    ]


# --- telemetry


@pytest.fixture
def receiver() -> Iterator[Any]:
    from tests.nextrade.receiver import receiver

    with receiver() as known:
        yield known


def test_nothing_leaves_and_nothing_is_imported_by_default(tmp_path: Path) -> None:
    code = "import sys; print(sorted(name for name in sys.modules if name in NAMES))"
    code = code.replace("NAMES", "('sentry_sdk', 'opentelemetry.instrumentation.django')")
    assert run({"NEXTRADE_DATA_DIR": str(tmp_path)}, code).stdout.strip() == "[]"
    assert telemetry.start() is None


def test_a_report_of_an_error_is_redacted(tmp_path: Path, receiver: Any) -> None:
    code = (
        "import logging\n"
        "def fail():\n    local = 'hunter' + '2'; raise ValueError('password=' + local)\n"
        "try:\n    fail()\nexcept ValueError:\n    logging.getLogger('it').exception('it failed for ann@x.example')\n"
        "import sentry_sdk; sentry_sdk.flush(5)"
    )
    dsn = f"http://key@{receiver.address}/1"
    run({"NEXTRADE_DATA_DIR": str(tmp_path), "SENTRY_DSN": dsn}, code)
    sent = receiver.text()
    assert "it failed for" in sent
    assert "hunter2" not in sent
    assert "ann@" not in sent


def test_a_request_is_a_span_that_names_it(tmp_path: Path, receiver: Any) -> None:
    code = (
        "from django.test import Client\n"
        "Client(headers={'X-Request-ID': 'req-otel'}).get('/docs')\n"
        "Client().get('/health/live')\n"
        "from opentelemetry import trace; trace.get_tracer_provider().force_flush()"
    )
    env = {"NEXTRADE_DATA_DIR": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.address}"}
    run({**env, "ALLOWED_HOSTS": "testserver", "SECURE_SSL_REDIRECT": "no"}, code)
    sent = receiver.text()
    assert receiver.paths == ["/v1/traces"]
    assert "req-otel" in sent
    assert "health/live" not in sent

"""`doctor`: one question each, asked from outside of what may be ill: without the database, without the web process.

What it finds it says, with what a person would do next. It does nothing of that itself: killing by hand what is in the
middle of an order, or making the database anew, is how an outage becomes a loss.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import httpx
import psutil
from django.conf import settings
from django.db import DatabaseError, connection
from health_check.exceptions import ServiceUnavailable

from agents import months
from nextrade import replica
from nextrade.ops import database, processes
from nextrade.ops.care import integrity, latency, log_lines
from nextrade.ops.care.finding import Finding, Verdict

ANSWER_S = 5.0
FULL_PCT = 80
TOP = 5
OK, WARN, UNKNOWN, FAIL = Verdict.OK, Verdict.WARN, Verdict.UNKNOWN, Verdict.FAIL
RESTART = "systemctl restart nextrade-web (SIGTERM; a chat that runs is finished). Not kill -9, which cuts it off"


def examine(topic: str, *, at: datetime, since: timedelta) -> list[Finding]:
    return list(TOPICS[topic](at, since))


def _api(at: datetime, since: timedelta) -> Iterator[Finding]:
    yield _web_process()
    yield _port()
    yield from _answers()
    yield _migrations()
    yield disk()
    yield from _errors(at, since)


def _web_process() -> Finding:
    members = _trees().get("web")
    if not members:
        return Finding(
            what="web process", verdict=FAIL, said="not running", next_step="systemctl start nextrade-web; make run"
        )
    return Finding(what="web process", verdict=OK, said=f"{len(members)} processes, the first {members[0].pid}")


def _port() -> Finding:
    """Who listens where the web process should."""
    number = int(os.environ.get("PORT", "8000"))
    ours = {process.pid for members in _trees().values() for process in members}
    try:
        found = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied:
        return Finding(
            what=f"port {number}", verdict=UNKNOWN, said="this user may not see who listens", next_step="as root"
        )
    holders = {each.pid for each in found if each.laddr and each.laddr.port == number}
    if not holders:
        return Finding(what=f"port {number}", verdict=FAIL, said="nobody listens", next_step=RESTART)
    strangers = [f"{_name(pid)} ({pid or 'unknown'})" for pid in holders - ours]
    if strangers:
        step = "find out whose it is and stop it, or set PORT; then systemctl start nextrade-web"
        return Finding(what=f"port {number}", verdict=FAIL, said=f"held by {', '.join(strangers)}", next_step=step)
    return Finding(what=f"port {number}", verdict=OK, said="held by the web process")


def _answers() -> Iterator[Finding]:
    base = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    for path in ("/health/live", "/health"):
        start = time.monotonic()
        try:
            answer = httpx.get(f"{base}{path}", timeout=ANSWER_S, trust_env=False)
        except httpx.HTTPError as error:
            yield Finding(what=path, verdict=FAIL, said=f"no answer: {type(error).__name__}", next_step=RESTART)
            continue
        took_ms = 1000 * (time.monotonic() - start)
        down = _down(answer)
        verdict = FAIL if answer.status_code != httpx.codes.OK else WARN if down else OK
        said = f"{answer.status_code} in {took_ms:.0f} ms{f'; failing: {down}' if down else ''}"
        yield Finding(
            what=path, verdict=verdict, said=said, next_step=f"doctor {_topic(down)}" if verdict != OK else ""
        )


def _down(answer: httpx.Response) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        return ", ".join(name for name, is_up in answer.json()["components"].items() if not is_up)
    return ""


def _topic(down: str) -> str:
    return next((name for name in ("database", "llm") if name in down), "errors")


def _migrations() -> Finding:
    try:
        missing = database.unapplied()
    except (DatabaseError, OSError):
        return Finding(
            what="migrations", verdict=UNKNOWN, said="the database cannot be asked", next_step="doctor database"
        )
    finally:
        connection.close()
    if missing:
        return Finding(what="migrations", verdict=FAIL, said="some are missing", next_step="manage.py migrate")
    return Finding(what="migrations", verdict=OK, said="all are there")


def disk() -> Finding:
    """The volumes of data, backups and the log."""
    wanted = (settings.DATA_DIR, settings.BACKUP_DIR, Path(settings.LOG_FILE).parent if settings.LOG_FILE else None)
    worst, where = 0.0, settings.DATA_DIR
    for path in filter(None, wanted):
        if Path(path).exists():
            usage = shutil.disk_usage(path)
            pct = 100 * (1 - usage.free / usage.total)
            worst, where = max((worst, where), (pct, path))
    step = "manage.py db cleanup; manage.py logs archive; manage.py backup prune" if worst > FULL_PCT else ""
    return Finding(what="disk", verdict=WARN if step else OK, said=f"{where} is {worst:.0f} % full", next_step=step)


def _errors(at: datetime, since: timedelta) -> Iterator[Finding]:
    if not settings.LOG_FILE:
        step = "journalctl -u nextrade-web | manage.py logs errors --file -"
        yield Finding(what="log", verdict=UNKNOWN, said="it goes to stderr: LOG_FILE is not set", next_step=step)
        return
    try:
        lines = log_lines.lines_of(Path(settings.LOG_FILE), at - since)
        kinds = log_lines.errors(log_lines.since(log_lines.records(lines), at - since))
    except OSError as error:
        yield Finding(what="log", verdict=UNKNOWN, said=f"{settings.LOG_FILE}: {error.strerror}")
        return
    if not kinds:
        yield Finding(what="log", verdict=OK, said="no ERROR in the time asked about")
    for kind in kinds[:TOP]:
        trace = next((line.strip() for line in reversed(kind.example.more) if line.strip()), "")
        said = f"{kind.count} x, first {_clock(kind.first)}, last {_clock(kind.example.at)}, in {kind.example.logger}"
        said += f", {kind.example.endpoint}" if kind.example.endpoint else ""
        step = f"traceback ends: {trace[:160]}" if trace else "manage.py logs search with these words"
        yield Finding(what=kind.kind[:120], verdict=WARN, said=said, next_step=step)


def _database(at: datetime, since: timedelta) -> Iterator[Finding]:
    """The first thing that is wrong: permission, integrity, disk full, not reachable; then migrations and rows."""
    try:
        database.Trial().run()
    except ServiceUnavailable as error:
        yield Finding(
            what="database", verdict=FAIL, said=_reason(str(error.message)), next_step=_mend(str(error.message))
        )
    except DatabaseError as error:
        yield Finding(what="database", verdict=FAIL, said=type(error).__name__, next_step=_mend(str(error)))
    else:
        yield Finding(what="database", verdict=OK, said="read, written, taken back")
    finally:
        connection.close()
    for name, file in integrity.files().items() if settings.SQLITE else ():
        wrong = integrity.file_problems(file) if file.exists() else ["the file is missing"]
        said = f"integrity: {'; '.join(wrong)}"[:300] if wrong else f"{file.stat().st_size} bytes, integrity ok"
        step = integrity.RESTORE if wrong else ""
        yield Finding(what=f"{name} file", verdict=FAIL if wrong else OK, said=said, next_step=step)
    yield from _months(at)
    if replica.ALIAS in settings.DATABASES:
        far = replica.problem()
        said = f"not asked, the primary answers for it: {far}" if far else "near enough to be asked"
        yield Finding(what="replica", verdict=WARN if far else OK, said=said)
    yield _migrations()
    yield disk()


def _months(at: datetime) -> Iterator[Finding]:
    """Whether model calls of the coming months have tables of their own."""
    try:
        missing = months.missing(at=at)
    except DatabaseError:
        return
    if not settings.SQLITE:
        said = f"model calls of {', '.join(missing)} have no table" if missing else "model calls have tables"
        step = "manage.py maintenance run make_months" if missing else ""
        yield Finding(what="months", verdict=WARN if missing else OK, said=said, next_step=step)


def _reason(text: str) -> str:
    return text if len(text) < 300 else f"{text[:300]}…"


def _mend(text: str) -> str:
    """Never VACUUM, .recover or an empty database: the first two do not mend, the third loses what the law keeps."""
    for sign, step in MENDS.items():
        if sign in text.lower():
            return step
    return "the server's own log; manage.py db check once it can be reached"


MENDS: Mapping[str, str] = MappingProxyType(
    {
        "permission": "give the file and its folder back to the user that the processes run as (mode 0600)",
        "missing": "stop the processes; manage.py backup restore latest",
        "disk full": "make room: manage.py backup prune, manage.py logs archive; then systemctl restart nextrade-*",
        "malformed": integrity.RESTORE,
        "not a database": integrity.RESTORE,
        "migrations": "manage.py migrate",
        "locked": "which process writes for so long: manage.py doctor latency",
        "password": "DATABASE_URL, or the password at the server",
        "refused": "is PostgreSQL running where DATABASE_URL says?",
    }
)


def _llm(at: datetime, since: timedelta) -> Iterator[Finding]:
    from agents import llm
    from agents.models import Breaker
    from nextrade.errors import Unavailable

    start = time.monotonic()
    try:
        llm.ping()
    except Unavailable as error:
        step = "the provider's status page; OPENAI_API_KEY, OPENAI_BASE_URL, NEXTRADE_MODEL; NEXTRADE_MODEL_FALLBACK"
        yield Finding(what=settings.MODEL, verdict=FAIL, said=error.message, next_step=step)
    else:
        yield Finding(what=settings.MODEL, verdict=OK, said=f"answers in {1000 * (time.monotonic() - start):.0f} ms")
    try:
        for row in Breaker.objects.exclude(state=Breaker.State.CLOSED):
            step = "it asks again by itself; manage.py breakers reset closes it at once, on the trail"
            yield Finding(
                what=f"breaker of {row.name}",
                verdict=WARN,
                said=f"{row.state} since {_clock(row.opened_at)}",
                next_step=step,
            )
    except DatabaseError:
        yield Finding(
            what="breakers", verdict=UNKNOWN, said="the database cannot be asked", next_step="doctor database"
        )
    finally:
        connection.close()


def _trees() -> Mapping[str, list[psutil.Process]]:
    return processes.trees()


def _name(pid: int | None) -> str:
    with contextlib.suppress(psutil.Error):
        return str(psutil.Process(pid).name()) if pid else "somebody"
    return "somebody"


def _clock(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "unknown"


TOPICS: Mapping[str, Callable[[datetime, timedelta], Iterator[Finding]]] = MappingProxyType(
    {"api": _api, "errors": _errors, "latency": latency.examine, "database": _database, "llm": _llm}
)

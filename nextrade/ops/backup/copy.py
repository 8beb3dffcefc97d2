"""A whole installation made from a set, beside the real one: a data directory, with PostgreSQL a database, and the
environment in which the product runs on it and can reach nothing of the real one."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from django.conf import settings
from django.db import connection

from nextrade.ops.backup import place, postgres
from nextrade.ops.backup.shelf import BackupProblem

BOOT_S = 120
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV")


@dataclass(frozen=True, kw_only=True)
class Copy:
    folder: Path
    environment: Mapping[str, str]


@contextlib.contextmanager
def made(data: Path, keys: Path, folder: Path, *, is_kept: bool = False) -> Iterator[Copy]:
    """An installation in `folder`, gone after the block unless it is to be kept. Raises BackupProblem."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    names = [f"{connection.settings_dict['NAME']}_drill_{secrets.token_hex(4)}" for _ in range(2)]
    databases = [{**connection.settings_dict, "NAME": name} for name in names]
    try:
        if settings.SQLITE:
            aside = folder / "aside"
            talks = folder / "checkpoints.sqlite3"
            place.put_sqlite(data, database=folder / "nextrade.sqlite3", conversations=talks, safety=aside)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            place.fill_postgres(data, databases[0], is_scratch=True)
        subjects = _subjects(folder, databases[1])
        place.put_keys(keys, keys=folder / "keys", data=folder, subjects=subjects)
        yield Copy(folder=folder, environment=environment(folder, databases[0], subjects))
    finally:
        if not is_kept:
            shutil.rmtree(folder, ignore_errors=True)
            for database in () if settings.SQLITE else databases:
                postgres.drop(database, database["NAME"])


def environment(folder: Path, database: Mapping[str, Any], subjects: Mapping[str, Any]) -> dict[str, str]:
    """No key, no address and no broker of the real one; its own secret, its own directories."""
    own = {
        "NEXTRADE_DATA_DIR": str(folder),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "NEXTRADE_AUDIT_ORIGIN": settings.AUDIT_ORIGIN,
        "NEXTRADE_COMPLIANCE_YEARS": str(settings.COMPLIANCE_YEARS),
        "NEXTRADE_ANCHORS": "",
        "TIME_ZONE": settings.TIME_ZONE,
        "LOG_LEVEL": "ERROR",
        "WEB_WORKERS": "1",
    }
    if not settings.SQLITE:
        own["DATABASE_URL"] = _url(database)
    if "sqlite" not in subjects["ENGINE"]:
        own["NEXTRADE_SUBJECTS_URL"] = _url(subjects)
    return {**{name: os.environ[name] for name in KEPT if name in os.environ}, **own}


def settle(environment: Mapping[str, str], name: str, *, by: str) -> dict[str, Any]:
    """Settle whatever database that environment points to, in a process of its own. Raises BackupProblem."""
    command = [sys.executable, "manage.py", "backup", "settle", name, "--by", by]
    done = subprocess.run(  # noqa: S603
        command, cwd=settings.BASE_DIR, env=dict(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1][:300]
        raise BackupProblem(f"the restored database cannot be gone on from: {said}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def boot(environment: Mapping[str, str]) -> dict[str, Any]:
    """Start the web process on it, ask `/health`, and end it; the answer. Raises BackupProblem."""
    port = _free_port()
    command = [str(Path(sys.executable).with_name("gunicorn")), "-c", "deploy/gunicorn.conf.py", "nextrade.wsgi"]
    web = subprocess.Popen(  # noqa: S603
        command,
        cwd=settings.BASE_DIR,
        env={**environment, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return _health(web, f"http://127.0.0.1:{port}/health")
    finally:
        web.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            web.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(web.pid, signal.SIGKILL)


def _health(web: subprocess.Popen[bytes], url: str) -> dict[str, Any]:
    until, said = time.monotonic() + BOOT_S, "no answer"
    while time.monotonic() < until:
        if web.poll() is not None:
            raise BackupProblem(f"the web process ended with {web.returncode} on the restored copy")
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, timeout=10)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            said = f"{answer.status_code}"
        time.sleep(0.2)
    raise BackupProblem(f"/health on the restored copy: {said}")


def _subjects(folder: Path, database: Mapping[str, Any]) -> dict[str, Any]:
    real: dict[str, Any] = settings.SUBJECTS_DATABASE
    is_file = "sqlite" in real["ENGINE"]
    return {**real, "NAME": str(folder / "subjects.sqlite3") if is_file else database["NAME"]}


def _url(database: Mapping[str, Any]) -> str:
    who = quote(str(database["USER"]), safe="")
    password = f":{quote(str(database['PASSWORD']), safe='')}" if database["PASSWORD"] else ""
    where = f"{quote(str(database['HOST']), safe='')}:{database['PORT']}" if database["PORT"] else database["HOST"]
    return f"postgres://{who}{password}@{where}/{database['NAME']}"


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port

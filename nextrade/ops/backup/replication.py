"""Between the daily backups: every commit, seconds later, elsewhere.

SQLite: litestream, a process beside the others (`backup replicate`), to a directory or a bucket. PostgreSQL: the server
archives its write-ahead log itself; here is only what to set (`backup wal`), and whether it does. How old the newest
piece elsewhere is, is written down each minute: the heartbeat writes at least as often, so silence is a fault.

A replica keeps three days of history, and of whoever was erased as long. The subjects' keys are not in it.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from django.utils import timezone

from nextrade.ops.backup import postgres
from nextrade.ops.backup.shelf import BackupProblem
from nextrade.ops.maintenance import Done

KEEP = "72h"
MOST = timedelta(minutes=15)
WAL_SETTINGS = {
    "wal_level": ("replica", "logical"),
    "archive_mode": ("on", "always"),
    "archive_timeout": ("60", "120", "300"),
}


def databases() -> list[Path]:
    return [Path(connection.settings_dict["NAME"]), settings.DATA_DIR / "checkpoints.sqlite3"]


def write_config() -> Path:
    """litestream's configuration, which is JSON as much as YAML. Raises BackupProblem where nothing is to be done."""
    if not settings.SQLITE or not settings.REPLICA_URL:
        raise BackupProblem("NEXTRADE_REPLICA_URL is not set, or this is PostgreSQL: see `backup wal`")
    told = {
        "snapshot": {"interval": "24h", "retention": KEEP},
        "dbs": [{"path": str(path), "replica": {**_place(path), "sync-interval": "1s"}} for path in databases()],
    }
    file: Path = settings.DATA_DIR / "litestream.json"
    file.touch(mode=0o600)
    file.write_text(json.dumps(told, indent=1))
    return file


def replicate() -> None:
    """Become litestream, until somebody ends it."""
    config = write_config()
    os.execv(program(), [program(), "replicate", "-config", str(config)])  # noqa: S606


def restore(database: Path, target: Path) -> None:
    """The newest state that is elsewhere, as a new file; no file where nothing of it is there. Raises BackupProblem."""
    config = str(write_config())
    _litestream("restore", "-config", config, "-if-replica-exists", "-o", str(target), str(database))


def measure() -> Done:
    """The job: how old the newest piece elsewhere is. Raises BackupProblem where it is too old, or cannot be asked."""
    if settings.SQLITE and not settings.REPLICA_URL:
        return Done(summary="off: NEXTRADE_REPLICA_URL is not set")
    newest = _newest_of_litestream() if settings.SQLITE else newest_of_archive()
    if newest is None:
        return Done(summary="off: the server does not archive")
    age = timezone.now() - newest
    if age > MOST:
        raise BackupProblem(f"the newest piece elsewhere is {age.total_seconds() / 60:.0f} minutes old")
    return Done(summary=f"behind={age.total_seconds():.1f}s")


def newest_of_archive() -> datetime | None:
    """When PostgreSQL last archived a piece of its log; None where it is not set to. Raises BackupProblem."""
    with _asked() as server:
        mode = server.execute("SHOW archive_mode").fetchone()
        if mode is None or mode[0] == "off":
            return None
        query = "SELECT last_archived_time, last_failed_time, stats_reset FROM pg_stat_archiver"
        row = server.execute(query).fetchone()
    archived, failed, since = row or (None, None, None)
    if failed and (archived is None or failed > archived):
        raise BackupProblem(f"archiving fails since {failed:%Y-%m-%d %H:%M}")
    found: datetime | None = archived or since
    return found


def wal_problems() -> list[str]:
    """Which of the server's settings do not archive its log."""
    with _asked() as server:
        rows = {name: server.execute(f"SHOW {name}".encode()).fetchone() for name in (*WAL_SETTINGS, "archive_command")}
    shown = {name: str(row[0]) if row else "" for name, row in rows.items()}
    seconds = {"1min": "60", "2min": "120", "5min": "300"}.get(shown["archive_timeout"], shown["archive_timeout"])
    shown["archive_timeout"] = seconds.removesuffix("s")
    found = [
        f"{name} is {shown[name]}, not {' or '.join(wanted)}"
        for name, wanted in WAL_SETTINGS.items()
        if shown[name] not in wanted
    ]
    return found if shown["archive_command"] not in ("", "(disabled)") else [*found, "archive_command is not set"]


def wal_advice() -> str:
    return (
        "wal_level = replica\narchive_mode = on\narchive_timeout = 60\n"
        "archive_command = 'test ! -f /mnt/wal/%f && cp %p /mnt/wal/.%f && sync /mnt/wal/.%f"
        " && mv /mnt/wal/.%f /mnt/wal/%f'\n"
        "# once a day, for the archive to start from: pg_basebackup -D /mnt/base/$(date +%Y%m%d) -X none -c fast\n"
        "# to come back: an empty data directory from the newest base, restore_command = 'cp /mnt/wal/%f %p',\n"
        "# recovery.signal, start; then manage.py backup settle wal"
    )


def program() -> str:
    return str(Path(sys.executable).with_name("litestream"))


def _newest_of_litestream() -> datetime:
    lines = _litestream("ltx", "-config", str(write_config()), str(databases()[0])).splitlines()[1:]
    moments = [datetime.strptime(line.split()[-1], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) for line in lines]
    if not moments:
        raise BackupProblem("there is no replica yet: does `backup replicate` run?")
    return max(moments)


def _litestream(*arguments: str) -> str:
    try:
        return subprocess.run([program(), *arguments], capture_output=True, text=True, check=True, timeout=600).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        said = (str(getattr(error, "stderr", "") or "").strip().splitlines() or [type(error).__name__])[-1]
        raise BackupProblem(f"litestream {arguments[0]} failed: {said[:200]}") from error


def _place(path: Path) -> dict[str, str]:
    """`file:/folder`, or an address that litestream knows, such as `s3://bucket/prefix`."""
    where = f"{settings.REPLICA_URL.rstrip('/')}/{path.stem}"
    return {"type": "file", "path": where.removeprefix("file:")} if where.startswith("file:") else {"url": where}


@contextlib.contextmanager
def _asked() -> Iterator[psycopg.Connection[Any]]:
    try:
        with postgres.connected(connection.settings_dict) as server:
            yield server
    except psycopg.Error as error:
        raise BackupProblem(f"the server does not answer: {type(error).__name__}") from error

"""Copies of SQLite databases: `VACUUM INTO`, in one read transaction, which neither stops writers nor copies pages that
once held what was deleted. A plain copy of a live file is corrupt more often than not."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nextrade.ops.backup import facts
from nextrade.ops.backup.shelf import BackupProblem

SIDECARS = ("-wal", "-shm", "-journal")
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name"


def copy(source: Path, target: Path) -> None:
    """Raises BackupProblem."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with _opened(source, "rw") as connection:
            connection.execute("VACUUM INTO ?", [str(target)])
    except sqlite3.Error as error:
        raise BackupProblem(f"{source.name} cannot be copied: {error}") from error


def told(file: Path) -> dict[str, Any]:
    """What a copy holds. Raises BackupProblem."""
    try:
        with _opened(file, "ro") as connection:
            tables = [name for (name,) in connection.execute(TABLES)]
            version = sqlite3.sqlite_version
            guards = {name: sha256(text.encode()).hexdigest() for name, text in connection.execute(TRIGGERS)}
            held = facts.of(_asker(connection), tables)
            return {"engine": "sqlite", "engine_version": version, "triggers": guards, **held}
    except sqlite3.Error as error:
        raise BackupProblem(f"{file.name} cannot be read: {error}") from error


def problems(file: Path) -> list[str]:
    """What SQLite itself finds wrong with a file."""
    try:
        with _opened(file, "ro") as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)") if row[0] != "ok"]
            orphans = connection.execute("PRAGMA foreign_key_check").fetchmany(5)
    except sqlite3.Error as error:
        return [f"{file.name}: {error}"]
    return [*(f"{file.name}: {each}" for each in found), *(f"{file.name}: orphan in {row[0]}" for row in orphans)]


@contextlib.contextmanager
def _opened(file: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A copy lies still: `immutable` reads it without making files beside it."""
    still = "&immutable=1" if mode == "ro" else ""
    address = f"file:{quote(str(file))}?mode={mode}{still}"
    with contextlib.closing(sqlite3.connect(address, uri=True, timeout=20, isolation_level=None)) as connection:
        yield connection


def _asker(connection: sqlite3.Connection) -> facts.Ask:
    return lambda query: connection.execute(query).fetchall()

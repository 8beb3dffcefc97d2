"""A connection that opens what is there, and commits that need not reach the disk.

With nothing there, SQLite makes an empty file; closing that throws away the WAL of the one that is missing, and with it
what was written last. So whoever moved the file aside and back would have lost it. `migrate` alone makes one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.db import connection, transaction

NORMAL = 1


class Existing(sqlite3.Connection):
    """For OPTIONS["factory"]. Raises OperationalError where there is no file."""

    def __init__(self, database: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(f"file:{quote(str(database))}?mode=rw", *args, **(kwargs | {"uri": True}))


def make(file: Path) -> None:
    """An empty database, where there is none. Raises FileNotFoundError where a WAL tells that one is missing."""
    if not file.exists() and file.with_name(f"{file.name}-wal").exists():
        raise FileNotFoundError(
            f"{file} is missing, and what was written to it last is in {file.name}-wal: put it back"
        )
    file.touch()


@contextmanager
def unsynced() -> Iterator[None]:
    """One transaction that outlives the process, but may be lost with the machine's power. On other databases and
    inside a transaction nothing changes."""
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        (before,) = cursor.execute("PRAGMA synchronous").fetchone()
        cursor.execute(f"PRAGMA synchronous={min(before, NORMAL)}")
        try:
            with transaction.atomic():
                yield
        finally:
            cursor.execute(f"PRAGMA synchronous={before}")

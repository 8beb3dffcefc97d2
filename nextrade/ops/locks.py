"""One holder at a time for a name, whichever process or machine it is in; whoever dies lets go.

With SQLite every process is on this machine: a lock on a file, which the kernel ends with its holder. With PostgreSQL
an advisory lock of a session, which the server ends with its connection; a pooler in transaction mode would break it.
"""

import contextlib
import fcntl
from collections.abc import Iterator

from django.conf import settings
from django.db import connection

CLASS_ID = 6_962_002


@contextlib.contextmanager
def held(name: str) -> Iterator[bool]:
    """Whether the lock is ours for the block; never waits."""
    with _file(name) if settings.SQLITE else _advisory(name) as is_ours:
        yield is_ours


@contextlib.contextmanager
def _file(name: str) -> Iterator[bool]:
    folder = settings.DATA_DIR / "locks"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def _advisory(name: str) -> Iterator[bool]:
    """On a connection of its own: the job may close the other."""
    own = connection.copy()
    own.settings_dict["OPTIONS"].pop("pool", None)
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [CLASS_ID, name])
            is_ours = bool(cursor.fetchone()[0])
        yield is_ours
    finally:
        own.close()

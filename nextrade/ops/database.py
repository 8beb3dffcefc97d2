"""Whether the database can be worked with: SELECT 1 is content with an empty file, an import with nothing at all.

A real table is read, every migration is applied, and a row is written and taken back. On SQLite by a connection of its
own that makes no new file; somebody else's long transaction is no failure until it has lasted BUSY_S.
"""

import functools
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from health_check.exceptions import ServiceUnavailable

from compliance.models import ComplianceEvent
from nextrade.ops.models import Heartbeat

WRITE_EVERY_S = 15
BUSY_S = 60
LOCK_WAIT_S = 0.2
AGAIN_AFTER_S = 0.2
ROOM_BYTES = 1_000_000
READ = f"SELECT id FROM {ComplianceEvent._meta.db_table} ORDER BY id DESC LIMIT 1"  # noqa: S608 - a constant
WRITE = f"INSERT INTO {Heartbeat._meta.db_table} (name, at) VALUES (?, ?)"  # noqa: S608 - a constant


class Trial:
    """One process's trials. Raises ServiceUnavailable with what is wrong."""

    def __init__(self) -> None:
        self._wrote_at = self._busy_since = 0.0

    def run(self) -> None:
        """A failure is looked at twice: one blip pages nobody."""
        try:
            self._try()
        except (DatabaseError, sqlite3.Error, OSError, ServiceUnavailable):
            connection.close()
            time.sleep(AGAIN_AFTER_S)
            self._try_in_words()

    def _try_in_words(self) -> None:
        try:
            self._try()
        except (DatabaseError, sqlite3.Error, OSError) as error:
            first_line = str(error).strip().partition("\n")[0]
            raise ServiceUnavailable(f"{type(error).__name__}: {first_line}") from error

    def _try(self) -> None:
        is_write_due = time.monotonic() - self._wrote_at > WRITE_EVERY_S
        if settings.SQLITE:
            self.try_file(Path(str(connection.settings_dict["NAME"])), is_write_due=is_write_due)
        else:
            _try_server(is_write_due=is_write_due)
        if unapplied():
            raise ServiceUnavailable("migrations are missing")
        if is_write_due and not self._busy_since:
            self._wrote_at = time.monotonic()

    def try_file(self, file: Path, *, is_write_due: bool) -> None:
        _look_at(file)
        with closing(
            sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=LOCK_WAIT_S, isolation_level=None)
        ) as opened:
            try:
                opened.execute(READ).fetchone()
                if is_write_due:
                    _write_and_take_back(opened)
            except sqlite3.OperationalError as error:
                self._bear(error)
            else:
                self._busy_since = 0.0

    def _bear(self, error: sqlite3.OperationalError) -> None:
        """Somebody else is writing: that is what databases are for, for a while."""
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise error
        self._busy_since = self._busy_since or time.monotonic()
        if time.monotonic() - self._busy_since > BUSY_S:
            raise ServiceUnavailable(f"locked for more than {BUSY_S} s") from error


def unapplied() -> bool:
    return not _migrations() <= set(MigrationRecorder(connection).applied_migrations())


def _look_at(file: Path) -> None:
    """What the file's permissions and its disk say, root's rights aside."""
    if not file.exists():
        raise ServiceUnavailable(f"{file} is missing")
    if file.stat().st_mode & 0o600 != 0o600 or not os.access(file.parent, os.W_OK):
        raise ServiceUnavailable(f"permission: {file} cannot be read and written")
    room = os.statvfs(file.parent)
    if room.f_bavail * room.f_frsize < ROOM_BYTES:
        raise ServiceUnavailable("disk full: there is no room to write")


def _write_and_take_back(opened: sqlite3.Connection) -> None:
    opened.execute("BEGIN IMMEDIATE")
    try:
        opened.execute(WRITE, [_row(), timezone.now().isoformat(" ")])
    finally:
        opened.execute("ROLLBACK")


def _try_server(*, is_write_due: bool) -> None:
    ComplianceEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
    if is_write_due:
        with transaction.atomic():
            Heartbeat.objects.create(name=_row(), at=timezone.now())
            transaction.set_rollback(True)


def _row() -> str:
    return f"health:{os.getpid()}"


@functools.cache
def _migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of every migration on disk, which does not change while a process lives."""
    return frozenset(MigrationLoader(None).disk_migrations)

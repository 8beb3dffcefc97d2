"""`db init`: an empty database, where there is none. Where there is one, or a backup of one, only for who names the
SHA-256 of the newest verified backup; and then the old file is set aside, not deleted."""

import contextlib
import hmac
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection

from nextrade.errors import Refused
from nextrade.ops import processes
from nextrade.ops.backup import manifest, shelf, verify


class DatabaseExists(Refused):
    code = "database_exists"


def init(*, at: datetime, sha256: str = "") -> str:
    """Raises DatabaseExists where somebody's records would be lost."""
    if _is_there() or shelf.data().names():
        _must_have_backup(sha256)
        _must_be_alone()
        aside = _set_aside(at)
    else:
        aside = ""
    call_command("migrate", verbosity=0)
    return f"an empty database{f'; the old one is {aside}' if aside else ''}"


def _is_there() -> bool:
    if settings.SQLITE:
        return _file().exists() and _file().stat().st_size > 0
    return bool(connection.introspection.table_names())


def _must_have_backup(sha256: str) -> None:
    newest = verify.newest_verified()
    if not sha256:
        raise DatabaseExists(
            "there is a database, or a backup of one, and records in it are kept for seven years: "
            "--i-have-a-backup SHA256 names the database file of the newest verified backup"
        )
    if newest is None:
        raise DatabaseExists("there is no verified backup: manage.py backup run")
    sums = manifest.read(shelf.data().find(newest))["files"]
    known = [facts["sha256"] for name, facts in sums.items() if name.startswith("trading_orders_")]
    if not any(hmac.compare_digest(sha256.lower(), digest) for digest in known):
        raise DatabaseExists(f"that is not the SHA-256 of the database in the newest verified backup, {newest}")


def _must_be_alone() -> None:
    if living := ", ".join(processes.trees()):
        raise DatabaseExists(f"{living} of this installation lives: stop it first")


def _set_aside(at: datetime) -> str:
    if not settings.SQLITE:
        with contextlib.suppress(DatabaseError):
            if not connection.introspection.table_names():
                return ""
        raise DatabaseExists("this server's database has tables: createdb another one, and name it in DATABASE_URL")
    if not _is_there():
        return ""
    connection.close()
    aside = _file().with_name(f"{_file().name}.{at:{shelf.FORMAT}}")
    for suffix in ("", "-wal", "-shm"):
        file = Path(f"{_file()}{suffix}")
        if file.exists():
            file.rename(f"{aside}{suffix}")
    return str(aside)


def _file() -> Path:
    return Path(str(connection.settings_dict["NAME"]))

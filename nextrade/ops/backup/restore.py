"""Put a backup back in place of what is there: `backup restore`."""

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.loader import MigrationLoader

from nextrade.errors import Refused
from nextrade.ops.backup import copy, manifest, place, postgres, replication, shelf, sqlite, verify
from nextrade.ops.backup.shelf import BackupProblem
from nextrade.ops.models import Heartbeat, MaintenanceRun

FRESH = timedelta(minutes=2)
REPLICA = "replica"


class StillRunning(Refused):
    code = "still_running"


@dataclass(frozen=True, kw_only=True)
class Restored:
    """aside: where that is which was there before."""

    name: str
    aside: str
    settled: dict[str, Any]


def restore(name: str, *, by: str, at: datetime, force: bool = False) -> Restored:
    """name: of a set, `latest`, or `replica` for what litestream has elsewhere.

    Raises NoSuchBackup, BackupProblem for one that is not whole, StillRunning unless forced."""
    folder = None if name == REPLICA else sound(shelf.data().find(name))
    running = [] if force else alive(at=at)
    if running:
        raise StillRunning(f"stop everything first, or --force: {', '.join(running)}")
    connections.close_all()
    mark = at.strftime(shelf.FORMAT)
    if settings.SQLITE:
        aside = str(settings.DATA_DIR / f"before-restore-{mark}")
        talks = settings.DATA_DIR / "checkpoints.sqlite3"
        target = Path(connection.settings_dict["NAME"])
        if folder is None:
            _put_replica((target, talks), safety=Path(aside))
        else:
            place.put_sqlite(folder, database=target, conversations=talks, safety=Path(aside))
    elif folder is None:
        raise BackupProblem("with PostgreSQL the server comes back from its archive: see `backup wal`")
    else:
        aside = f"{connection.settings_dict['NAME']}_before_{mark}"
        place.swap_postgres(folder, connection.settings_dict, aside=aside, force=force)
    for database in replication.databases() if settings.SQLITE else ():
        shutil.rmtree(database.with_name(f".{database.name}-litestream"), ignore_errors=True)  # it knows the other file
    whole = folder.name if folder else REPLICA
    settled = copy.settle(os.environ, whole, by=by)
    note(whole, settled, by=by, at=at)
    return Restored(name=whole, aside=aside, settled=settled)


def _put_replica(databases: Sequence[Path], *, safety: Path) -> None:
    """Each file as it is elsewhere, once SQLite finds nothing wrong with it. Raises BackupProblem."""
    with tempfile.TemporaryDirectory(dir=databases[0].parent, prefix=".restore-") as scratch:
        copies = [(Path(scratch) / database.name, database) for database in databases]
        for made, database in copies:
            replication.restore(database, made)
            if found := sqlite.problems(made) if made.exists() or database == databases[0] else []:
                raise BackupProblem(f"the replica is wrong: {found[0]}")
        for made, database in copies:
            if made.exists():
                place.swap_file(made, database, safety)


def sound(folder: Path) -> Path:
    """The set, when nothing is wrong with it and this code knows its schema. Raises BackupProblem."""
    if found := verify.examine(folder):
        raise BackupProblem(f"{folder.name} is not restored: {'; '.join(found[:3])}")
    told, known = manifest.read(folder), set(MigrationLoader(None).disk_migrations)
    for app, newest in told["migrations"].items():
        if (app, newest) not in known:
            commit = told["app_commit"][:12] or "a newer one"
            raise BackupProblem(f"{folder.name} was made by code that this is not ({app} {newest}): check out {commit}")
    return folder


def alive(*, at: datetime) -> list[str]:
    """What still works on the database: beats that are fresh, and whoever holds it open."""
    found = []
    try:
        beats = Heartbeat.objects.filter(at__gt=at - FRESH).values_list("name", flat=True)
        found = [f"{name} has beaten in the last two minutes" for name in beats]
    except DatabaseError:
        pass  # it is broken: that is why it is restored
    finally:
        connections.close_all()
    return found + (_holders(Path(connection.settings_dict["NAME"])) if settings.SQLITE else _sessions())


def note(name: str, settled: dict[str, Any], *, by: str, at: datetime) -> None:
    """The restore's own row, in the database that it brought."""
    MaintenanceRun.objects.create(
        job="restore",
        started_at=at,
        finished_at=at,
        status=MaintenanceRun.Status.FAILED if settled["faults"] else MaintenanceRun.Status.SUCCEEDED,
        exit=int(bool(settled["faults"])),
        summary=f"{name}: {settled['events']} events, {len(settled['faults'])} faults",
        artefact=name,
        started_by=by,
    )


def _holders(database: Path) -> list[str]:
    """Processes that have the file open, as far as we may look."""
    found = []
    for process in psutil.process_iter(["pid", "name"]):
        if process.pid == os.getpid():
            continue
        try:
            is_holder = any(Path(file.path) == database for file in process.open_files())
        except psutil.Error:
            continue
        if is_holder:
            found.append(f"{process.info['name']} (pid {process.pid}) holds the database open")
    return found


def _sessions() -> list[str]:
    database = connection.settings_dict
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    try:
        with postgres.connected(database, "postgres") as asked:
            row = asked.execute(query, [database["NAME"]]).fetchone()
    except psycopg.Error as error:
        raise BackupProblem(f"the server does not answer: {type(error).__name__}") from error
    return [f"{row[0]} sessions of the database are open"] if row and row[0] else []

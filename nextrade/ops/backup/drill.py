"""Prove that a backup is one: restore it beside the real thing, verify all of it, boot the product on it and ask
`/health`; how long that took (RTO), and what would have been lost (RPO)."""

import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections
from django.utils import timezone

from nextrade.ops import punctuality
from nextrade.ops.backup import copy, manifest, restore, shelf
from nextrade.ops.backup.shelf import BackupProblem
from nextrade.ops.maintenance import Done


def drill_latest() -> Done:
    """The job: the newest backup. Raises BackupProblem, NoSuchBackup."""
    return drill(shelf.LATEST, at=timezone.now())


def drill(name: str, *, at: datetime) -> Done:
    start = time.monotonic()
    data, keys = restore.sound(shelf.data().find(name)), shelf.keys().find(shelf.LATEST)
    told = manifest.read(data)
    folder = settings.DATA_DIR / "drill" / data.name
    connections.close_all()
    with copy.made(data, keys, folder) as made:
        settled = copy.settle(made.environment, data.name, by="system:drill")
        if settled["faults"]:
            raise BackupProblem(f"{data.name} restores to what is wrong: {'; '.join(settled['faults'][:3])}")
        health = copy.boot(made.environment)
    stored = sum(file["bytes"] for file in told["files"].values())
    return Done(
        summary=f"RTO={time.monotonic() - start:.1f}s RPO={_lost_s(data.name, at=at):.1f}s of {data.name}:"
        f" {sum(told['rows'].values())} rows, {stored} bytes, {settled['events']} events verified,"
        f" /health {health['status']}",
        artefact=str(data),
        sha256=manifest.sha256(data / manifest.MANIFEST),
    )


def _lost_s(name: str, *, at: datetime) -> float:
    """Seconds of work that would be lost now: since the backup, or since what the replica has."""
    since_backup = (at - shelf.taken_at(name)).total_seconds()
    row = punctuality.last_success("replication")
    behind = punctuality.figure(row, "behind") if row else None
    if row is None or row.finished_at is None or behind is None:
        return since_backup
    return min(since_backup, (at - row.finished_at).total_seconds() + behind)


def rebuild(data: Path, keys: Path, *, by: str, at: datetime) -> dict[str, Any]:
    """From nothing to a running system: keys, books, settled, asked. What was found, with `rto_s`.

    Raises BackupProblem, so too where something is there already."""
    from django.db import connection

    from nextrade.ops.backup import place

    start = time.monotonic()
    restore.sound(data)
    database: dict[str, Any] = connection.settings_dict
    subjects: dict[str, Any] = settings.SUBJECTS_DATABASE
    taken = [
        str(path) for path in (Path(database["NAME"]), Path(subjects["NAME"])) if path.is_absolute() and path.exists()
    ]
    if taken:
        raise BackupProblem(f"{taken[0]} is there: this is for an empty directory, `backup restore` for the rest")
    connections.close_all()
    place.put_keys(keys, keys=Path(settings.KEYS_DIR), data=settings.DATA_DIR, subjects=subjects)
    if settings.SQLITE:
        talks = settings.DATA_DIR / "checkpoints.sqlite3"
        place.put_sqlite(data, database=Path(database["NAME"]), conversations=talks, safety=settings.DATA_DIR / "aside")
        (settings.DATA_DIR / "aside").rmdir()
    else:
        place.fill_postgres(data, database)
    settled = copy.settle(os.environ, data.name, by=by)
    health = copy.boot(os.environ)
    restore.note(data.name, settled, by=by, at=at)
    return {**settled, "name": data.name, "health": health["status"], "rto_s": round(time.monotonic() - start, 1)}

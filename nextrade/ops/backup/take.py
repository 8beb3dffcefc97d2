"""Take a backup: copies, a manifest, read back before it counts; then off-site, read back there too."""

import os
import shutil
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from compliance import secrets, subjects
from nextrade.ops.backup import manifest, offsite, postgres, shelf, sqlite, verify
from nextrade.ops.backup.shelf import BackupProblem

DEMO_KEY = "demo_secret_key"


def take() -> str:
    """Make a set on each shelf; its name. Raises BackupProblem, and then there is no set and no part of one."""
    name = _free_name()
    try:
        with shelf.data().begin(name) as data:
            copy_data(data, name)
            # after the data: a key is committed before what it encrypts, so none is missing here
            with shelf.keys().begin(name) as keys:
                copy_keys(keys, name)
    except OSError as error:
        raise BackupProblem(f"the backup was not made: {error.strerror or type(error).__name__}") from error
    verify.mark(shelf.data().find(name), [], at=timezone.now())
    offsite.send(name)
    return name


def take_keys() -> str:
    """A set of keys alone, between the backups. Raises BackupProblem."""
    name = _free_name()
    try:
        with shelf.keys().begin(name) as keys:
            copy_keys(keys, name)
    except OSError as error:
        raise BackupProblem(f"the keys were not copied: {error.strerror or type(error).__name__}") from error
    offsite.send(name, what=(shelf.keys(),))
    return name


def copy_data(folder: Path, name: str) -> None:
    if settings.SQLITE:
        copy = folder / f"trading_orders_{name}.db"
        sqlite.copy(Path(connection.settings_dict["NAME"]), copy)
        if (talks := settings.DATA_DIR / "checkpoints.sqlite3").exists():
            sqlite.copy(talks, folder / f"checkpoints_{name}.db")
        told = sqlite.told(copy)
    else:
        target, talks = folder / f"trading_orders_{name}.dump", folder / f"checkpoints_{name}.dump"
        told = postgres.dump(connection.settings_dict, target, talks)
    _copy_log(Path(settings.COMPLIANCE_LOG_PATH), folder / f"compliance_{name}.log")
    manifest.write(folder, {"name": name, "kind": "data", "taken_at": shelf.taken_at(name).isoformat(), **told})
    if found := verify.examine(folder, name=name):
        raise BackupProblem(f"the backup was read back and is wrong: {found[0]}")


def copy_keys(folder: Path, name: str) -> None:
    """The trail's keys, the subjects' keys and the one they are wrapped with."""
    with tarfile.open(folder / f"keys_{name}.tar", "w") as tar:
        for file in sorted(Path(settings.KEYS_DIR).glob("[!.]*")):
            tar.add(file, arcname=f"keys/{file.name}", recursive=False)
        if (demo := settings.DATA_DIR / DEMO_KEY).exists():
            tar.add(demo, arcname=DEMO_KEY)
    subjects.all_erased()  # makes its tables, where nobody asked for a key before
    database: dict[str, Any] = settings.SUBJECTS_DATABASE
    if "sqlite" in database["ENGINE"]:
        sqlite.copy(Path(database["NAME"]), folder / f"subjects_{name}.db")
    else:
        postgres.dump_all(database, folder / f"subjects_{name}.dump")
    told = {"name": name, "kind": "keys", "taken_at": shelf.taken_at(name).isoformat()}
    manifest.write(folder, {**told, "has_wrap": secrets.path(subjects.WRAP).exists()})


def _copy_log(log: Path, target: Path) -> None:
    """Up to its last whole line: it is being written."""
    target.touch(mode=0o600)
    if not log.exists():
        return
    with log.open("rb") as source, target.open("wb") as out:
        shutil.copyfileobj(source, out)
    with target.open("rb+") as copied:
        size = copied.seek(0, os.SEEK_END)
        tail = min(size, 1 << 20)
        copied.seek(size - tail)
        end = copied.read(tail).rfind(b"\n") + 1
        copied.truncate(size - tail + end)


def _free_name() -> str:
    """Of this second, or the next that has none."""
    while True:
        name = datetime.now(UTC).strftime(shelf.FORMAT)
        if name not in shelf.data().names() and name not in shelf.keys().names():
            return name
        time.sleep(0.1)

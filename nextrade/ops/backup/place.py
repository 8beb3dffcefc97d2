"""Put a set's files where the product looks for them.

A file goes in beside the old one and takes its place in one rename, after the old one's write-ahead log is gone: left
behind, it would be replayed onto the restored file. What was there is kept.
"""

import os
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from nextrade.ops.backup import manifest, postgres, shelf, sqlite
from nextrade.ops.backup.shelf import BackupProblem

KEYS = "keys"
DEMO_KEY = "demo_secret_key"


def file_of(folder: Path, kind: str, scratch: Path) -> Path | None:
    """The set's file of that kind ("trading_orders", "checkpoints", …), unpacked; None where the set has none."""
    name = next((name for name in manifest.read(folder)["files"] if name.startswith(f"{kind}_")), None)
    return manifest.plain(folder, name, scratch) if name else None


def swap_file(copy: Path, target: Path, safety: Path) -> None:
    """Put a database file in place; the old one and its sidecars go to safety, which is on the same volume."""
    draft = target.with_name(f".{target.name}.restoring")
    shutil.copyfile(copy, draft)
    draft.chmod(0o600)
    shelf.fsync(draft)
    set_aside(target, safety)
    for suffix in sqlite.SIDECARS:
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    draft.replace(target)
    shelf.fsync(target.parent)


def set_aside(target: Path, safety: Path) -> None:
    """Keep a database file as it is, with its sidecars, under the same names."""
    safety.mkdir(mode=0o700, parents=True, exist_ok=True)
    for suffix in ("", *sqlite.SIDECARS):
        file = target.with_name(target.name + suffix)
        if file.exists():
            keep = safety / file.name
            keep.unlink(missing_ok=True)
            if suffix:
                shutil.copyfile(file, keep)
            else:
                os.link(file, keep)  # the name goes to another file, this one stays


def put_sqlite(folder: Path, *, database: Path, conversations: Path, safety: Path) -> None:
    """Books and conversations of a set. Raises BackupProblem for a set of another engine."""
    with tempfile.TemporaryDirectory(dir=database.parent, prefix=".restore-") as scratch:
        copy = file_of(folder, "trading_orders", Path(scratch))
        if copy is None or copy.suffix != ".db":
            raise BackupProblem(f"{folder.name} is no set of SQLite")
        talks = file_of(folder, "checkpoints", Path(scratch))
        if talks:
            swap_file(talks, conversations, safety)
        elif conversations.exists():
            set_aside(conversations, safety)
            for suffix in ("", *sqlite.SIDECARS):
                conversations.with_name(conversations.name + suffix).unlink(missing_ok=True)
        swap_file(copy, database, safety)


def fill_postgres(folder: Path, database: Mapping[str, Any], *, is_scratch: bool = False) -> None:
    """Books and conversations of a set into a new database of that name. Raises BackupProblem."""
    with tempfile.TemporaryDirectory(prefix="nextrade-restore-") as scratch:
        copy = file_of(folder, "trading_orders", Path(scratch))
        if copy is None or copy.suffix != ".dump":
            raise BackupProblem(f"{folder.name} is no set of PostgreSQL")
        talks = file_of(folder, "checkpoints", Path(scratch))
        postgres.make(database, database["NAME"])
        for each in filter(None, (copy, talks)):
            postgres.restore(each, database, is_scratch=is_scratch)


def swap_postgres(folder: Path, database: Mapping[str, Any], *, aside: str, force: bool) -> None:
    """Fill a new database, then give it the name; the old one is kept under the name `aside`. Raises BackupProblem."""
    fresh = {**database, "NAME": f"{database['NAME']}_restoring"}
    postgres.drop(database, fresh["NAME"])
    fill_postgres(folder, fresh)
    try:
        with postgres.connected(database, "postgres") as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database["NAME"]]).fetchone()
            if known and force:
                ending = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
                connection.execute(ending, [database["NAME"]])
            if known:
                _rename(connection, database["NAME"], aside)
            _rename(connection, fresh["NAME"], database["NAME"])
    except psycopg.Error as error:
        raise BackupProblem(f"the restored database is {fresh['NAME']} and has not taken the name: {error}") from error


def put_keys(folder: Path, *, keys: Path, data: Path, subjects: Mapping[str, Any]) -> None:
    """The trail's and the subjects' keys of a set, where there are none. Raises BackupProblem."""
    with tempfile.TemporaryDirectory(prefix="nextrade-keys-") as scratch:
        archive = file_of(folder, KEYS, Path(scratch))
        if archive is None:
            raise BackupProblem(f"{folder.name} holds no keys")
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                _put_key(tar, member, keys, data)
        copy = file_of(folder, "subjects", Path(scratch))
        if copy and copy.suffix == ".dump":
            postgres.make(subjects, subjects["NAME"])
            postgres.restore(copy, subjects)
        elif copy:
            shutil.copyfile(copy, subjects["NAME"])
            Path(subjects["NAME"]).chmod(0o600)


def _put_key(tar: tarfile.TarFile, member: tarfile.TarInfo, keys: Path, data: Path) -> None:
    inside, _, name = member.name.rpartition("/")
    is_ours = inside == KEYS or (not inside and name == DEMO_KEY)
    opened = tar.extractfile(member) if member.isfile() else None
    if opened is None or not is_ours or name in ("", ".", ".."):
        raise BackupProblem(f"the keys hold {member.name[:80]!r}, which no set of ours does")
    target = (keys if inside else data) / name
    target.touch(mode=0o600)
    target.chmod(0o600)
    target.write_bytes(opened.read())


def _rename(connection: psycopg.Connection[Any], old: str, new: str) -> None:
    connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))

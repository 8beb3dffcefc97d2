"""Copies of PostgreSQL databases: `pg_dump` in its custom format, of the server's version or newer, within a snapshot
that the manifest's counts are taken in too."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from nextrade.ops.backup import facts
from nextrade.ops.backup.shelf import BackupProblem

INSTALLED = Path("/usr/lib/postgresql")
CONVERSATIONS = "checkpoints"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"


def dump(database: Mapping[str, Any], target: Path, conversations: Path) -> dict[str, Any]:
    """Copy a database into one file and its schema of conversations, if there is one, into another; what it holds.

    Raises BackupProblem."""
    try:
        with connected(database) as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            row = connection.execute("SELECT pg_export_snapshot()").fetchone()
            snapshot = f"--snapshot={row[0] if row else ''}"
            schemas = {name for (name,) in connection.execute("SELECT nspname FROM pg_namespace")}
            told = facts.of(_asker(connection), [name for (name,) in connection.execute(TABLES)])
            _dump(database, target, snapshot, f"--exclude-schema={CONVERSATIONS}")
            if CONVERSATIONS in schemas:
                _dump(database, conversations, snapshot, f"--schema={CONVERSATIONS}")
            return {"engine": "postgresql", "engine_version": _server_version(database), **told}
    except psycopg.Error as error:
        raise BackupProblem(f"the database cannot be copied: {type(error).__name__}") from error


def dump_all(database: Mapping[str, Any], target: Path) -> None:
    _dump(database, target)


def restore(file: Path, database: Mapping[str, Any], *, is_scratch: bool = False) -> None:
    """Put a dump into an empty database. is_scratch: without owners and grants, whose roles may not be there."""
    more = ("--no-owner", "--no-privileges") if is_scratch else ()
    given = ("--exit-on-error", f"--dbname={database['NAME']}", *more, str(file))
    run(database, "pg_restore", *given)


def problems(file: Path, database: Mapping[str, Any]) -> list[str]:
    """What `pg_restore` finds wrong, reading a dump from its first byte to its last."""
    try:
        run(database, "pg_restore", "--file=/dev/null", str(file))
    except BackupProblem as problem:
        return [f"{file.name}: {problem.message}"]
    return []


def told(database: Mapping[str, Any]) -> dict[str, Any]:
    """What a restored database holds."""
    with connected(database) as connection:
        return facts.of(_asker(connection), [name for (name,) in connection.execute(TABLES)])


def run(database: Mapping[str, Any], program: str, *arguments: str) -> None:
    """One of PostgreSQL's programs; the password goes by the environment. Raises BackupProblem."""
    done = subprocess.run(  # noqa: S603
        [_program(program, database), *arguments],
        env={**os.environ, **environment(database)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1][:200]
        raise BackupProblem(f"{program} failed: {said}")


@contextlib.contextmanager
def connected(database: Mapping[str, Any], name: str = "") -> Iterator[psycopg.Connection[Any]]:
    """name: another database of the same server."""
    with psycopg.connect(
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        dbname=name or database["NAME"],
        autocommit=True,
    ) as connection:
        yield connection


def make(database: Mapping[str, Any], name: str) -> None:
    """A new, empty database on the same server, which takes the right CREATEDB. Raises BackupProblem."""
    try:
        with connected(database, "postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise BackupProblem(f"database {name} cannot be made: {error}".strip()) from error


def drop(database: Mapping[str, Any], name: str) -> None:
    with connected(database, "postgres") as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def environment(database: Mapping[str, Any]) -> dict[str, str]:
    given = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD", "PGDATABASE": "NAME"}
    return {name: str(database[key]) for name, key in given.items() if database.get(key)}


def _dump(database: Mapping[str, Any], target: Path, *arguments: str) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    run(database, "pg_dump", "--format=custom", "--no-password", f"--file={target}", *arguments)


def _program(name: str, database: Mapping[str, Any]) -> str:
    """The installed one of the lowest version that is not below the server's."""
    server = int(_server_version(database).split(".")[0])
    candidates = [str(each) for each in INSTALLED.glob(f"*/bin/{name}")] + (
        [shutil.which(name)] if shutil.which(name) else []
    )
    fitting = sorted((version, path) for path in candidates if path and (version := _version(path)) >= server)
    if not fitting:
        raise BackupProblem(f"there is no {name} of version {server} or newer here: install postgresql-client-{server}")
    return fitting[0][1]


def _version(path: str) -> int:
    said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.search(r"\) (\d+)", said)
    return int(found[1]) if found else 0


def _server_version(database: Mapping[str, Any]) -> str:
    with connected(database, "postgres") as connection:
        number = connection.info.server_version
    return f"{number // 10_000}.{number % 10_000}"


def _asker(connection: psycopg.Connection[Any]) -> facts.Ask:
    def ask(query: str) -> Sequence[Sequence[Any]]:
        return connection.execute(query.encode()).fetchall()

    return ask

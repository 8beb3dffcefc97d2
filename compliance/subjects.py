"""The keys that make personal data readable, one for each person and retention class, in a database of their own.

Context: who may be forgotten by law stands in a trail that nobody may change. Choice: personal fields are encrypted,
and forgetting destroys the key. The keys are not in the business database, whose backups would bring them back; this
one has its own backups, kept 30 days at most. It also keeps the list of who was erased, which no restore of the other
loses. It is no alias of settings.DATABASES: no transaction, migration or test of the other may take it along.
Cost: a second file (or PostgreSQL database, NEXTRADE_SUBJECTS_URL) to look after; without it nobody can be named.

It is opened for each question and no transaction spans it and the other: a key is committed before what it encrypts.
Keys are wrapped (RFC 3394) by `subject_wrap.key`; a process remembers a key for a minute, and so long after its end.
"""

import contextlib
import functools
import secrets as random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from compliance import secrets
from compliance.models import RetentionClass, timestamp
from compliance.secrets import KeyProblem

WRAP = "subject_wrap.key"
KEY_BYTES = 32
REMEMBERED_S = 60
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS subject_key (subject_pid varchar(64) NOT NULL, retention_class varchar(16) NOT NULL,"
    " wrapped_key varchar(200) NOT NULL, destroyed_at varchar(40) NOT NULL,"
    " PRIMARY KEY (subject_pid, retention_class))",
    "CREATE TABLE IF NOT EXISTS subject_erased (subject_pid varchar(64) NOT NULL PRIMARY KEY,"
    " joined_at varchar(40) NOT NULL, erased_at varchar(40) NOT NULL, kept_until varchar(40) NOT NULL)",
)


@dataclass(frozen=True, kw_only=True)
class Erased:
    """Somebody who was forgotten. joined_at tells them from a later user of the same number. kept_until: until then
    what the law wants kept stays readable; empty where nothing is."""

    pid: str
    joined_at: str
    erased_at: str
    kept_until: str


def key(pid: str, retention_class: str, *, may_create: bool = False) -> bytes | None:
    """The key of a person's events of that class; None where it was destroyed, or never was.

    Raises KeyProblem where the wrapping key or the keys' file is missing, DatabaseError where their server is.
    """
    found = _remembered(pid, retention_class, int(time.monotonic() / REMEMBERED_S))
    if found is None and may_create:
        found = _create(pid, retention_class)
        forget()
    return found


def destroy(pid: str, retention_classes: Sequence[str], *, at: datetime) -> None:
    """Make what these keys encrypted unreadable for ever. A key that never was is destroyed too: none follows."""
    for retention_class in retention_classes:
        _run(
            "INSERT INTO subject_key VALUES (%s, %s, '', %s) ON CONFLICT (subject_pid, retention_class)"
            " DO UPDATE SET wrapped_key = '', destroyed_at = %s",
            [pid, str(retention_class), timestamp(at), timestamp(at)],
        )
    forget()


def destroyed() -> set[tuple[str, str]]:
    """(person, retention class) of every key that is no more."""
    return set(_run("SELECT subject_pid, retention_class FROM subject_key WHERE destroyed_at <> ''"))


def list_erased(erased: Erased) -> None:
    _run(
        "INSERT INTO subject_erased VALUES (%s, %s, %s, %s) ON CONFLICT (subject_pid)"
        " DO UPDATE SET joined_at = %s, erased_at = %s, kept_until = %s",
        [erased.pid, *(values := [erased.joined_at, erased.erased_at, erased.kept_until]), *values],
    )


def all_erased() -> list[Erased]:
    rows = _run("SELECT subject_pid, joined_at, erased_at, kept_until FROM subject_erased ORDER BY erased_at")
    return [Erased(pid=pid, joined_at=joined, erased_at=at, kept_until=until) for pid, joined, at, until in rows]


def restricted_until(pid: str) -> str:
    """Until when what is kept of an erased person is kept; empty for everybody else."""
    rows = _run("SELECT kept_until FROM subject_erased WHERE subject_pid = %s", [pid])
    return str(rows[0][0]) if rows else ""


def forget() -> None:
    """Ask the database anew."""
    _remembered.cache_clear()


@functools.lru_cache(maxsize=10_000)
def _remembered(pid: str, retention_class: str, period: int) -> bytes | None:
    rows = _run(
        "SELECT wrapped_key FROM subject_key WHERE subject_pid = %s AND retention_class = %s",
        [pid, str(retention_class)],
    )
    if not rows or not rows[0][0]:
        return None
    try:
        return aes_key_unwrap(_wrapping_key(), bytes.fromhex(rows[0][0]))
    except InvalidUnwrap as error:
        raise KeyProblem(f"{WRAP} is not the key that the subjects' keys were wrapped with") from error


def _create(pid: str, retention_class: str) -> bytes | None:
    """None where it was destroyed. Another process may be faster: its key stands."""
    if not secrets.path(WRAP).exists():
        are_keys = _run("SELECT 1 FROM subject_key WHERE wrapped_key <> '' LIMIT 1")
        if are_keys and not secrets.path(WRAP).exists():  # looked for again: another process may have begun meanwhile
            raise KeyProblem(f"the key file {WRAP} is missing, and subjects' keys were wrapped with it")
        secrets.create(WRAP, random.token_hex(KEY_BYTES))
    wrapped = aes_key_wrap(_wrapping_key(), random.token_bytes(KEY_BYTES)).hex()
    _run("INSERT INTO subject_key VALUES (%s, %s, %s, '') ON CONFLICT DO NOTHING", [pid, str(retention_class), wrapped])
    forget()
    return _remembered(pid, retention_class, int(time.monotonic() / REMEMBERED_S))


def _wrapping_key() -> bytes:
    return bytes.fromhex(secrets.read(WRAP))


def _run(query: str, given: Sequence[str] = ()) -> list[Any]:
    _must_not_be_lost()
    with _connected() as connection:
        try:
            return _ask(connection, query, given)
        except DatabaseError:
            _make_tables(connection)
            return _ask(connection, query, given)


def _must_not_be_lost() -> None:
    """SQLite would make an empty file in place of the one that is missing: whoever is in it would look forgotten."""
    if "sqlite" in settings.SUBJECTS_DATABASE["ENGINE"] and secrets.path(WRAP).exists():
        file = Path(settings.SUBJECTS_DATABASE["NAME"])
        if not file.exists():
            raise KeyProblem(f"{file} is missing, and the key file {WRAP} is there: put back the subjects' keys")


def _ask(connection: BaseDatabaseWrapper, query: str, given: Sequence[str]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, given)
        return list(cursor.fetchall()) if query.startswith("SELECT") else []


def _make_tables(connection: BaseDatabaseWrapper) -> None:
    """Another process may be making them too."""
    with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
        for statement in SCHEMA:
            cursor.execute(statement)


@contextlib.contextmanager
def _connected() -> Iterator[BaseDatabaseWrapper]:
    """A connection for one question: neither a fork nor a pool can share it."""
    connection = ConnectionHandler({"default": settings.SUBJECTS_DATABASE}).create_connection("default")
    try:
        yield connection
    finally:
        connection.close()


@register(Tags.security, deploy=True)
def keys_are_shared(**_: Any) -> list[CheckMessage]:
    """`check --deploy`: a server for the books and a file for the keys means that each machine has keys of its own."""
    if "sqlite" in settings.SUBJECTS_DATABASE["ENGINE"] and "sqlite" not in settings.DATABASES["default"]["ENGINE"]:
        hint = "set NEXTRADE_SUBJECTS_URL to a database that every machine reaches, apart from DATABASE_URL"
        return [Warning("the keys of personal data are in a file of this machine", hint=hint, id="compliance.W002")]
    return []


def every_class() -> list[str]:
    return list(RetentionClass.values)


def moment(text: str) -> datetime:
    """A stored moment, read."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)

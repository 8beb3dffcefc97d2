"""Changes to tables that are in use. On PostgreSQL alone; elsewhere a migration has the file to itself anyway.

A change of a table waits for whoever reads it, and everybody else waits for the change: so it waits LOCK_WAIT at most,
and then fails, to be tried again. An index is built beside the writers.
"""

from typing import Any

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connections
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddIndex

LOCK_WAIT = "5s"
STATE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
IS_PARTED = "SELECT FROM pg_partitioned_table WHERE partrelid = to_regclass(%s)"


def hurry(*, using: str = "default", **_: Any) -> None:
    """Before `migrate`."""
    _wait_for_locks(using, LOCK_WAIT)


def take_time(*, using: str = "default", **_: Any) -> None:
    """After it."""
    _wait_for_locks(using, "0")


def _wait_for_locks(using: str, limit: str) -> None:
    connection = connections[using]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [limit])


class AddIndexQuietly(AddIndex):
    """CREATE INDEX CONCURRENTLY where there is such a thing. In a migration with `atomic = False`, which may fail half
    way: what is there already is kept, what is half built is built anew."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._run("database_forwards", app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        self._run("database_backwards", app_label, schema_editor, from_state, to_state)

    def _run(self, way: str, app_label: str, schema_editor: BaseDatabaseSchemaEditor, *states: Any) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql" or self._is_parted(connection, app_label):
            getattr(AddIndex, way)(self, app_label, schema_editor, *states)
            return
        if way == "database_forwards" and not schema_editor.collect_sql and self._is_built(connection):
            return
        take_time(using=connection.alias)  # it waits for old transactions, and nobody waits for it
        getattr(AddIndexConcurrently(self.model_name, self.index), way)(app_label, schema_editor, *states)
        hurry(using=connection.alias)

    def _is_parted(self, connection: Any, app_label: str) -> bool:
        """Whose parts are one month's each, and have their own indexes: CONCURRENTLY is not for the whole."""
        with connection.cursor() as cursor:
            cursor.execute(IS_PARTED, [f"{app_label}_{self.model_name}"])
            return cursor.fetchone() is not None

    def _is_built(self, connection: Any) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(STATE, [self.index.name])
            found = cursor.fetchone()
            if found and not found[0]:
                cursor.execute(f"DROP INDEX CONCURRENTLY {connection.ops.quote_name(self.index.name)}")
        return bool(found and found[0])

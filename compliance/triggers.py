"""The database's own refusal to change the trail. Installed after every migration: SQLite loses a trigger when a
migration rebuilds its table. `missing` says what is not as it should be.

What triggers cannot stop is their own removal by the table's owner; sealing and anchoring are for that.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "compliance_complianceevent"
SQLITE: Mapping[str, str] = MappingProxyType(
    {
        "compliance_event_no_update": f"""CREATE TRIGGER compliance_event_no_update BEFORE UPDATE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
        "compliance_event_no_delete": f"""CREATE TRIGGER compliance_event_no_delete BEFORE DELETE ON {TABLE}
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
        "compliance_event_only_append": f"""CREATE TRIGGER compliance_event_only_append BEFORE INSERT ON {TABLE}
WHEN EXISTS (SELECT 1 FROM {TABLE} WHERE id = NEW.id OR event_uuid = NEW.event_uuid)
BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END""",
    }
)
POSTGRESQL: Mapping[str, str] = MappingProxyType(
    {
        "compliance_event_no_change": f"""
CREATE OR REPLACE FUNCTION compliance_event_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit trail is append-only'; END $$;
DROP TRIGGER IF EXISTS compliance_event_no_change ON {TABLE};
CREATE TRIGGER compliance_event_no_change BEFORE UPDATE OR DELETE ON {TABLE}
FOR EACH ROW EXECUTE FUNCTION compliance_event_refuse();
ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER compliance_event_no_change""",
        "compliance_event_no_truncate": f"""
DROP TRIGGER IF EXISTS compliance_event_no_truncate ON {TABLE};
CREATE TRIGGER compliance_event_no_truncate BEFORE TRUNCATE ON {TABLE}
FOR EACH STATEMENT EXECUTE FUNCTION compliance_event_refuse();
ALTER TABLE {TABLE} ENABLE ALWAYS TRIGGER compliance_event_no_truncate""",
    }
)


def reinstall(*, using: str = "default", **_: Any) -> None:
    """Put every trigger in place, whatever was there. Runs after `migrate` and `flush`."""
    connection = connections[using]
    if TABLE not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        for trigger, sql in _expected(connection).items():
            if connection.vendor == "sqlite":
                cursor.execute(f"DROP TRIGGER IF EXISTS {trigger}")
            cursor.execute(sql)


def remove(*, using: str = "default") -> None:
    """Take the triggers away, as only the owner of the table can. Used by tests that empty their database."""
    connection = connections[using]
    on_table = "" if connection.vendor == "sqlite" else f" ON {TABLE}"
    with connection.cursor() as cursor:
        for trigger in _expected(connection):
            cursor.execute(f"DROP TRIGGER IF EXISTS {trigger}{on_table}")


def missing(*, using: str = "default") -> list[str]:
    """Names of the triggers that are absent, disabled or (SQLite) not as written here."""
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = %s", [TABLE])
            installed = dict(cursor.fetchall())
            return [name for name, sql in SQLITE.items() if installed.get(name) != sql]
        cursor.execute("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgenabled = 'A'", [TABLE])
        enabled = {name for (name,) in cursor.fetchall()}
    return [name for name in POSTGRESQL if name not in enabled]


def _expected(connection: BaseDatabaseWrapper) -> Mapping[str, str]:
    return SQLITE if connection.vendor == "sqlite" else POSTGRESQL

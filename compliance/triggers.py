"""The database's own refusal to change the trail. Installed after every migration: SQLite loses a trigger when a
migration rebuilds its table. `missing` says what is not as it should be.

What triggers cannot stop is their own removal by the table's owner; sealing and anchoring are for that.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

EVENT, LEAF, STATEMENT = "compliance_complianceevent", "compliance_leaf", "compliance_statement"
APPEND_ONLY = {
    EVENT: "OR event_uuid = NEW.event_uuid",
    LEAF: "OR event_id = NEW.event_id",
    "compliance_node": "OR (log, height, node_index) = (NEW.log, NEW.height, NEW.node_index)",
    "compliance_checkpoint": "",
    "compliance_anchor": "",
    STATEMENT: "",
    "compliance_receipt": "OR event_id = NEW.event_id",
}
"""Each table, and by what else than its id a row could be replaced (SQLite's INSERT OR REPLACE)."""
NEXT_LEAF = f"(SELECT COALESCE(MAX(leaf_index), -1) + 1 FROM {LEAF} WHERE log = NEW.log)"
NOT_AT_THE_TAIL = f"""
SELECT FROM (SELECT log, min(leaf_index) AS first, max(leaf_index) AS last, count(*) AS many FROM added GROUP BY log) a
WHERE last - first + 1 <> many OR last <> (SELECT max(leaf_index) FROM {LEAF} l WHERE l.log = a.log)
OR first <> (SELECT COALESCE(max(leaf_index), -1) + 1 FROM {LEAF} l WHERE l.log = a.log AND l.leaf_index < first)"""
"""Of a statement's new leaves, the logs that they do not continue. Once a statement: a look for each of a batch's rows,
by a plan made while the table was small, took minutes. (The function shuts out such a plan.)"""
IS_PURGED = (
    f"""EXISTS (SELECT 1 FROM {LEAF} JOIN {STATEMENT} ON kind = 'purge' AND subject = log WHERE event_id = OLD.id)"""
)
"""A purge of the event's log has been certified; who forges the certificate is found by `audit verify`."""

Trigger = tuple[str, str, str]
"""(table, name, SQL)"""


def _refuse(message: str) -> str:
    return f"BEGIN SELECT RAISE(ABORT, '{message}'); END"


def _sqlite() -> Iterator[Trigger]:
    refuse = _refuse("the audit trail is append-only")
    for table, or_same in APPEND_ONLY.items():
        unless_purged = f" WHEN NOT {IS_PURGED}" if table == EVENT else ""
        for event, when in (
            ("UPDATE", ""),
            ("DELETE", unless_purged),
            ("INSERT", f" WHEN EXISTS (SELECT 1 FROM {table} WHERE id = NEW.id {or_same})"),
        ):
            name = f"{table}_no_{event.lower()}" if event != "INSERT" else f"{table}_only_append"
            yield table, name, f"CREATE TRIGGER {name} BEFORE {event} ON {table}{when} {refuse}"
    name = f"{LEAF}_extends"
    must_extend = _refuse("a leaf must extend the tail")
    yield LEAF, name, f"CREATE TRIGGER {name} BEFORE INSERT ON {LEAF} WHEN NEW.leaf_index <> {NEXT_LEAF} {must_extend}"


def _postgresql() -> Iterator[Trigger]:
    for table in APPEND_ONLY:
        unless_purged = f" IF TG_OP = 'DELETE' THEN IF {IS_PURGED} THEN RETURN OLD; END IF; END IF;"
        condition = unless_purged if table == EVENT else ""
        name = f"{table}_no_change"
        yield (
            table,
            name,
            f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN{condition} RAISE EXCEPTION 'the audit trail is append-only'; END $$;
CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}""",
        )
        truncate = f"{table}_no_truncate"
        yield (
            table,
            truncate,
            f"""
CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {name}();
ALTER TABLE {table} ENABLE ALWAYS TRIGGER {truncate}""",
        )
    name = f"{LEAF}_extends"
    yield (
        LEAF,
        name,
        f"""
CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan TO off AS
$$ BEGIN IF EXISTS ({NOT_AT_THE_TAIL}) THEN RAISE EXCEPTION 'a leaf must extend the tail'; END IF; RETURN NULL; END $$;
CREATE TRIGGER {name} AFTER INSERT ON {LEAF} REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION {name}();
ALTER TABLE {LEAF} ENABLE ALWAYS TRIGGER {name}""",
    )


def reinstall(*, using: str = "default", **_: Any) -> None:
    """Put every trigger in place, whatever was there. Runs after `migrate` and `flush`."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    if not tables.issuperset(APPEND_ONLY):
        return
    remove(using=using)
    with connection.cursor() as cursor:
        for _table, _name, sql in _expected(connection):
            cursor.execute(sql)


def remove(*, using: str = "default") -> None:
    """Take the triggers away, as only the owner of the tables can. Used by tests that empty their database."""
    connection = connections[using]
    with connection.cursor() as cursor:
        for table, name in _installed(connection):
            cursor.execute(f"DROP TRIGGER {name}{'' if connection.vendor == 'sqlite' else f' ON {table}'}")


def missing(*, using: str = "default") -> list[str]:
    """Names of the triggers that are absent, disabled or not as written here."""
    connection = connections[using]
    installed = _installed(connection)
    return [name for table, name, sql in _expected(connection) if not _is_same(sql, installed.get((table, name)))]


@register(Tags.database)
def triggers_stand(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """`manage.py check --database default`, which `migrate` and the start of every process run too."""
    found = []
    for using in databases or ():
        if set(connections[using].introspection.table_names()).issuperset(APPEND_ONLY):
            found += missing(using=using)
    hint = "run manage.py migrate, find out who removed them, and run manage.py audit verify"
    return [Error(f"the trail is unguarded: {', '.join(found)}", hint=hint, id="compliance.E001")] if found else []


def _is_same(sql: str, installed: str | None) -> bool:
    """SQLite keeps the statement. PostgreSQL's catalogue gives function, definition and whether it always fires."""
    if installed is None or "\x1f" not in installed:
        return installed == sql
    body = sql.split("$$")[1] if "$$" in sql else ""
    statement = sql.split("CREATE TRIGGER ")[1].split(";")[0]
    source, definition, enabled = installed.split("\x1f")
    return enabled == "A" and (not body or body == source) and _words(statement) == _words(definition)


def _words(definition: str) -> set[str]:
    """Of a trigger's definition, whose order of events PostgreSQL chooses itself."""
    text = definition.removeprefix("CREATE TRIGGER ").replace("public.", "")
    return set(text.split())


def _installed(connection: BaseDatabaseWrapper) -> dict[tuple[str, str], str]:
    """What stands on the trail's tables, by (table, name)."""
    tables = list(APPEND_ONLY)
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            places = ", ".join(["%s"] * len(tables))
            cursor.execute(
                f"SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({places})",
                tables,
            )
        else:
            cursor.execute(
                "SELECT relname, tgname, concat_ws(E'\\x1f', prosrc, pg_get_triggerdef(t.oid), tgenabled::text)"
                " FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid JOIN pg_proc p ON p.oid = tgfoid"
                " WHERE NOT tgisinternal AND relname = ANY(%s) AND pg_table_is_visible(c.oid)",
                [tables],
            )
        return {(table, name): sql for table, name, sql in cursor.fetchall()}


def _expected(connection: BaseDatabaseWrapper) -> Iterator[Trigger]:
    return _sqlite() if connection.vendor == "sqlite" else _postgresql()

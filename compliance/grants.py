"""The roles of a PostgreSQL installation: who migrates owns, who serves may only append, who seals may only extend.

`manage.py audit grants` prints the statements, to be run by the owner after each migration.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import connections

from compliance.triggers import APPEND_ONLY, EVENT

APP, SEALER = "nextrade_app", "nextrade_sealer"
SEALER_WRITES = tuple(table for table in APPEND_ONLY if table != EVENT)


def statements() -> Iterator[str]:
    """Safe to repeat. Column grants leave out the id, so that nobody but the database numbers a row."""
    trail = ", ".join(APPEND_ONLY)
    for role in (APP, SEALER):
        yield (
            f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; "
            "END $$"
        )
        yield f"GRANT USAGE ON SCHEMA public TO {role}"
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}"
    yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP}"
    yield f"REVOKE ALL ON {trail} FROM {APP}"
    yield f"GRANT SELECT ON {trail} TO {APP}"
    yield f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {SEALER}"
    yield f"GRANT INSERT, UPDATE ON ops_heartbeat TO {SEALER}"
    yield f"GRANT EXECUTE ON FUNCTION agents_modelcall_add_month(date) TO {APP}"
    for role, tables in ((APP, (EVENT,)), (SEALER, (EVENT, *SEALER_WRITES))):
        for table in tables:
            yield f"GRANT INSERT ({', '.join(_columns(table))}) ON {table} TO {role}"


@register(Tags.database)
def role_fits(*, databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn where the process could do to the trail what only triggers then stop."""
    for using in databases or ():
        if connections[using].vendor == "postgresql" and _may_change(using):
            hint = "run the processes as the roles of manage.py audit grants, and migrations as the owner"
            return [Warning("this database role may change the trail's tables", hint=hint, id="compliance.W001")]
    return []


def _may_change(using: str) -> bool:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(has_table_privilege(oid, 'UPDATE, DELETE, TRUNCATE')) FROM pg_class"
            " WHERE relname = ANY(%s)",
            [list(APPEND_ONLY)],
        )
        return bool(cursor.fetchone()[0])


def _columns(table: str) -> list[str]:
    model = next(model for model in apps.get_app_config("compliance").get_models() if model._meta.db_table == table)
    return [str(field.column) for field in model._meta.concrete_fields if not field.primary_key]

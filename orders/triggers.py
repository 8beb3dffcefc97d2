"""The database's own refusal of a move that is not in the table, so that no `update()` by hand can make one.

Installed after every migration, from `transitions.TABLE`: SQLite loses a trigger when a migration rebuilds its table.
"""

from typing import Any

from django.db import connections

from orders import transitions

NAME = "orders_order_edges"


def reinstall(*, using: str = "default", **_: Any) -> None:
    """Put the trigger in place as the table of moves has it now."""
    connection = connections[using]
    if "orders_order" not in connection.introspection.table_names():
        return
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER IF EXISTS {NAME}{'' if connection.vendor == 'sqlite' else ' ON orders_order'}")
        cursor.execute(_sqlite() if connection.vendor == "sqlite" else _postgresql())


def _is_illegal() -> str:
    edges = sorted({f"'{source}>{target}'" for (source, _), target in transitions.TABLE.items()})
    return f"OLD.status <> NEW.status AND OLD.status || '>' || NEW.status NOT IN ({', '.join(edges)})"


def _sqlite() -> str:
    return f"""CREATE TRIGGER {NAME} BEFORE UPDATE OF status ON orders_order WHEN {_is_illegal()}
BEGIN SELECT RAISE(ABORT, 'illegal transition of an order'); END"""


def _postgresql() -> str:
    return f"""
CREATE OR REPLACE FUNCTION {NAME}() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'illegal transition of an order'; END $$;
CREATE TRIGGER {NAME} BEFORE UPDATE OF status ON orders_order
FOR EACH ROW WHEN ({_is_illegal()}) EXECUTE FUNCTION {NAME}();
ALTER TABLE orders_order ENABLE ALWAYS TRIGGER {NAME}"""

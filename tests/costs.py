"""What a piece of work asks of the database: how many statements, and whether indexes answer them."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import connection
from django.test.utils import CaptureQueriesContext

FRAMING = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
LONG = ("orders_order", "orders_execution", "compliance_complianceevent", "compliance_leaf", "compliance_node")
"""Tables that grow for ever."""


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that were run, without those that frame transactions; filled at the end."""
    found: list[str] = []
    with CaptureQueriesContext(connection) as captured:
        yield found
    found += [query["sql"] for query in captured if not query["sql"].startswith(FRAMING)]


def read_whole(asked: Sequence[str], tables: Sequence[str] = LONG) -> list[str]:
    """Of the statements, the steps that read one of the tables from end to end, in the database's own words.

    PostgreSQL is told that such a read is dear, since it would choose it for the few rows of a test.
    """
    is_sqlite = connection.vendor == "sqlite"
    found = []
    with connection.cursor() as cursor:
        if not is_sqlite:
            cursor.execute("SET LOCAL enable_seqscan = off")
        for sql in asked:
            if sql.startswith("INSERT"):
                continue
            cursor.execute(f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{sql}")
            for step in (str(row[-1]).strip() for row in cursor.fetchall()):
                whole = re.search(r"^SCAN (\w+)(?! USING)|Seq Scan on (\w+)", step)
                if whole and set(whole.groups()) & set(tables):
                    found.append(f"{step}: {sql}")
        if not is_sqlite:
            cursor.execute("SET LOCAL enable_seqscan = on")
    return found

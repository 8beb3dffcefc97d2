"""`db explain`: how the database would answer each hot query, and whether it would read a big table from end to end.

SQLite plans by the indexes that there are. PostgreSQL reads a small table whole because that is cheaper, so it is asked
with full scans made dear; what it then still reads without a condition on an index, it would read whole at any size.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from nextrade.ops.care.hot_queries import BIG, HOT, HotQuery

SQLITE_SCAN = re.compile(r"^SCAN (?P<table>\S+)(?: USING (?:COVERING )?INDEX (?P<index>\S+))?")

DEAR = ("seqscan", "hashjoin", "mergejoin")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """steps: the database's own words. scans: the big tables that it reads from end to end."""

    query: HotQuery
    steps: tuple[str, ...]
    scans: tuple[str, ...]


def plans(*, at: datetime, queries: Iterable[HotQuery] = HOT) -> list[Plan]:
    explain = _of_sqlite if connection.vendor == "sqlite" else _of_postgresql
    with transaction.atomic():
        return [explain(query, at) for query in queries]


def _of_sqlite(query: HotQuery, at: datetime) -> Plan:
    told = query.ask(at).explain().splitlines()
    steps = tuple(re.sub(r"^(\d+ ){3}", "", line).strip() for line in told)
    may_walk = query.may_walk and not any("TEMP B-TREE" in step for step in steps)
    walked = filter(None, map(SQLITE_SCAN.match, steps))
    scans = [step["table"] for step in walked if step["table"] in BIG and step["index"] not in _partial_indexes()]
    return Plan(query=query, steps=steps, scans=() if may_walk else tuple(scans))


def _of_postgresql(query: HotQuery, at: datetime) -> Plan:
    """Where a list is to be read by its order, sorting all of it is dear too."""
    with connection.cursor() as cursor:
        cursor.execute("".join(f"SET LOCAL enable_{way} = off;" for way in DEAR))
        cursor.execute(f"SET LOCAL enable_sort = {'off' if query.may_walk else 'on'}")
    root = json.loads(query.ask(at).explain(format="json"))[0]["Plan"]
    nodes = list(_nodes(root))
    sorts = any(node["Node Type"] == "Sort" for node in nodes)
    may_walk = query.may_walk and not sorts
    scans = [
        node["Relation Name"]
        for node in nodes
        if node.get("Relation Name") in BIG and _is_whole(node) and not (may_walk and "Index" in node["Node Type"])
    ]
    return Plan(query=query, steps=tuple(map(_told, nodes)), scans=tuple(scans))


def _is_whole(node: dict[str, Any]) -> bool:
    """The bitmap that a heap is read by has its own condition."""
    if node["Node Type"] == "Seq Scan":
        return True
    is_partial = node.get("Index Name") in _partial_indexes()
    return node["Node Type"].startswith("Index") and "Index Cond" not in node and not is_partial


def _partial_indexes() -> set[str]:
    """Each is a condition by itself: what it holds is few."""
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'",
        "postgresql": "SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL",
    }
    with connection.cursor() as cursor:
        cursor.execute(asked[connection.vendor])
        return {str(row[0]) for row in cursor.fetchall()}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _told(node: dict[str, Any]) -> str:
    shown = (node["Node Type"], node.get("Relation Name"), node.get("Index Name"), node.get("Index Cond"))
    return " ".join(str(part) for part in shown if part)

"""`db check`: whether the databases are whole, and say the same as themselves and as the trail.

A file that is broken is not mended: VACUUM and .recover fail on what is malformed. What helps is a verified backup.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, DecimalField, Exists, F, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents.models import Message
from compliance import verify
from nextrade.ops.care.finding import Finding, Verdict
from orders.models import COMMITTED, Approval, Execution, Order, Position, Status

MOST = 5
RESTORE = "manage.py backup verify latest, then backup restore latest; VACUUM and .recover do not mend a broken file"
WENT_OUT = Q(status__in=(*COMMITTED, Status.FILLED)) | Q(cum_qty__gt=0)
SHARES = DecimalField(max_digits=24, decimal_places=6)


def check(*, is_full: bool = False) -> list[Finding]:
    """is_full: all of the trail, not only what was sealed in the last two hours."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (_files if settings.SQLITE else _server, _rows)
    found = [finding for look in looks for finding in _safely(look)]
    if any(each.verdict == Verdict.FAIL for each in found):
        return found  # what reads a broken database finds what is broken once more
    return [*found, *_safely(lambda: _trail(is_full=is_full))]


def files() -> dict[str, Path]:
    """The SQLite files of this installation, by what they hold. The subjects' keys always lie in one of theirs."""
    found = {"subjects": Path(settings.SUBJECTS_DATABASE["NAME"])}
    if settings.SQLITE:
        found = {
            "database": Path(str(connection.settings_dict["NAME"])),
            "checkpoints": Path(settings.DATA_DIR) / "checkpoints.sqlite3",
            **found,
        }
    return {name: file for name, file in found.items() if name == "database" or file.exists()}


def file_problems(file: Path) -> list[str]:
    """What SQLite itself finds wrong with a file, at most a few; it is opened to be read alone."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=20)) as opened:
            said = [str(row[0]) for row in opened.execute(f"PRAGMA integrity_check({MOST})")]
            if said != ["ok"]:
                return said
            torn = opened.execute("PRAGMA foreign_key_check").fetchmany(MOST)
            return [
                f"row {row} of {table} points to a row of {parent} that is not there" for table, row, parent, _ in torn
            ]
    except sqlite3.DatabaseError as error:
        return [str(error)]


def _safely(look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except DatabaseError as error:
        first = str(error).strip().partition("\n")[0][:200]
        yield Finding(what="database", verdict=Verdict.FAIL, said=f"cannot be read: {first}", next_step=RESTORE)


def _files() -> Iterator[Finding]:
    for name, file in files().items():
        wrong = file_problems(file) if file.exists() else ["the file is missing"]
        if wrong:
            yield Finding(what=name, verdict=Verdict.FAIL, said="; ".join(wrong)[:500], next_step=RESTORE)
        else:
            yield Finding(what=name, verdict=Verdict.OK, said="integrity and foreign keys")


def _server() -> Iterator[Finding]:
    """amcheck where it is installed: every B-tree against its rules, every table's pages."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE NOT convalidated")
        for table, name in cursor.fetchall():
            yield Finding(what=f"{table}.{name}", verdict=Verdict.FAIL, said="a constraint that was never validated")
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
        for (index,) in cursor.fetchall():
            yield Finding(what=index, verdict=Verdict.FAIL, said="an invalid index", next_step=f"REINDEX INDEX {index}")
        cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'")
        is_there = cursor.fetchone()
    yield from _amcheck() if is_there else _no_amcheck()


def _no_amcheck() -> Iterator[Finding]:
    step = "as the server's superuser, in this database: CREATE EXTENSION amcheck"
    yield Finding(what="amcheck", verdict=Verdict.UNKNOWN, said="is not installed: pages are unseen", next_step=step)


def _amcheck() -> Iterator[Finding]:
    wrong = []
    for kind, call in (
        ("i", "SELECT bt_index_check(%s::regclass)"),
        ("r", "SELECT msg FROM verify_heapam(%s::regclass)"),
    ):
        for name in _relations(kind):
            try:
                with connection.cursor() as cursor:
                    cursor.execute(call, [name])
                    said = [str(row[0]) for row in cursor.fetchmany(MOST)] if kind == "r" else []
            except DatabaseError as error:
                said = [str(error).strip().partition("\n")[0][:200]]
            wrong += [f"{name}: {each}" for each in said]
    if wrong:
        yield Finding(what="amcheck", verdict=Verdict.FAIL, said="; ".join(wrong[:MOST]), next_step=RESTORE)
    else:
        yield Finding(what="amcheck", verdict=Verdict.OK, said="every index and table of ours")


def _relations(kind: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_am a ON a.oid = c.relam "
            "WHERE n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema') "
            "AND c.relkind = %s AND c.relpersistence = 'p' AND (c.relkind = 'r' OR a.amname = 'btree') ORDER BY 1",
            [kind],
        )
        return [str(row[0]) for row in cursor.fetchall()]


def contradictions() -> dict[str, QuerySet[Order] | QuerySet[Execution] | QuerySet[Message] | QuerySet[Position]]:
    """Rows that cannot be, by what is wrong with them: no foreign key and no constraint would notice."""
    sold = Execution.objects.filter(order=OuterRef("pk")).order_by().values("order")
    filled = Coalesce(sold.annotate(sum=Sum("quantity")).values("sum"), Value(0), output_field=SHARES)
    held = Execution.objects.filter(account=OuterRef("account"), symbol=OuterRef("symbol"))
    return {
        "orders that were sent with nobody's approval": Order.objects.filter(
            WENT_OUT, ~Exists(Approval.objects.filter(order=OuterRef("pk")))
        ),
        "orders whose executions do not add up": Order.objects.annotate(filled=filled).exclude(filled=F("cum_qty")),
        "executions booked to another account than their order's": Execution.objects.exclude(
            account=F("order__account")
        ),
        "positions that no execution made": Position.objects.exclude(quantity=0).filter(~Exists(held)),
        "messages about an order that is not there": Message.objects.exclude(order_id=None).filter(
            ~Exists(Order.objects.filter(pk=OuterRef("order_id")))
        ),
    }


def _rows() -> Iterator[Finding]:
    wrong = {}
    for what, rows in contradictions().items():
        if number := rows.aggregate(number=Count("pk"))["number"]:
            wrong[what] = number
            first = ", ".join(str(key) for key in rows.order_by("pk").values_list("pk", flat=True)[:MOST])
            step = "manage.py books compare; manage.py audit verify; find out who wrote to the database"
            yield Finding(what=what, verdict=Verdict.FAIL, said=f"{number}: {first}", next_step=step)
    if not wrong:
        yield Finding(what="rows", verdict=Verdict.OK, said="orders, approvals, executions and messages agree")


def _trail(*, is_full: bool) -> Iterator[Finding]:
    since = None if is_full else timezone.now() - verify.RECENT
    report = verify.verify(since=since, processes=None if is_full else 1)
    said = f"{report.events} events, {report.leaves} leaves, {report.unsealed} not sealed yet"
    if report.faults:
        first = report.as_json()["first_fault"]
        step = "docs/audit.md; manage.py audit verify for all of it"
        yield Finding(what="trail", verdict=Verdict.FAIL, said=f"{len(report.faults)} faults: {first}", next_step=step)
    else:
        yield Finding(what="trail", verdict=Verdict.OK, said=said)

"""`db optimize`: give back room and refresh what the planner knows, without stopping anybody.

SQLite's VACUUM writes the whole file anew under a lock that nobody can write under, and needs twice its room: only
where a fifth of the file is empty, where there is room, and while the exchange is closed.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from nextrade.ops.care import integrity
from nextrade.ops.care.finding import Finding, Verdict
from orders import market

EMPTY_PCT = 20
ROOM = 2
WAIT_S = 30


def optimize(*, at: datetime, is_now: bool = False) -> list[Finding]:
    """is_now: VACUUM though the exchange is open."""
    may_lock = is_now or not market.is_open(at)
    found = [_tidied(name, file, may_lock=may_lock) for name, file in integrity.files().items() if file.exists()]
    return found if settings.SQLITE else [*found, *_vacuumed()]


def _tidied(name: str, file: Path, *, may_lock: bool) -> Finding:
    before = _bytes(file)
    try:
        with closing(sqlite3.connect(file, timeout=WAIT_S, isolation_level=None)) as opened:
            opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            opened.execute("PRAGMA optimize").fetchall()
            why_not = _why_no_vacuum(opened, file, may_lock=may_lock)
            if not why_not:
                opened.execute("VACUUM")
                opened.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except sqlite3.Error as error:
        return Finding(what=name, verdict=Verdict.FAIL, said=str(error), next_step="manage.py db check")
    said = f"{before} -> {_bytes(file)} bytes" + (f"; no VACUUM: {why_not}" if why_not else "; VACUUM")
    return Finding(what=name, verdict=Verdict.OK, said=said)


def _why_no_vacuum(opened: sqlite3.Connection, file: Path, *, may_lock: bool) -> str:
    pages = opened.execute("PRAGMA page_count").fetchone()[0]
    empty = opened.execute("PRAGMA freelist_count").fetchone()[0]
    pct = 100 * empty / max(pages, 1)
    if pct <= EMPTY_PCT:
        return f"{pct:.0f} % of its pages are empty"
    if shutil.disk_usage(file.parent).free < ROOM * file.stat().st_size:
        return f"it takes {ROOM} times the file's size, and the disk has less"
    return "" if may_lock else "the exchange is open (--now does it all the same)"


def stored_bytes() -> int:
    """What the main database takes on its disk."""
    if connection.vendor == "sqlite":
        return _bytes(Path(str(connection.settings_dict["NAME"])))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _bytes(file: Path) -> int:
    return sum(each.stat().st_size for each in file.parent.glob(f"{file.name}*") if each.name != f"{file.name}-shm")


def _vacuumed() -> Iterator[Finding]:
    """Every table that we may; PostgreSQL's plain VACUUM lets others read and write."""
    before = stored_bytes()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    yield Finding(what="database", verdict=Verdict.OK, said=f"{before} -> {stored_bytes()} bytes; VACUUM (ANALYZE)")

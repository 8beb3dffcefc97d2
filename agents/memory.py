"""Where the supervisor remembers conversations: a database of its own, apart from the books.

SQLite beside the data, or on PostgreSQL the schema `checkpoints` of the same server, which no other table lives in.
"""

import fcntl
import functools
import sqlite3
import time
from typing import Any

from django.conf import settings
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg import Connection
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

SCHEMA = "checkpoints"


@functools.cache
def checkpointer() -> BaseCheckpointSaver[Any]:
    """This process's saver, its tables made if they are missing."""
    return _sqlite() if settings.SQLITE else _postgresql()


def _sqlite() -> BaseCheckpointSaver[Any]:
    connection = sqlite3.connect(settings.DATA_DIR / "checkpoints.sqlite3", timeout=20, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")  # a crash may cost the last words of a talk, never an order
    saver = SqliteSaver(connection)
    with (settings.DATA_DIR / "checkpoints.lock").open("w") as lock:  # two processes that set up at once find it locked
        fcntl.flock(lock, fcntl.LOCK_EX)
        saver.setup()
    return saver


def _conninfo() -> str:
    database = settings.DATABASES["default"]
    return make_conninfo(
        "",
        **settings.DB_LINE,
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        options=f"-c search_path={SCHEMA} {settings.DB_LINE_THERE}",
    )


def _postgresql() -> BaseCheckpointSaver[Any]:
    conninfo = _conninfo()
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    check = ConnectionPool.check_connection
    saver = PostgresSaver(ConnectionPool(conninfo, kwargs=options, check=check, open=True, **settings.MEMORY_POOL))
    with Connection.connect(conninfo, autocommit=True) as connection:
        while not _is_our_turn(connection):
            time.sleep(0.1)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        saver.setup()
    return saver


def _is_our_turn(connection: Connection[Any]) -> bool:
    """Asked again and again: `setup` builds an index concurrently, which waits for whoever waits in a lock's queue."""
    row = connection.execute("SELECT pg_try_advisory_lock(hashtext('nextrade.checkpoints'))").fetchone()
    return bool(row and row[0])


def prune() -> int:
    """Drop all but the newest checkpoint of each conversation, which is all that is ever read; how many rows."""
    saver = checkpointer()
    if isinstance(saver, SqliteSaver):
        return _prune_sqlite(saver)
    assert isinstance(saver, PostgresSaver)
    with Connection.connect(_conninfo(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT thread_id, count(*) - 1 FROM checkpoints GROUP BY thread_id, checkpoint_ns HAVING count(*) > 1"
        ).fetchall()
    saver.prune([row[0] for row in rows])
    return sum(row[1] for row in rows)


def _prune_sqlite(saver: SqliteSaver) -> int:
    newest = "SELECT thread_id, checkpoint_ns, max(checkpoint_id) FROM checkpoints GROUP BY thread_id, checkpoint_ns"
    with saver.lock, saver.conn:
        saver.conn.execute(f"DELETE FROM writes WHERE (thread_id, checkpoint_ns, checkpoint_id) NOT IN ({newest})")
        old = f"DELETE FROM checkpoints WHERE (thread_id, checkpoint_ns, checkpoint_id) NOT IN ({newest})"
        return saver.conn.execute(old).rowcount

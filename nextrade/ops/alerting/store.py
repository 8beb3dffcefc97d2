"""alertd's own small SQLite: what it must still know after a restart, without asking the main database for anything.

Context: the watch must work while the database is lost, and while the disk under this very file is full. Choice: all
that it needs is in memory, and written here after each look in one transaction; a write that fails is made up for by
the next one. Cost: who is killed while the disk is full has forgotten what happened since.
"""

import json
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from nextrade.ops.alerting.outbox import Delivery, Status
from nextrade.ops.alerting.samples import Memory
from nextrade.ops.alerting.series import NAME, Labels
from nextrade.ops.alerting.states import OPEN, Alert

log = logging.getLogger(__name__)
STORE = "alertd.sqlite3"
KEEP_S = 26 * 3600.0
"""Raw samples: a day for who looks back by hand, and the longest window of a rule."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, labels TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS sample (
  series_id INTEGER NOT NULL, at_ms INTEGER NOT NULL, value REAL, PRIMARY KEY (series_id, at_ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sample_age (at_ms INTEGER PRIMARY KEY);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS delivery (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (seq INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
PUT_STATE = "INSERT INTO state VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body"
PUT_DELIVERY = "INSERT INTO delivery VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"
PUT_SAMPLE = "INSERT OR REPLACE INTO sample VALUES (?, ?, ?)"


def glimpse(path: Path) -> list[Alert]:
    """What is open by the store of an alertd that may be at work on it; nothing where there is no store."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as db:
            row = db.execute("SELECT body FROM state WHERE name = 'engine'").fetchone()
    except sqlite3.Error:
        return []
    known = (Alert.from_json(facts) for facts in json.loads(row[0])["known"]) if row else ()
    return [alert for alert in known if alert.state in OPEN]


class Store:
    """One file, one owner. A file that is not a database is put aside and begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ids: dict[Labels, int] = {}
        self._is_failing = False
        self._db = self._open()

    def close(self) -> None:
        self._db.close()

    def state(self) -> dict[str, Any]:
        """What `save` was last given by name."""
        return {name: json.loads(body) for name, body in self._db.execute("SELECT name, body FROM state")}

    def deliveries(self) -> list[Delivery]:
        rows = self._db.execute("SELECT body FROM delivery ORDER BY id")
        return [Delivery.from_json(json.loads(body)) for (body,) in rows]

    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(body) for (body,) in self._db.execute("SELECT body FROM journal ORDER BY seq")]

    def last_s(self) -> float:
        """The moment of the newest sample, 0 without any."""
        (newest,) = self._db.execute("SELECT max(at_ms) FROM sample_age").fetchone()
        return (newest or 0) / 1000

    def fill(self, memory: Memory) -> None:
        """Give back the samples that rules look back on."""
        newest_ms = round(self.last_s() * 1000)
        for series_id, text in self._db.execute("SELECT id, labels FROM series").fetchall():
            labels = tuple((name, value) for name, value in json.loads(text))
            self._ids[labels] = series_id
            since_ms = newest_ms - round(memory.reach_s.get(dict(labels)[NAME], 0) * 1000)
            rows = self._db.execute(
                "SELECT at_ms, value FROM sample WHERE series_id = ? AND at_ms >= ? ORDER BY at_ms",
                (series_id, since_ms),
            )
            for at_ms, value in rows if dict(labels)[NAME] in memory.reach_s else ():
                memory.add(labels, at_ms / 1000, value)

    def save(
        self,
        state: dict[str, Any],
        *,
        samples: Iterable[tuple[Labels, float, float | None]] = (),
        deliveries: Iterable[Delivery] = (),
        journal: Iterable[dict[str, Any]] = (),
        heard_seq: int = 0,
    ) -> bool:
        """All in one transaction; whether it stands. heard_seq: up to which the journal need not be kept."""
        try:
            with self._transaction():
                self._db.executemany(PUT_STATE, [(name, json.dumps(body)) for name, body in state.items()])
                self._put_samples(samples)
                for delivery in deliveries:
                    self._put_delivery(delivery)
                rows = [(entry["seq"], json.dumps(entry)) for entry in journal]
                self._db.executemany("INSERT OR REPLACE INTO journal VALUES (?, ?)", rows)
                self._db.execute("DELETE FROM journal WHERE seq <= ?", (heard_seq,))
        except sqlite3.Error as error:
            if not self._is_failing:
                log.critical("alertd cannot write its store, and goes on from memory: %s", error)
            self._is_failing = True
            self._ids.clear()
            return False
        self._is_failing = False
        return True

    def prune(self, before_s: float) -> None:
        """Drop raw samples from before then; a little at a time, since each look calls it."""
        before_ms = round(before_s * 1000)
        old = [at for (at,) in self._db.execute("SELECT at_ms FROM sample_age WHERE at_ms < ? LIMIT 20", (before_ms,))]
        with suppress(sqlite3.Error), self._transaction():
            for at_ms in old:
                self._db.execute(
                    "DELETE FROM sample WHERE at_ms = ? AND series_id IN (SELECT id FROM series)", (at_ms,)
                )
                self._db.execute("DELETE FROM sample_age WHERE at_ms = ?", (at_ms,))

    def _put_samples(self, samples: Iterable[tuple[Labels, float, float | None]]) -> None:
        rows = [(self._id(labels), round(at_s * 1000), value) for labels, at_s, value in samples]
        self._db.executemany(PUT_SAMPLE, rows)
        self._db.executemany("INSERT OR IGNORE INTO sample_age VALUES (?)", {(at_ms,) for _, at_ms, _ in rows})

    def _put_delivery(self, delivery: Delivery) -> None:
        if delivery.status == Status.WAITING:
            self._db.execute(PUT_DELIVERY, (delivery.id, json.dumps(delivery.to_json())))
        else:
            self._db.execute("DELETE FROM delivery WHERE id = ?", (delivery.id,))

    def _id(self, labels: Labels) -> int:
        if labels not in self._ids:
            text = json.dumps(labels)
            self._db.execute("INSERT OR IGNORE INTO series (labels) VALUES (?)", (text,))
            (self._ids[labels],) = self._db.execute("SELECT id FROM series WHERE labels = ?", (text,)).fetchone()
        return self._ids[labels]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            return self._connect(str(self._path))
        except sqlite3.OperationalError as error:
            log.critical("alertd cannot open its store (%s), and works from memory alone", error)
            return self._connect(":memory:")
        except sqlite3.DatabaseError as error:
            log.critical("alertd's store is damaged (%s): put aside, begun anew", error)
            for suffix in ("-wal", "-shm"):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
            self._path.rename(self._path.with_suffix(".damaged"))
            return self._connect(str(self._path))

    def _connect(self, path: str) -> sqlite3.Connection:
        db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.executescript(SCHEMA)
        return db

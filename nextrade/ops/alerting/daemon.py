"""alertd: looks every 15 seconds, evaluates, has people told. One thread owns the state; slow things have their own.

What it needs of the main database it asks for in passing (`books`); nothing waits for that.
"""

import fcntl
import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import DatabaseError

from nextrade import witness
from nextrade.errors import Unavailable
from nextrade.ops import rules
from nextrade.ops.alerting import books, channels, measures, modes, scrape
from nextrade.ops.alerting.channels import heartbeat
from nextrade.ops.alerting.clock import Clock
from nextrade.ops.alerting.engine import Engine
from nextrade.ops.alerting.outbox import Outbox
from nextrade.ops.alerting.raised import Event
from nextrade.ops.alerting.scrape import Reading, Scrape
from nextrade.ops.alerting.store import KEEP_S, STORE, Store
from nextrade.ops.alerting.workers import Answer, Worker, send

log = logging.getLogger(__name__)
LOOK_EVERY_S = 15.0
EXCHANGE_EVERY_S = 5.0
TICK_S = 0.25
MOST_JOURNAL = 5000
SILENT_S = 120.0
"""Without a look for so long the watch is no watch."""


class AlreadyRunning(Unavailable):
    """Another alertd works on this data directory."""

    code = "alertd_running"


class Daemon:
    """speed: how many times faster than the world its clock runs, for drills."""

    def __init__(self, folder: Path, *, mode: str, speed: float = 1) -> None:
        self._lock = _lock(folder)
        self._store = Store(folder / STORE)
        saved = self._store.state()
        self._clock = Clock(floor_s=self._store.last_s(), speed=speed)
        self._mode = mode
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._name = str(saved.get("name") or uuid.uuid4().hex)
        self._inbox: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._engine = self._revived(saved)
        self._seen: set[int] = set(saved.get("seen", ()))
        self._since: int | None = saved.get("since")
        self._thresholds: dict[str, float] = saved.get("thresholds", {})
        self._is_noted, self._is_reaching = False, True
        self._looked_s = 0.0
        self._to_tell: dict[int, dict[str, Any]] = {}
        self._measure: dict[str, Any] | None = None
        self._status = ""
        self._problem: Exception | None = None
        self._next_s = dict.fromkeys(("look", "exchange", "heartbeat", "measure"), 0.0)
        self._workers = {name: Worker(name, work, self._inbox) for name, work in self._jobs().items()}

    def run(self, stop: threading.Event) -> None:
        """Until stopped. Raises books.Taken when another engine turns out to be at work."""
        try:
            while not stop.is_set():
                self._read_inbox()
                self._hand_out()
                if self._problem:
                    raise self._problem
                stop.wait(TICK_S)
        finally:
            self._save(())
            self._store.close()
            if not isinstance(self._problem, books.Taken):
                books.release(self._holder)
            self._lock.close()

    def _jobs(self) -> dict[str, Any]:
        return {
            "look": lambda names: modes.read() if self._mode == "prometheus" else scrape.look(_target(), names),
            "exchange": self._exchange,
            "heartbeat": lambda _: heartbeat.beat(),
            "alertmanager": modes.post,
            **dict.fromkeys(channels.CHANNELS, send),
        }

    def _revived(self, saved: dict[str, Any]) -> Engine:
        is_telling = self._mode == "embedded"
        outbox = Outbox(configured=channels.configured() if is_telling else ())
        outbox.deliveries = {each.id: each for each in self._store.deliveries()} if is_telling else {}
        engine = Engine(
            rules=rules.catalogue(saved.get("thresholds")),
            inhibitions=rules.INHIBITIONS,
            outbox=outbox,
            extra=measures.EXPRESSIONS,
        )
        if "engine" in saved:
            engine.load(saved["engine"])
        engine.journal = self._store.journal()
        self._store.fill(engine.memory)
        return engine

    def _hand_out(self) -> None:
        """Give every worker that is free what is due for it."""
        at_s = self._clock.now()
        if self._is_due("look", at_s, LOOK_EVERY_S):
            self._workers["look"].hand(frozenset(self._engine.memory.reach_s))
        if self._is_due("exchange", at_s, EXCHANGE_EVERY_S):
            self._workers["exchange"].hand(self._told())
        if settings.HEARTBEAT_URL and self._may_beat() and self._is_due("heartbeat", at_s, heartbeat.EVERY_S):
            self._workers["heartbeat"].hand(None)
        for delivery in self._engine.outbox.due(at_s):
            worker = self._workers[delivery.channel]
            if not worker.is_busy:
                delivery.is_under_way = True
                worker.hand(delivery)

    def _is_due(self, worker: str, at_s: float, every_s: float) -> bool:
        if self._workers[worker].is_busy or at_s < self._next_s[worker]:
            return False
        following_s = self._next_s[worker] + every_s
        self._next_s[worker] = following_s if following_s > at_s else at_s + every_s
        return True

    def _may_beat(self) -> bool:
        """The switch is held down only while an alert could be told: by rules that run and a channel that takes."""
        outbox = self._engine.outbox
        is_looking = self._clock.now() - self._looked_s < SILENT_S
        return (
            is_looking
            and self._engine.is_beating
            and (self._mode != "embedded" or any(map(outbox.is_well, outbox.configured)))
        )

    def _read_inbox(self) -> None:
        while True:
            try:
                answer = self._inbox.get_nowait()
            except queue.Empty:
                return
            self._workers[answer.worker].is_busy = False
            if answer.worker == "look" and self._mode == "prometheus":
                self._copied(answer)
            elif answer.worker == "look":
                self._looked(answer.result or Scrape(answers=False, problem=str(answer.error)))
            elif answer.worker == "exchange":
                self._exchanged(answer)
            elif answer.worker in channels.CHANNELS:
                self._engine.settle(answer.result, at_s=self._clock.now())
                self._save(())
            elif answer.error or answer.result:
                log.warning("%s: %s", answer.worker, answer.error or answer.result)

    def _looked(self, seen: Scrape) -> None:
        """One round: samples, rules, notices, store."""
        at_s = self._looked_s = self._clock.now()
        self._say(seen)
        if step_s := self._clock.step_s():
            self._engine.raise_(Event(id=0, name="clock_stepped", details={"seconds": f"{step_s:+.0f}"}), at_s)
        touched = self._engine.take(seen, self._own(), at_s)
        changes = self._engine.evaluate(at_s=at_s, at=time.time())
        for change in changes:
            log.warning("%s is %s: %s", change.alert.rule, change.alert.state, change.alert.text)
        if self._mode == "alertmanager" and not self._workers["alertmanager"].is_busy:
            self._workers["alertmanager"].hand(modes.alerts(self._engine, changes, at=time.time()))
        if at_s >= self._next_s["measure"]:
            self._measure = measures.taken(self._engine.memory, at_s, at=time.time())
            self._next_s["measure"] = at_s + measures.EVERY_S
        last = self._engine.memory.last
        self._save([(labels, *last(labels)) for labels in touched])
        self._store.prune(at_s - KEEP_S)

    def _copied(self, answer: Answer) -> None:
        """One round where a Prometheus watches: what it found is written down."""
        if answer.error:
            log.warning("Prometheus does not answer: %s", type(answer.error).__name__)
        self._looked_s = self._clock.now()
        found = answer.result and {
            rule.name: modes.vector(rule, answer.result.get(rule.name, ())) for rule in self._engine.rules
        }
        self._engine.copy(found, at_s=self._clock.now(), at=time.time())
        self._save(())

    def _say(self, seen: Scrape) -> None:
        """The guide's two lines, once each time that it changes."""
        status = seen.status if seen.answers else "silent"
        if status != self._status and not seen.answers:
            log.error("Health check failed: %s", seen.problem)
        elif status != self._status and status != "healthy":
            log.warning("System degraded: %s", {"status": status, "components": dict(seen.components)})
        elif seen.readings is None:
            log.warning("Metrics are not read: %s", seen.problem)
        self._status = status

    def _own(self) -> Iterable[Reading]:
        for channel, failing in self._engine.outbox.failing().items():
            yield "nextrade_alert_deliveries_failing", {"channel": channel}, failing

    def _told(self) -> books.Told:
        journal = tuple(self._engine.journal[: books.MOST_AT_ONCE])
        is_all = len(journal) == len(self._engine.journal)
        return books.Told(
            store=f"{self._name[:16]}@{socket.gethostname()}"[:64],
            holder=self._holder,
            mode=self._mode,
            journal=journal,
            deliveries=tuple(list(self._to_tell.values())[: books.MOST_AT_ONCE]),
            open_uids=frozenset(alert.uid for alert in self._engine.open_alerts()) if is_all else None,
            measure=self._measure,
            seen=frozenset(self._seen),
            since=self._since,
        )

    def _exchange(self, told: books.Told) -> tuple[books.Told, books.Heard]:
        """In the exchange's thread."""
        heard = books.exchange(told)
        if not self._is_noted:
            witness.note_start("alertd")
            self._is_noted = True
        return told, heard

    def _exchanged(self, answer: Answer) -> None:
        if isinstance(answer.error, books.Taken):
            self._problem = answer.error
        elif isinstance(answer.error, DatabaseError):
            if self._is_reaching:
                log.warning("The main database does not answer: %s", type(answer.error).__name__)
            self._is_reaching = False
        elif answer.error:
            log.error("The main database was not told", exc_info=answer.error)
        else:
            self._is_reaching = True
            self._hear(*answer.result)

    def _hear(self, told: books.Told, heard: books.Heard) -> None:
        """Take what the main database had to tell, and forget what it now knows."""
        at_s, engine = self._clock.now(), self._engine
        engine.journal = [entry for entry in engine.journal if entry["seq"] > heard.heard_seq]
        for facts in told.deliveries:
            if self._to_tell.get(facts["id"]) == facts:
                del self._to_tell[facts["id"]]
        if self._measure == told.measure:
            self._measure = None
        for uid, by, at in heard.acknowledged:
            engine.acknowledge(uid, by, at_s=at_s, at=at)
        engine.silences = heard.silences
        for event in heard.raised:
            engine.raise_(event, at_s)
            self._seen.add(event.id)
        self._since = heard.since
        if heard.thresholds != self._thresholds:
            engine.rules, self._thresholds = rules.catalogue(heard.thresholds), dict(heard.thresholds)
        self._seen = {each for each in self._seen if each > heard.since}
        self._save((), heard_seq=heard.heard_seq)

    def _save(self, samples: Iterable[tuple[Any, float, float | None]], *, heard_seq: int = 0) -> None:
        engine = self._engine
        changed = list({each.id: each for each in engine.outbox.changed}.values())
        self._to_tell |= {each.id: each.to_json() for each in changed}
        _bound(self._to_tell)
        del engine.journal[:-MOST_JOURNAL]
        state = {"engine": engine.to_json(), "name": self._name, "seen": sorted(self._seen), "since": self._since}
        state["thresholds"] = self._thresholds
        if self._store.save(state, samples=samples, deliveries=changed, journal=engine.journal, heard_seq=heard_seq):
            engine.outbox.changed.clear()


def _target() -> scrape.Target:
    return scrape.Target(
        url=settings.ALERTD_TARGET.rstrip("/"),
        host=settings.ALERTD_TARGET_HOST,
        token=settings.METRICS_TOKEN,
    )


def _bound(told: dict[int, Any]) -> None:
    """The database may be away for long: the oldest of what it was to hear of deliveries is let go."""
    for key in list(told)[:-MOST_JOURNAL]:
        del told[key]


def _lock(folder: Path) -> IO[str]:
    """This machine's lock, which the kernel ends with its holder. Raises AlreadyRunning."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = (folder / "alertd.lock").open("w")
    except OSError:
        file = (Path("/tmp") / f"alertd-{os.getuid()}.lock").open("w")  # noqa: S108 - a disk that takes nothing
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise AlreadyRunning(f"another alertd works on {folder}") from error
    return file

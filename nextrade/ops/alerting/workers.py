"""Threads around the watch: each does one slow thing, so that none of them holds another up. They get work by a queue
and answer by the watch's inbox; nothing else is shared."""

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nextrade.ops.alerting.channels import CHANNELS, Undelivered
from nextrade.ops.alerting.outbox import Delivery, Result

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back from a worker. error: what it raised instead of a result."""

    worker: str
    result: Any = None
    error: Exception | None = None


class Worker:
    """Runs `work` for each thing it is handed, one at a time."""

    def __init__(self, name: str, work: Callable[[Any], Any], inbox: "queue.SimpleQueue[Answer]") -> None:
        self.name = name
        self.is_busy = False
        self._work = work
        self._inbox = inbox
        self._jobs: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=f"alertd-{name}", daemon=True).start()

    def hand(self, job: Any) -> None:
        """Whoever hands jobs does so while the worker is not busy; is_busy ends when the answer is read."""
        self.is_busy = True
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                self._inbox.put(Answer(worker=self.name, result=self._work(job)))
            except Exception as error:  # noqa: BLE001 - the watch goes on, and decides what it means
                self._inbox.put(Answer(worker=self.name, error=error))


def send(delivery: Delivery) -> Result:
    """One attempt."""
    try:
        code = CHANNELS[delivery.channel].send(delivery.notice)
    except Undelivered as problem:
        return Result(
            delivery_id=delivery.id,
            is_sent=False,
            code=problem.code,
            error=str(problem),
            wait_s=problem.wait_s,
            is_final=problem.is_final,
            turns_off=problem.turns_off,
        )
    except Exception as error:
        log.exception("The channel %s failed", delivery.channel)
        return Result(delivery_id=delivery.id, is_sent=False, error=type(error).__name__)
    return Result(delivery_id=delivery.id, is_sent=True, code=code)

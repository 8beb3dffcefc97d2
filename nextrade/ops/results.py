"""The last results of all checks, kept by each process for a moment.

Context: probes come often, from several sides and at the same time, and must not each run every check. Choice: one
thread looks for all who ask; what is FRESH_S old is looked at again behind the askers' backs, what is OLDEST_S old is
waited for, though not for longer than WAIT_S where anything is known. Cost: an answer may be five seconds old.
"""

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from health_check.base import HealthCheck, HealthCheckResult

from nextrade.ops import components
from nextrade.ops.outages import Notices

FRESH_S, OLDEST_S = 2.0, 5.0
WAIT_S, FIRST_WAIT_S = 2.0, 15.0
USELESS_S = 30.0
"""Results that are older are never given: who asks waits for new ones."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Results of one look, in the order of the checks. at: when it ended. clock: the same by time.monotonic()."""

    results: Sequence[HealthCheckResult]
    at: datetime
    clock: float

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.clock

    @property
    def components(self) -> dict[str, bool]:
        return {result.check.component: result.error is None for result in self.results}


class Watch:
    """One process's view of all components."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Seen | None = None
        self._flight: threading.Thread | None = None
        self._workers: dict[str, ThreadPoolExecutor] = {}
        self._notices = Notices()

    def latest(self) -> Seen:
        """What is known, looked at anew where it is too old."""
        with self._lock:
            seen = self._seen
            if seen and seen.age_s < FRESH_S:
                return seen
            flight = self._take_off()
        if seen and seen.age_s < OLDEST_S:
            return seen
        flight.join(WAIT_S if seen and seen.age_s < USELESS_S else FIRST_WAIT_S)
        assert self._seen is not None, "no check took longer than its time-out"
        return self._seen

    def look(self, only: str = "") -> Seen:
        """Run every check now, or that of one component."""
        checks = [check for check in components.installed() if only in ("", check.component)]
        results = asyncio.run(self._run(checks))
        for result in results:
            self._notices.note(result)
        return Seen(results=results, at=timezone.now(), clock=time.monotonic())

    def forget(self) -> None:
        """Look anew at the next question, and take every outage for a new one."""
        with self._lock:
            self._seen, self._notices = None, Notices()

    def _take_off(self) -> threading.Thread:
        """The look that is under way, or a new one."""
        if self._flight is None or not self._flight.is_alive():
            self._flight = threading.Thread(target=self._fly, name="health", daemon=True)
            self._flight.start()
        return self._flight

    def _fly(self) -> None:
        self._seen = self.look()

    async def _run(self, checks: Sequence[HealthCheck]) -> list[HealthCheckResult]:
        """Side by side, each in a thread of its own: one that hangs holds its own thread and no other."""
        return await asyncio.gather(*(check.get_result(self._worker(check.component)) for check in checks))

    def _worker(self, component: str) -> ThreadPoolExecutor:
        if component not in self._workers:
            self._workers[component] = ThreadPoolExecutor(1, thread_name_prefix=f"health-{component}")
        return self._workers[component]


WATCH = Watch()

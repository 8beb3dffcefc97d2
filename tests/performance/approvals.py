"""S3: from an approval to its fill at the paper broker, one at a time and a hundred at once. S4: what a proposal costs.

S3 runs the product's own processes and takes both moments from the audit trail; S4 times `services.propose` alone,
with all its checks, its row and its event. Goals: S3 p50 at most 1 s and p99 at most 3 s; S4 p50 at most 10 ms.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.campaigns import ground
from tests.journeys.conftest import Product, launch
from tests.journeys.test_main_job import approve

WIDEN = "from tests.campaigns import ground; ground.wide_limits()"


def approvals(idle: int, at_once: int) -> dict[str, float]:
    """Seconds from the approval's event to the fill's, alone and when many are approved together; and the executions
    a second of a worker that finds as many waiting."""
    with tempfile.TemporaryDirectory() as data:
        running = launch(Path(data), NEXTRADE_RATE_LIMIT="100000/min", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            product.manage("shell", "--no-imports", "-c", WIDEN)
            alone = [_filled(product, number, _approved(product, number)).seconds for number in range(idle)]
            ids = [_proposed(product, number) for number in range(at_once)]
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(lambda order_id: _approve(product, order_id), ids))
            together = [moment.seconds for moment in _all_filled(product, ids)]
            product.stop("worker")
            waiting = [_approved(product, number) for number in range(at_once)]
            product.start("worker")
            moments = _all_filled(product, waiting)
        finally:
            running.close()  # type: ignore[attr-defined]
    spent = max(moment.filled for moment in moments) - min(moment.sent for moment in moments)
    return {
        "idle_p50_s": statistics.median(alone),
        "idle_p99_s": _p99(alone),
        "at_once_p50_s": statistics.median(together),
        "at_once_p99_s": _p99(together),
        "executions_per_s": at_once / spent.total_seconds(),
    }


def proposals(database: str, count: int) -> dict[str, float]:
    """Milliseconds a proposal takes."""
    with ground.prepare(database):
        from orders import services

        ann = ground.people()["ann"]
        took = []
        for number in range(count):
            request = services.Request(key=f"s4:{number}", symbol="F", side="buy", quantity=str(number % 500 + 1))
            start = time.perf_counter()
            services.propose(request, owner=ann, by="agent:portfolio", at=ground.now())
            took.append((time.perf_counter() - start) * 1000)
        return {"p50_ms": statistics.median(took), "p99_ms": _p99(took)}


@dataclass(frozen=True)
class Moments:
    """Of one order, by its trail."""

    approved: datetime
    sent: datetime
    filled: datetime

    @property
    def seconds(self) -> float:
        return (self.filled - self.approved).total_seconds()


def _trader(number: int) -> str:
    return ("ann", "ben")[number % 2]


def _proposed(product: Product, number: int) -> str:
    wanted = f"buy {number % 20 + 1} shares of Ford"
    return str(product.say(_trader(number), wanted)["orders"][0]["order_id"])


def _approve(product: Product, order_id: str) -> None:
    reply = approve(product, "bob", order_id)
    assert reply.status == 200, reply


def _approved(product: Product, number: int) -> str:
    order_id = _proposed(product, number)
    _approve(product, order_id)
    return order_id


def _filled(product: Product, number: int, order_id: str) -> Moments:
    history = product.wait_for(_trader(number), order_id, "filled", seconds=60)["history"]
    at = {move["action"]: datetime.fromisoformat(move["at"]) for move in history}
    return Moments(approved=at["order_approved"], sent=at["order_submitted"], filled=at["order_filled"])


def _all_filled(product: Product, ids: list[str]) -> list[Moments]:
    """Waits for the last first: to look at each while it is executed would take the machine from the worker."""
    _filled(product, len(ids) - 1, ids[-1])
    return [_filled(product, *each) for each in enumerate(ids)]


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * (len(values) - 1))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite", help="sqlite, or a PostgreSQL URL")
    parser.add_argument("--idle", type=int, default=20)
    parser.add_argument("--at-once", type=int, default=100)
    given = parser.parse_args()
    if given.database != "sqlite":
        os.environ["TEST_DATABASE_URL"] = given.database
    found = {"S3": approvals(given.idle, given.at_once), "S4": proposals(given.database, 300)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

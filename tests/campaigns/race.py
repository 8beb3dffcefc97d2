"""R2: many people approve one order at the same moment, from several processes and threads. Exactly one approval and
one fill may come of it, and everybody else is told why not.
"""

import argparse
import json
import multiprocessing
import sys
import threading
from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID

from tests.campaigns import ground

PROCESSES, THREADS = 8, 50
FORK = multiprocessing.get_context("fork")


def approve_together(order_id: UUID, version: int, at: datetime, threads: int) -> list[str]:
    """Approve from so many threads at once; what each was told."""
    from django.contrib.auth.models import User
    from django.db import connection

    from nextrade.errors import NexTradeError
    from orders import services

    told: list[str] = []
    start = threading.Barrier(threads)

    def run(name: str) -> None:
        try:
            by = User.objects.get(username=name)
            start.wait()
            services.approve(order_id, by=by, version=version, at=at)
            told.append("approved")
        except NexTradeError as error:
            told.append(error.reason)
        finally:
            connection.close()

    crowd = [threading.Thread(target=run, args=("bob" if number % 2 else "bea",)) for number in range(threads)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()
    return told


def campaign(database: str, *, rounds: int) -> dict[str, Any]:
    with ground.prepare(database):
        ann = ground.people()["ann"]
        told: Counter[str] = Counter()
        wrong = 0
        from django.db import connections

        connections.close_all()
        with FORK.Pool(PROCESSES) as pool:
            for number in range(rounds):
                wrong += _round(pool, ann, number, told)
        return {"database": database.split(":")[0], "rounds": rounds, "told": dict(told), "not_exactly_one": wrong}


def _round(pool: Any, ann: Any, number: int, told: Counter[str]) -> bool:
    """One order, one crowd; whether anything but one approval, one fill and one approved answer came of it."""
    from orders import execution, services
    from orders.models import Approval, Execution, Outbox

    request = services.Request(key=f"r2:{number}", symbol="F", side="buy", quantity=str(number + 1))
    at = ground.now()
    order = services.propose(request, owner=ann, by="agent:portfolio", at=at)
    share = -(-THREADS // PROCESSES)
    answers = pool.starmap(approve_together, [(order.pk, order.version, at, share)] * PROCESSES)
    counted = Counter(answer for crowd in answers for answer in crowd)
    told.update(counted)
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=ground.now())
    approvals, fills = Approval.objects.filter(order=order).count(), Execution.objects.filter(order=order).count()
    return (counted["approved"], approvals, fills) != (1, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    found = campaign(given.database, rounds=given.rounds)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.exit(bool(found["not_exactly_one"]))


if __name__ == "__main__":
    main()

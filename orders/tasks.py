"""What the worker runs: each loads by id, calls one service and survives running twice."""

import random
import time
import uuid

from django.utils import timezone

from orders import execution, notices, reconciliation, safeguards, services
from orders.models import Outbox

AT_ONCE = 20
OLDEST = 8
ENOUGH_S = 20
"""A task takes up no more work after so long: half of what is left of its time limit is for a broker that hangs."""


def execute(*, order_id: str, kind: str) -> None:
    """Execute an order, then others that wait: the queue's own cost for a task is greater than an order's. Which one is
    chosen anew each time, among the oldest: two workers with the same list would be after each order together."""
    start = time.monotonic()
    execution.execute(uuid.UUID(order_id), Outbox.Kind(kind), at=timezone.now())
    for _ in range(AT_ONCE):
        waiting = execution.untouched(most=OLDEST)
        if not waiting or time.monotonic() - start > ENOUGH_S:
            return
        waiting_id, waiting_kind = random.choice(waiting)  # noqa: S311
        execution.execute(waiting_id, waiting_kind, at=timezone.now())


def tell_approvers(*, order_id: str) -> int:
    return notices.tell_approvers(uuid.UUID(order_id))


def reconcile() -> int:
    return execution.reconcile(at=timezone.now(), until=time.monotonic() + ENOUGH_S)


def expire_stale() -> int:
    return services.expire_stale(at=timezone.now())


def trip_breakers() -> int:
    return safeguards.trip_breakers(at=timezone.now())


def close_day() -> int:
    return safeguards.close_day(at=timezone.now())


def compare_books() -> int:
    return len(reconciliation.compare(at=timezone.now()))


def halt_drill() -> float:
    return safeguards.halt_drill(at=timezone.now())

"""R3: the broker times out or errs after it has accepted, loses orders, refuses, repeats old reports and fills in
parts.

The clock is simulated: every fifteen seconds the worker looks for work whose lease has run out, and each minute it
asks the broker about everything open, as `manage.py worker` and the schedules do.
"""

import argparse
import json
import random
import sys
from datetime import datetime, timedelta
from typing import Any

from tests.campaigns import ground

LOOK = timedelta(seconds=15)
END = timedelta(minutes=10)


def campaign(database: str, *, orders: int) -> dict[str, Any]:
    """duplicates: submissions of what the broker had already. beyond_ours: orders at the broker that are not ours.
    slowest_s: from the doubt to its end, on the simulated clock."""
    with ground.prepare(database):
        from orders import brokers
        from tests.fakes import WatchedBroker

        cast = ground.people()
        line = WatchedBroker()
        brokers.BROKERS = {"paper": line}
        dice = random.Random(3)
        took = [_one(number, cast, line, dice) for number in range(orders)]
        return {"database": database.split(":")[0], "orders": orders, "slowest_s": max(took), **_found(line)}


def _one(number: int, cast: dict[str, Any], line: Any, dice: random.Random) -> float:
    """One order through a fault of its own; how long it was in doubt, in simulated seconds."""
    from django.conf import settings

    from orders import execution, services
    from orders.brokers.paper import Fault
    from orders.models import Order, Outbox

    fault = dice.choice([Fault.LOST, Fault.TIMEOUT, Fault.SERVER_ERROR, Fault.REJECT, None])
    settings.PAPER_MAX_FILL = dice.choice(["0", "0", "3"])
    at = ground.now()
    request = services.Request(key=f"r3:{number}", symbol="F", side="buy", quantity=str(number + 1))
    order = services.propose(request, owner=cast["ann"], by="agent:portfolio", at=at)
    services.approve(order.pk, by=cast["bob"], version=order.version, at=at)
    line.faults = [fault] if fault else []
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=at)
    early = line.find(order.client_order_id, at=at)
    settings.PAPER_MAX_FILL = "0"
    settled = _settle(order, at)
    if early is not None:
        execution.record(order.pk, early, at=settled)
    assert not Order.objects.get(pk=order.pk).in_doubt
    return (settled - at).total_seconds()


def _settle(order: Any, at: datetime) -> datetime:
    """Let the clock run as the worker does until the broker's answer is in the books."""
    from orders import execution
    from orders.models import Order, Status

    now = at
    while Order.objects.get(pk=order.pk).status not in (Status.FILLED, Status.REJECTED) and now < at + END:
        now += LOOK
        execution.reconcile(at=now)
    return now


def _found(line: Any) -> dict[str, int]:
    from django.db.models import Count, F

    from orders.models import Order, PaperOrder, Status

    twice = Order.objects.annotate(fills=Count("executions__exec_id", distinct=True), rows=Count("executions"))
    return {
        "duplicates": line.known_again,
        "beyond_ours": PaperOrder.objects.exclude(client_order_id__in=Order.objects.values("client_order_id")).count(),
        "unsettled": Order.objects.exclude(status__in=[Status.FILLED, Status.REJECTED]).count(),
        "wrong_quantity": Order.objects.filter(status=Status.FILLED).exclude(cum_qty=F("quantity")).count(),
        "booked_twice": twice.exclude(fills=F("rows")).count(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--orders", type=int, default=500)
    given = parser.parse_args()
    found = campaign(given.database, orders=given.orders)
    sys.stdout.write(json.dumps(found) + "\n")
    wrong = ("duplicates", "beyond_ours", "unsettled", "wrong_quantity", "booked_twice")
    sys.exit(any(found[name] for name in wrong) or found["slowest_s"] > 60)


if __name__ == "__main__":
    main()

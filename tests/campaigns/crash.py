"""R1: kill -9 at named points of propose, approve, execute and fill, and at random; a quarter of the broker's answers
lost.

Several workers take the same orders through their whole way and die on it; each is started again. In the end every
order must be filled once, at the broker and in our books, and every step told in the trail. The negative control
sends a fresh id each attempt and does not ask first: it must fail, or the campaign proves nothing.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from tests.campaigns import ground

POINTS = (
    "propose:after",
    "approve:inside",
    "approve:after",
    "claim:inside",
    "claim:after",
    "submit:before",
    "submit:after",
    "record:before",
    "book:inside",
    "record:after",
)
LOST_ANSWERS = 0.25
BATCH = 8
PATIENCE_S = 60
"""How long the last orders of a share may take once nobody dies any more."""
FORK = multiprocessing.get_context("fork")


def work(share: range, point: str, chance: float, is_control: bool) -> None:
    """One worker: takes a share of the orders from proposal to fill, and dies at a point by chance."""
    from django.contrib.auth.models import User

    from nextrade.errors import NexTradeError
    from orders import execution, services
    from orders.models import Order, Outbox, Status

    _rig(point, chance, is_control)
    ann, bob = (User.objects.get(username=name) for name in ("ann", "bob"))
    while True:
        undone = 0
        for number in random.sample(share, len(share)):
            request = services.Request(key=f"r1:{number}", symbol="F", side="buy", quantity=str(number + 1))
            order = Order.objects.filter(proposal_key=request.key).first()
            order = order or services.propose(request, owner=ann, by="agent:portfolio", at=ground.now())
            if order.status == Status.PENDING_APPROVAL:
                try:
                    order = services.approve(order.pk, by=bob, version=order.version, at=ground.now())
                except NexTradeError:  # another worker was first; whether it lives to send is not known
                    undone += 1
                    continue
            execution.execute(order.pk, Outbox.Kind.SUBMIT, at=ground.now())
            undone += Order.objects.get(pk=order.pk).status != Status.FILLED
        if not undone:
            return
        time.sleep(0.05)


def _rig(point: str, chance: float, is_control: bool) -> None:
    """Make this process die where it is told to, and its broker lose answers."""
    from orders import books, brokers, execution, services
    from orders.brokers.base import InDoubt, Ticket
    from orders.brokers.paper import PaperBroker

    random.seed()
    execution.LEASE = timedelta(seconds=0.5)

    def maybe_die(here: str) -> None:
        if point in (here, "random") and random.random() < chance:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying(function: Callable[..., Any], *, before: str = "", after: str = "") -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            maybe_die(before)
            result = function(*args, **kwargs)
            maybe_die(after)
            return result

        return run

    class LossyBroker(PaperBroker):
        def submit(self, ticket: Ticket, *, at: Any) -> Any:
            if is_control:
                ticket = Ticket(**{**ticket.__dict__, "client_order_id": f"fresh-{random.getrandbits(64):x}"})
            maybe_die("submit:before")
            report = super().submit(ticket, at=at)
            maybe_die("submit:after")
            if random.random() < LOST_ANSWERS:
                raise InDoubt("lost")
            return report

        def find(self, client_order_id: str, *, at: Any) -> Any:
            return None if is_control else super().find(client_order_id, at=at)

    brokers.BROKERS = {"paper": LossyBroker()}
    services.propose = dying(services.propose, after="propose:after")
    services._queue = dying(services._queue, after="approve:inside")
    services.approve = dying(services.approve, after="approve:after")
    execution._is_ready = dying(execution._is_ready, after="claim:inside")
    execution._claim = dying(execution._claim, after="claim:after")
    execution.record = dying(execution.record, before="record:before", after="record:after")
    books.book = dying(books.book, after="book:inside")


def campaign(database: str, *, kills_per_point: int, workers: int, is_control: bool, seconds: float) -> dict[str, Any]:
    """Run every point, then random deaths, until each has killed as often as it should; what was found."""
    with ground.prepare(database):
        ground.people()
        kills: Counter[str] = Counter()
        points = ["random"] if is_control else [*POINTS, "random"]
        first = 0
        for point in points:
            deadline = time.monotonic() + seconds / len(points)
            least = first + (5 if is_control else 1) * BATCH
            while (kills[point] < kills_per_point or first < least) and time.monotonic() < deadline:
                share = range(first, first + BATCH)
                first += BATCH
                wanted = kills_per_point - kills[point]
                kills[point] += _drive(share, point, workers, is_control, wanted, deadline)
        from orders.models import PaperOrder

        told = found(PaperOrder.objects.values_list("quantity", flat=True))
        return {"database": database.split(":")[0], "kills": dict(kills), "killed": sum(kills.values()), **told}


def _drive(share: range, point: str, workers: int, is_control: bool, wanted: int, deadline: float) -> int:
    """Keep workers on a share of the orders until all are filled; how many died. They stop dying when enough have or
    time is up. A control's own breaks stop its approvals, so that it may never be done: patience ends too."""
    from django.db import connections

    connections.close_all()  # before a fork
    died = 0
    running: list[multiprocessing.Process] = []
    while time.monotonic() < deadline + PATIENCE_S:
        for process in [process for process in running if not process.is_alive()]:
            running.remove(process)
            died += process.exitcode == -signal.SIGKILL
            assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
            if process.exitcode == 0:
                for other in running:
                    other.join()
                return died + sum(other.exitcode == -signal.SIGKILL for other in running)
        while len(running) < workers:
            is_enough = died >= wanted or time.monotonic() >= deadline
            chance = 0.0 if is_enough else 0.04 if point == "random" else 0.3
            process = FORK.Process(target=work, args=(share, point, chance, is_control))
            process.start()
            running.append(process)
        time.sleep(0.01)
    for process in running:
        process.terminate()
        process.join()
    return died


def found(at_broker: Iterable[Decimal]) -> dict[str, Any]:
    """double: more than one order at the broker, or a quantity executed beyond what was ordered; lost: approved and not
    filled; unexplained: books that do not follow from executions, or a filled order without its events.

    at_broker: the quantities of its orders. Each order has a quantity of its own, and each was approved."""
    from django.db.models import Count

    from compliance.models import ComplianceEvent
    from orders import books
    from orders.models import Account, Execution, Order, Status

    orders = list(Order.objects.all())
    filled = [order for order in orders if order.status == Status.FILLED]
    executions = dict(Execution.objects.values_list("order").annotate(Count("id")))
    sent = Counter(at_broker)
    needed = {"order_proposed", "order_approved", "order_submitted", "order_filled"}
    told: dict[Any, set[str]] = defaultdict(set)
    for order_id, action in ComplianceEvent.objects.exclude(order_id=None).values_list("order_id", "action"):
        told[order_id].add(action)
    return {
        "orders": len(orders),
        "filled": len(filled),
        "at_broker": sent.total(),
        "double": sum(count > 1 for count in [*sent.values(), *executions.values()]),
        "lost": len(orders) - len(filled),
        "unexplained": sum(len(books.rebuild(account)) for account in Account.objects.all())
        + sum(not needed <= told[order.pk] for order in filled),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--kills", type=int, default=20, help="deaths per point")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--control", action="store_true", help="the negative control")
    given = parser.parse_args()
    told = campaign(
        given.database,
        kills_per_point=given.kills,
        workers=given.workers,
        is_control=given.control,
        seconds=given.seconds,
    )
    sys.stdout.write(json.dumps(told) + "\n")
    is_right = not (told["double"] or told["lost"] or told["unexplained"])
    sys.exit(is_right == given.control)


if __name__ == "__main__":
    main()

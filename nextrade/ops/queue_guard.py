"""What the queue may run, and what of its tables may be read back.

Context: a row of django-q2's schedules may name any function and a hook that Python can import, and what a task was
given and gave back is unpickled when somebody looks at it, so whoever writes a row would run code with the worker's
keys. What is queued itself is signed. Choice: only the functions of QUEUED are put into the queue, without hooks and
chains, and only plain values are read back. Cost: a function that is new to the queue has to be named here.
"""

import logging
from typing import Any

from django.dispatch import receiver
from django_q.signals import pre_enqueue
from picklefield import fields

from nextrade import caches
from nextrade.errors import Refused
from nextrade.ops import schedules

log = logging.getLogger(__name__)
QUEUED = frozenset(
    {
        schedules.RUNNER,
        "agents.tasks.answer",
        "agents.tasks.tell_late",
        "nextrade.ops.tasks.heartbeat",
        "orders.tasks.execute",
        "orders.tasks.reconcile",
        "orders.tasks.tell_approvers",
    }
)
UNUSED = frozenset({"hook", "chain", "sync"})
"""What a task of ours never has: other functions to call, and running within the scheduler."""
REFUSED = "nextrade.ops.queue_guard.refuse"


def guard() -> None:
    """Read pickles of the queue's tables as the cache reads its own."""
    fields.loads = caches.loads


@receiver(pre_enqueue)
def check(task: dict[str, Any], **_: Any) -> None:
    """Put a failure in the place of a task that is not ours: it is seen among the failed ones, and the rest go on."""
    if task["func"] in QUEUED and not task.keys() & UNUSED:
        return
    log.critical("The queue was asked to run %.200r, which nothing of ours asks for", task["func"])
    task |= {"func": REFUSED, "args": (), "kwargs": {"asked": str(task["func"])[:200]}}
    for name in UNUSED:
        task.pop(name, None)


def refuse(*, asked: str) -> None:
    raise Refused(f"nothing of ours asks the queue to run {asked}: who wrote that row?")

"""The queue's cluster under watch.

Context: killing an idle django-q2 worker deadlocks its cluster, which goes on looking well and ignores SIGTERM;
killing its main process leaves the others working. Choice: the cluster is a process group of its own that ends as a
whole, and lives only as long as its heartbeat comes through. Cost: one more process; whoever runs this command
restarts it when it ends.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone
from django_q.tasks import async_task

from nextrade import witness
from nextrade.ops import waiting
from nextrade.ops.models import Heartbeat
from orders.models import AT_BROKER, Order, Outbox

GRACE_S = 30
SILENCE = timedelta(minutes=3)
LOOK_EVERY_S = 15
PR_SET_PDEATHSIG = 1


class Command(BaseCommand):
    help = "Run the task queue (qcluster); ends all of it together, and ends it when it has gone silent."

    def handle(self, *args: Any, **options: Any) -> None:
        waiting.until_database()
        witness.note_start("worker")
        _wake()
        cluster = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"], start_new_session=True, preexec_fn=_die_with_parent
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _leave)
        try:
            problem = _watch(cluster)
        finally:
            _end(cluster)
        raise CommandError(problem, returncode=1)


def _leave(*_: Any) -> None:
    raise SystemExit(0)


def _wake() -> None:
    """Queue what cannot wait for the first tick of the scheduler: a heartbeat, and work that a killed worker left."""
    for job in ("nextrade.ops.tasks.heartbeat", "orders.tasks.reconcile", "agents.tasks.tell_late"):
        async_task(job)
    connection.close()


def _watch(cluster: subprocess.Popen[bytes]) -> str:
    """Wait until the cluster ends by itself, or until nothing has come through for too long; which of the two."""
    since = timezone.now()
    while True:
        try:
            return f"the cluster ended with {cluster.wait(timeout=LOOK_EVERY_S)}"
        except subprocess.TimeoutExpired:
            _nudge()
            if timezone.now() - max(since, _last_beat() or since) > SILENCE:
                return f"the cluster has done nothing for {SILENCE}"


def _nudge() -> None:
    """Queue a look at what is at the broker, and at work whose executor died or was left in doubt, between the
    minutes."""
    try:
        lapsed = Outbox.objects.filter(done_at=None, lease_until__lte=timezone.now())
        if lapsed.exists() or Order.objects.filter(status__in=AT_BROKER).exists():
            async_task("orders.tasks.reconcile")
    except DatabaseError:
        return
    finally:
        connection.close()


def _last_beat() -> Any:
    try:
        return Heartbeat.objects.filter(name="scheduler").values_list("at", flat=True).first()
    except DatabaseError:  # while the database is away, its silence is not the cluster's
        return timezone.now()
    finally:
        connection.close()


def _end(cluster: subprocess.Popen[bytes]) -> None:
    """Let the main process finish the tasks it has, then end whatever is left of its group."""
    cluster.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        cluster.wait(timeout=GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(cluster.pid, signal.SIGKILL)


def _die_with_parent() -> None:
    """A killed watcher must not leave its cluster behind. Linux only; elsewhere the cluster ends on its own signals."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

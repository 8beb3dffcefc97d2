"""manage.py memory snapshot: what a turn leaves behind in memory."""

import gc
import io
import tracemalloc
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

MOST = 10
WARM = 3


class Command(BaseCommand):
    help = "Turns between two snapshots of tracemalloc: the ten places that hold most, and the ten that grew most."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("snapshot",))
        parser.add_argument("--user", default="", help="whose turns are taken in between; none otherwise")
        parser.add_argument("--turns", type=int, default=10)

    def handle(self, *args: Any, user: str, turns: int, **options: Any) -> None:
        tracemalloc.start(10)
        _turns(user, WARM)
        before = _snapshot()
        _turns(user, turns)
        after = _snapshot()
        tracemalloc.stop()
        self.stdout.write("Largest:")
        self.stdout.write("\n".join(map(str, after.statistics("lineno")[:MOST])))
        self.stdout.write(f"Grown most over {turns if user else 0} turns:")
        self.stdout.write("\n".join(map(str, after.compare_to(before, "lineno")[:MOST])))


def _turns(user: str, number: int) -> None:
    """The first ones fill caches, which is no leak."""
    for _ in range(number if user else 0):
        call_command("chat", user, "What is AAPL at?", stdout=io.StringIO())


def _snapshot() -> tracemalloc.Snapshot:
    gc.collect()
    return tracemalloc.take_snapshot().filter_traces((tracemalloc.Filter(False, tracemalloc.__file__),))

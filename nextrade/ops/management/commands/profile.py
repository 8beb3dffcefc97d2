"""manage.py profile chat: where the processor's time of one turn goes."""

import cProfile
import io
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from nextrade import profiling


class Command(BaseCommand):
    help = "One turn under the profiler: the ten functions that took most, cumulative. A real turn, with all it does."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=("chat",))
        parser.add_argument("--user", required=True, help="whose turn it is; it is stored like any other")
        parser.add_argument("--message", default="What is AAPL at?")

    def handle(self, *args: Any, user: str, message: str, **options: Any) -> None:
        profiler = cProfile.Profile()
        profiler.runcall(call_command, "chat", user, message, stdout=io.StringIO())
        self.stdout.write(profiling.top(profiler))

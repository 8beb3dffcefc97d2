import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from nextrade.errors import NexTradeError


class Command(BaseCommand):
    help = "Watch: look at /health and /metrics every 15 seconds, evaluate the rules, have people told."
    requires_system_checks = ()  # one of them asks the database, whose loss must not keep the watch from starting

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--speed", type=float, default=1, help="for drills: a clock that runs so many times faster")

    def handle(self, *args: Any, speed: float, **options: Any) -> None:
        from nextrade.ops import processes
        from nextrade.ops.alerting.daemon import Daemon

        processes.enlist("alertd", os.getpid())
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            Daemon(settings.DATA_DIR, mode=settings.ALERTING, speed=speed).run(stop)
        except NexTradeError as error:
            raise CommandError(f"alertd stopped: {error}", returncode=1) from error

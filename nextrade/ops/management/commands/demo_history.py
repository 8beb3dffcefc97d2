"""A past for the demo, so that every page has something to show."""

import io
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.ops.models import Heartbeat
from orders.models import Order

ALIVE = timedelta(minutes=3)
MOST_DAYS = 400


class Command(BaseCommand):
    help = "Write a lively past through the real services on a simulated clock. For the demo alone, and once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=90)
        parser.add_argument("--seed", type=int, default=1, help="another one, another past")

    def handle(self, *args: Any, days: int, seed: int, **options: Any) -> None:
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days is from 1 to {MOST_DAYS}", returncode=2)
        _require_demo()
        try:
            import time_machine  # a library of development, which a demo has and production has not
        except ImportError as error:
            raise CommandError("the library time-machine is missing: make install", returncode=1) from error
        from nextrade.ops.demo import history

        until: datetime = timezone.now()
        with time_machine.travel(until - timedelta(days=days), tick=True) as traveller:
            if not User.objects.filter(username="ann").exists():
                call_command("demo_cast", stdout=io.StringIO())
            self.stdout.write(str(history.write(days=days, seed=seed, clock=traveller.move_to, until=until)))


def _require_demo() -> None:
    is_demo = (settings.DEMO or settings.DEBUG) and settings.BROKER == "paper" and settings.QUOTES == "simulated"
    if not is_demo:
        raise CommandError("this is not the demo: a past is not made up here", returncode=1)
    if Order.objects.exists():
        raise CommandError("there are orders already: a past is written once, before them", returncode=1)
    if Heartbeat.objects.filter(at__gt=timezone.now() - ALIVE).exists():
        raise CommandError("NexTrade is running, and its worker would act in the present: stop it first", returncode=1)

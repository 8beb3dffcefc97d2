import logging
import signal
import threading
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from compliance.sealer import Sealer
from nextrade import witness
from nextrade.errors import NexTradeError
from nextrade.ops import waiting
from nextrade.ops.models import Heartbeat

TICK_S = 0.2
TICKS = 5
BEAT_EVERY = timedelta(seconds=10)
log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Seal the audit trail: each second, and at once for what concerns orders. Holds the sealing key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="seal what is there, and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        try:
            if once:
                self.stdout.write(f"{_started().seal(at=timezone.now())} events sealed")
            while not (once or stop.is_set()):
                _run_while_there_is_a_database(stop)
        except (NexTradeError, DatabaseError) as error:
            raise CommandError(f"sealing stopped: {error}", returncode=1) from error


def _started() -> Sealer:
    sealer = Sealer()
    sealer.start(at=timezone.now())
    return sealer


def _run_while_there_is_a_database(stop: threading.Event) -> None:
    """With all that it knows learnt anew: who has brought the database back may have restored an older one."""
    waiting.until_database(stop)
    try:
        if not stop.is_set():
            sealer = _started()
            witness.note_start("sealer")
            _run(sealer, stop)
    except waiting.AWAY as error:
        if settings.SQLITE:
            raise
        log.warning("The database went away: %s", type(error).__name__)


def _run(sealer: Sealer, stop: threading.Event) -> None:
    """A round each TICKS ticks, or at the first tick that finds something urgent."""
    ticks, next_beat = TICKS, timezone.now()
    while not stop.is_set():
        if ticks >= TICKS or sealer.is_urgent():
            sealer.seal(at=timezone.now())
            ticks = 0
            if timezone.now() >= next_beat:
                Heartbeat.objects.update_or_create(name="sealer", defaults={"at": timezone.now()})
                next_beat = timezone.now() + BEAT_EVERY
        ticks += 1
        stop.wait(TICK_S)
    connection.close()

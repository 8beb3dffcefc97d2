"""A process whose database is away waits for it.

One that ended would be started again and again, until its keeper gives up (systemd: ten times in five minutes), and
nobody would start it when the database is back.
"""

import logging
import threading

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection

AGAIN_S = 1.0
AWAY = (OperationalError, InterfaceError)
log = logging.getLogger(__name__)


def until_database(stop: threading.Event | None = None) -> None:
    """Return once PostgreSQL takes a connection, or `stop` is set. A file is there or is not."""
    stop, is_told = stop or threading.Event(), settings.SQLITE
    while not settings.SQLITE and not stop.is_set():
        try:
            connection.close()
            connection.ensure_connection()
        except AWAY as error:
            if not is_told:
                log.warning("Waiting for the database: %s", str(error).strip().partition("\n")[0])
            is_told = True
            stop.wait(AGAIN_S)
        else:
            return

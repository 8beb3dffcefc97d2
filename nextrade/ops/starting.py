"""How a web process begins: with an event on the trail, and a graph and a guard that are built, as soon as there is a
database.

While there is none it serves all the same: a process that died of it would take the others with it, and nobody would
be left to tell the probes.
"""

import logging
import sqlite3
import threading
import time

import psycopg
from django.db import DatabaseError, connections

from agents import graph
from agents.guarding import likeness
from nextrade import witness

AGAIN_S = 5
log = logging.getLogger(__name__)


def web() -> None:
    if not _begin():
        threading.Thread(target=_until_begun, name="starting", daemon=True).start()


def _until_begun() -> None:
    while not _begin():
        time.sleep(AGAIN_S)


def _begin() -> bool:
    try:
        witness.note_start("web")
        graph.desk()
        likeness.model()
    except (DatabaseError, sqlite3.Error, psycopg.Error) as error:
        log.warning("The start waits for the database: %s", type(error).__name__)
        return False
    finally:
        connections.close_all()
    return True

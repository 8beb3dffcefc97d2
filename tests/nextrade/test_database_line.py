"""A line to PostgreSQL that is cut without a word is given up at both ends."""

import os
import socket
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from psycopg import Connection

from agents import memory
from orders.execution import LEASE

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(settings.SQLITE, reason="a file has no line"),
]


@pytest.fixture(params=["ours", "memory"])
def line(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection as the product makes it."""
    if request.param == "ours":
        connection.ensure_connection()
        yield connection.connection
    else:
        with Connection.connect(memory._conninfo(), autocommit=True) as own:
            yield own


def test_neither_end_waits_for_the_other_longer_than_a_lease(line: Connection) -> None:
    with socket.socket(fileno=os.dup(line.fileno())) as here:
        idle_s, every_s, times = (
            here.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        unanswered_ms = here.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert 0 < unanswered_ms / 1000 < LEASE.total_seconds()
    assert idle_s + every_s * times < LEASE.total_seconds()
    names = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    there = line.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}").fetchone()
    assert there == (str(idle_s), str(every_s), str(times), str(unanswered_ms))

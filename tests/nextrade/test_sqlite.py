"""The writers of a process stand in line before SQLite's lock, and leave it however they end."""

import threading
from typing import Any

import pytest
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection, transaction

from nextrade.ops.models import IdempotentReply
from tests.conftest import NOON

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not settings.SQLITE, reason="the line is before SQLite's lock"),
]


def keep(key: str) -> None:
    IdempotentReply.objects.create(key=key, body_sha256="", created_at=NOON)


def test_a_second_writer_begins_when_the_first_has_ended() -> None:
    began = threading.Event()

    def write() -> None:
        with transaction.atomic():
            began.set()
            keep("second")
        connection.close()

    with transaction.atomic():
        keep("first")
        second = threading.Thread(target=write)
        second.start()
        assert not began.wait(0.2)
    second.join()
    assert set(IdempotentReply.objects.values_list("key", flat=True)) == {"first", "second"}


def test_the_line_is_left_by_commit_rollback_and_close() -> None:
    line: Any = connection.line  # type: ignore[attr-defined]
    with transaction.atomic():
        assert line.locked()
        with transaction.atomic():
            keep("one")
        assert line.locked()
    assert not line.locked()
    with pytest.raises(IntegrityError), transaction.atomic():
        keep("one")
    assert not line.locked()
    with pytest.raises(OperationalError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("no such words")
    assert not line.locked()
    connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
    assert line.locked()
    connection.close()
    assert not line.locked()
    connection.ensure_connection()

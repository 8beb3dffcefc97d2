"""Counts within windows of time, exact across processes: one statement counts and reads.

In a table, or where a count may be lost, in Redis or on its way to the disk: a rate may, wrong passwords may not.
"""

import time

from django.conf import settings
from django.core.cache import cache
from django.db import connection

from nextrade import sqlite

COUNT = """
INSERT INTO ops_ratewindow (key, started_s, count) VALUES (%s, %s, 1)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN ops_ratewindow.started_s <= %s THEN 1 ELSE ops_ratewindow.count + 1 END,
  started_s = CASE WHEN ops_ratewindow.started_s <= %s THEN excluded.started_s ELSE ops_ratewindow.started_s END
RETURNING count, started_s
"""
READ = "SELECT count, started_s FROM ops_ratewindow WHERE key = %s AND started_s > %s"
FORGET = "DELETE FROM ops_ratewindow WHERE key = %s"


def count(key: str, period_s: int) -> tuple[int, float]:
    """Count one: how many in this window, and the seconds that are left of it."""
    now = time.time()
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [key, now, now - period_s, now - period_s])
        counted, started_s = cursor.fetchone()
    return counted, max(0.0, started_s + period_s - now)


def count_briefly(key: str, period_s: int) -> tuple[int, float]:
    """The same in Redis while it answers. Where it goes away in the middle of a window, the table begins another."""
    counted = cache.count(f"rate.{key}", period_s) if settings.REDIS_URL else None  # type: ignore[attr-defined]
    if counted:
        return counted  # type: ignore[no-any-return]
    with sqlite.unsynced():
        return count(key, period_s)


def read(key: str, period_s: int) -> tuple[int, float]:
    """What `count` would have said the last time; 0 when its window is over."""
    now = time.time()
    with connection.cursor() as cursor:
        cursor.execute(READ, [key, now - period_s])
        counted, started_s = cursor.fetchone() or (0, now - period_s)
    return counted, max(0.0, started_s + period_s - now)


def forget(key: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [key])

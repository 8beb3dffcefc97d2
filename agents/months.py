"""Model calls by month, on PostgreSQL: a table each, made ahead of its month and dropped whole.

Context: model calls grow with every turn and nothing refers to them. Deleted by row they leave dead space behind and
write each row once more into the WAL. Choice: partitions by the month (UTC) of `at`, made and dropped by functions that
have their owner's rights, since whoever serves owns no table; a call whose month has none lies in the rest. Cost: the
primary key there is (id, at). SQLite keeps one table.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection

AHEAD = 2
"""Months whose tables are made before they begin."""
FUNCTIONS = """
CREATE OR REPLACE FUNCTION agents_modelcall_add_month(first date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  month timestamptz := date_trunc('month', first::timestamptz);
  part text := to_char(month, '"agents_modelcall_"YYYY_MM');
BEGIN
  IF to_regclass(part) IS NOT NULL OR EXISTS (
    SELECT FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'agents_modelcall'::regclass AND c.relname > to_char(month, '"agents_modelcall_until_"YYYY_MM')
      AND c.relname LIKE 'agents_modelcall_until_%'
  ) THEN RETURN false; END IF;
  EXECUTE format('CREATE TABLE %I (LIKE agents_modelcall INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', part);
  EXECUTE format(
    'WITH gone AS (DELETE FROM agents_modelcall_rest WHERE at >= %L AND at < %L RETURNING *) '
    'INSERT INTO %I SELECT * FROM gone', month, month + interval '1 month', part);
  EXECUTE format(
    'ALTER TABLE agents_modelcall ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
    part, month, month + interval '1 month');
  RETURN true;
END $$;
CREATE OR REPLACE FUNCTION agents_modelcall_drop_before(moment timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
  part text;
  here bigint;
  rows bigint := 0;
BEGIN
  FOR part IN SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
    WHERE inhparent = 'agents_modelcall'::regclass AND c.relname ~ '\\d{4}_\\d\\d$'
      AND to_date(right(c.relname, 7), 'YYYY_MM') + (c.relname NOT LIKE '%until%')::int * interval '1 month' <= moment
  LOOP
    EXECUTE format('SELECT count(*) FROM %I', part) INTO here;
    EXECUTE format('DROP TABLE %I', part);
    rows := rows + here;
  END LOOP;
  RETURN rows;
END $$;
REVOKE ALL ON FUNCTION agents_modelcall_add_month(date), agents_modelcall_drop_before(timestamptz) FROM PUBLIC;
"""


def make_ahead(*, at: datetime) -> int:
    """Make the tables that are missing of this month and the next ones; how many were."""
    if settings.SQLITE:
        return 0
    with connection.cursor() as cursor:
        made = 0
        for month in coming(at):
            cursor.execute("SELECT agents_modelcall_add_month(%s)", [month.date()])
            made += cursor.fetchone()[0]
    return made


def missing(*, at: datetime) -> list[str]:
    """Of this month and the next ones those without a table, such as "2026-12"."""
    if settings.SQLITE:
        return []
    with connection.cursor() as cursor:
        wanted = list(coming(at))
        cursor.execute(
            "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid"
            " WHERE inhparent = 'agents_modelcall'::regclass"
        )
        there = {name for (name,) in cursor.fetchall()}
    until = max((name[-7:] for name in there if "until" in name), default="")
    return [
        f"{month:%Y-%m}"
        for month in wanted
        if f"{month:agents_modelcall_%Y_%m}" not in there and f"{month:%Y_%m}" >= until
    ]


def drop_before(moment: datetime) -> int:
    """Drop the months that had ended by then; how many calls."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT agents_modelcall_drop_before(%s)", [moment])
        return int(cursor.fetchone()[0])


def coming(at: datetime) -> Iterator[datetime]:
    """The first moments of this month and the next ones."""
    for number in range(at.month - 1, at.month + AHEAD):
        yield datetime(at.year + number // 12, number % 12 + 1, 1, tzinfo=UTC)

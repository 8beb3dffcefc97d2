"""A database of a campaign's own, on SQLite or PostgreSQL, that several processes share, and people to act in it.

Import this before anything of Django's: `prepare()` decides which database the settings will see.
"""

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
CASH_USD = Decimal(1_000_000_000)


@contextmanager
def prepare(database: str) -> Iterator[None]:
    """Make an empty database ("sqlite" or a PostgreSQL URL), migrate it, and set Django up on it."""
    with tempfile.TemporaryDirectory() as data, _server(database) as url:
        os.environ |= {
            "NEXTRADE_DATA_DIR": data,
            "SECRET_KEY": "campaign",
            "SECURE_SSL_REDIRECT": "no",
            "LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "nextrade.settings",
        }
        os.environ.pop("DATABASE_URL", None)
        if url:
            os.environ["DATABASE_URL"] = url
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, check=True)
        django.setup()
        yield


@contextmanager
def _server(database: str) -> Iterator[str]:
    if database == "sqlite":
        yield ""
        return
    name = f"campaign_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{database.rsplit('/', 1)[0]}/{name}"
    finally:
        from django.db import connections

        connections.close_all()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def people() -> dict[str, Any]:
    """ann, who trades with very much cash, and the approvers bob and bea, under limits that do not get in the way."""
    from django.contrib.auth.models import Group, User

    from orders import services

    cast = {}
    for name, group in (("ann", "Traders"), ("bob", "Approvers"), ("bea", "Approvers")):
        cast[name] = User.objects.create_user(name)
        cast[name].groups.add(Group.objects.get(name=group))
    services.open_account(cast["ann"], cash_usd=CASH_USD, by="system:campaign", at=now())
    wide_limits()
    return cast


def wide_limits() -> None:
    from orders.models import Limits

    newest = Limits.objects.latest("version")
    newest.pk = None
    for field in ("max_orders_per_minute", "max_orders_per_day"):
        setattr(newest, field, 1_000_000)
    for field in ("max_credit_usd", "max_firm_credit_usd", "max_gross_usd"):
        setattr(newest, field, CASH_USD)
    newest.duplicate_window_s = 0
    newest.save(force_insert=True)


def now() -> datetime:
    return datetime.now(UTC)

"""A whole installation of a test's own, in processes of its own: what a restore replaces cannot be this process'."""

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent.parent
SEED = """
from decimal import Decimal
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from orders import services
for name, group in (("ann", "Traders"), ("bob", "Approvers"), ("zanzibarina", "Traders")):
    user = User.objects.create_user(name, f"{name}@nextrade.example", "secret")
    user.groups.add(Group.objects.get(name=group))
    if group == "Traders":
        services.open_account(user, cash_usd=Decimal(100_000), by="system:test", at=timezone.now())
ann, bob = User.objects.get(username="ann"), User.objects.get(username="bob")
request = services.Request(key="one", symbol="AAPL", side="buy", quantity="10")
store = SessionStore()
store["_auth_user_id"] = "1"
store.save()
order = services.propose(request, owner=ann, by="agent:portfolio", at=timezone.now())
"""


class House:
    """database: "sqlite" or the URL of this installation's own PostgreSQL database."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        folder.mkdir(parents=True, exist_ok=True)
        self.is_sqlite = database == "sqlite"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
            "NEXTRADE_DATA_DIR": str(folder),
            "SECRET_KEY": "a-house-of-a-test",
            "LOG_LEVEL": "ERROR",
            "NEXTRADE_REQUIRE_2FA": "no",
            **({} if self.is_sqlite else {"DATABASE_URL": database}),
        }

    def run(self, *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command, whatever it exits with; more: its environment."""
        return subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=ROOT,
            env={**self.environment, **more},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def must(self, *args: str, **more: str) -> str:
        """A command that has to succeed; what it printed."""
        done = self.run(*args, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def python(self, code: str) -> str:
        return self.must("shell", "--no-imports", "-c", code)

    def build(self) -> None:
        """Migrated, with a cast, an order, and all of it sealed."""
        self.must("migrate", "--verbosity", "0")
        self.python(SEED)
        self.must("sealer", "--once")

    def back_up(self) -> str:
        return self.must("backup", "run").removeprefix("Backup completed: ")

    def ruin(self) -> None:
        """What a bad day leaves: pages of noise, or a table that is no more."""
        if self.is_sqlite:
            with (self.folder / "nextrade.sqlite3").open("r+b") as file:
                file.seek(4096)
                file.write(os.urandom(300_000))
            return
        with psycopg.connect(self.database, autocommit=True) as connection:
            connection.execute("DROP TABLE orders_order CASCADE")


@contextmanager
def built(folder: Path, database: str) -> Iterator[House]:
    """database: "sqlite", or a PostgreSQL URL beside whose database one is made, and dropped after, with what restores
    left of it."""
    if database == "sqlite":
        house = House(folder, database)
        house.build()
        yield house
        shutil.rmtree(folder)
        return
    name = f"house_{uuid.uuid4().hex[:10]}"
    try:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        house = House(folder, f"{database.rsplit('/', 1)[0]}/{name}")
        house.build()
        yield house
    finally:
        with psycopg.connect(database, autocommit=True) as connection:
            rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{name}%"]).fetchall()
            for (each,) in rows:
                connection.execute(f"DROP DATABASE {each} WITH (FORCE)")
        shutil.rmtree(folder, ignore_errors=True)

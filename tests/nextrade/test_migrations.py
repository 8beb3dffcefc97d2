"""A migration of a desk at work keeps nobody waiting for long."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django_migration_linter.migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import analyse_sql_statements, get_sql_analyser_class

from agents.models import Message
from nextrade import migrating
from nextrade.migrating import AddIndexQuietly

pytestmark = [
    pytest.mark.owner,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(settings.SQLITE, reason="a migration has SQLite's file to itself"),
]
OURS = ("agents", "compliance", "orders", "ops")
NO_MATTER = (
    "DROP_INDEX",
    "RUNPYTHON_MODEL_VARIABLE_NAME",
)  # over at once, or not at all (LOCK_WAIT); a matter of taste
WRITTEN_BEFORE = {  # released to nobody when these rules came
    ("agents", "0002_breakers"): {"NOT_NULL"},
    ("agents", "0004_prices"): {"NOT_NULL", "CREATE_INDEX", "CREATE_INDEX_EXCLUSIVE"},
}


def test_the_linter_finds_nothing_in_our_migrations() -> None:
    linter = MigrationLinter(no_cache=True, no_output=True, exclude_migration_tests=NO_MATTER)
    analyser = get_sql_analyser_class(connection.settings_dict["ENGINE"], analyser_string="postgresql")
    found: dict[tuple[str, str], set[str]] = {}
    for (app, name), migration in MigrationLoader(connection).disk_migrations.items():
        if app in OURS and not migration.initial:
            errors, _, warnings = analyse_sql_statements(analyser, linter.get_sql(app, name), NO_MATTER)
            data_errors, _, data_warnings = linter.analyse_data_migration(migration)
            if codes := {issue.code for issue in [*errors, *warnings, *data_errors, *data_warnings]}:
                found[app, name] = codes
    assert found == WRITTEN_BEFORE


@pytest.fixture
def index() -> Iterator[AddIndexQuietly]:
    name = "agents_message_tried"
    yield AddIndexQuietly("message", models.Index(fields=["model"], name=name))
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX IF EXISTS {name}")


def build(index: AddIndexQuietly) -> None:
    before = ProjectState.from_apps(MigrationLoader(connection).project_state().apps)
    after = before.clone()
    index.state_forwards("agents", after)
    with connection.schema_editor(atomic=False) as editor:
        index.database_forwards("agents", editor, before, after)


def is_valid(index: AddIndexQuietly) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(migrating.STATE, [index.index.name])
        return cursor.fetchone()


def test_an_index_that_was_half_built_is_built_anew_and_a_whole_one_is_kept(index: AddIndexQuietly) -> None:
    build(index)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)", [index.index.name])
    assert is_valid(index) == (False,)
    for _ in range(2):
        build(index)
        assert is_valid(index) == (True,)


def test_a_change_that_would_wait_behind_a_reader_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrating, "LOCK_WAIT", "100ms")
    parameters: Any = connection.get_connection_params()
    with psycopg.connect(**{**parameters, "cursor_factory": psycopg.Cursor}) as reader:
        reader.execute(f"SELECT count(*) FROM {Message._meta.db_table}")
        migrating.hurry()
        with pytest.raises(OperationalError, match="lock timeout"), connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {Message._meta.db_table} ADD COLUMN tried integer")
    migrating.take_time()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)

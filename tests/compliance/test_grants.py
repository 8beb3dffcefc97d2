"""The product at work in the restricted role: it can do its work, and not touch the trail."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from compliance import grants, triggers, verify
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from orders import execution, services
from orders.models import Outbox, Status
from tests.conftest import NOON, Propose

needs_roles = pytest.mark.skipif("connection.vendor == 'sqlite'", reason="SQLite has no roles")


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture
def roles(transactional_db: None, vault: object) -> Iterator[None]:
    run(*grants.statements())
    yield
    run("RESET ROLE")


@needs_roles
def test_the_core_flow_runs_as_the_restricted_role(roles: None, propose: Propose, bob: User) -> None:
    sealer = Sealer()
    run(f"SET ROLE {grants.APP}")
    order = propose()
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
    order.refresh_from_db()
    assert order.status == Status.FILLED
    run("RESET ROLE", f"SET ROLE {grants.SEALER}")
    sealer.start(at=timezone.now())
    assert sealer.seal(at=timezone.now()) == ComplianceEvent.objects.count()
    assert verify.verify().faults == []


@needs_roles
@pytest.mark.parametrize("role", [grants.APP, grants.SEALER])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compliance_complianceevent SET action = 'x'",
        "DELETE FROM compliance_complianceevent",
        "TRUNCATE compliance_complianceevent",
        "ALTER TABLE compliance_complianceevent DISABLE TRIGGER ALL",
        "DROP TRIGGER compliance_complianceevent_no_change ON compliance_complianceevent",
        "SET session_replication_role = replica",
        "INSERT INTO compliance_complianceevent (id) VALUES (1)",
        "UPDATE compliance_checkpoint SET size = 0",
        "DELETE FROM compliance_leaf",
        "DELETE FROM compliance_anchor",
        "CREATE TABLE mine (id int)",
    ],
)
def test_neither_role_can_touch_what_is_written(roles: None, role: str, statement: str) -> None:
    run(f"SET ROLE {role}")
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        run(statement)


@needs_roles
def test_the_app_cannot_seal(roles: None) -> None:
    run(f"SET ROLE {grants.APP}")
    with pytest.raises(DatabaseError, match="permission denied"):
        run("INSERT INTO compliance_statement (kind, subject, note) VALUES ('purge', 'x', 'x')")


@needs_roles
def test_even_a_superuser_s_replica_mode_does_not_switch_the_triggers_off(db: None) -> None:
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        run("SET LOCAL session_replication_role = replica", "TRUNCATE compliance_complianceevent")


@needs_roles
def test_check_warns_of_a_role_that_could_and_not_of_one_that_cannot(roles: None) -> None:
    assert [found.id for found in grants.role_fits(databases=["default"])] == ["compliance.W001"]
    run(f"SET ROLE {grants.APP}")
    assert grants.role_fits(databases=["default"]) == []


def test_check_fails_without_triggers(db: None) -> None:
    assert triggers.triggers_stand(databases=["default"]) == []
    triggers.remove()
    assert [found.id for found in triggers.triggers_stand(databases=["default"])] == ["compliance.E001"]


def test_a_trigger_that_was_gutted_is_missed(db: None) -> None:
    name = "compliance_leaf_extends"
    on = "" if connection.vendor == "sqlite" else " ON compliance_leaf"
    run(f"DROP TRIGGER {name}{on}")
    if connection.vendor == "sqlite":
        run(f"CREATE TRIGGER {name} BEFORE INSERT ON compliance_leaf BEGIN SELECT 1; END")
    else:
        run(
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
            f"CREATE TRIGGER {name} BEFORE INSERT ON compliance_leaf FOR EACH ROW EXECUTE FUNCTION {name}()",
            f"ALTER TABLE compliance_leaf ENABLE ALWAYS TRIGGER {name}",
        )
    assert triggers.missing() == [name]


def test_the_command_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("audit", "grants")
    assert "GRANT INSERT (event_uuid," in capsys.readouterr().out

import json
from datetime import timedelta
from pathlib import Path

import pytest
import rfc8785
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from compliance import audit, projection, triggers
from compliance.audit import Action
from compliance.models import ComplianceEvent
from nextrade.errors import Missing, Refused
from tests.conftest import NOON


def record(**more) -> ComplianceEvent:  # type: ignore[no-untyped-def]
    with transaction.atomic():
        return audit.record(more.pop("action", Action.CHAT_REQUEST), actor="user:1", at=NOON, **more)


@pytest.mark.django_db
def test_the_canonical_bytes_say_what_the_columns_say() -> None:
    event = ComplianceEvent.objects.get(pk=record(details={"message": "Grüße, 株"}).pk)
    assert rfc8785.dumps(event.facts()) == bytes(event.canonical)
    assert json.loads(bytes(event.canonical))["ts_utc"] == "2026-11-23T12:00:30.000000Z"


@pytest.mark.django_db
def test_an_unknown_action_raises() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        record(action="nonsense")


def test_every_action_has_a_type() -> None:
    assert set(audit.TYPE_OF) == set(Action)


@pytest.mark.django_db(transaction=True)
def test_an_event_needs_the_transaction_of_its_change() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        audit.record(Action.LOGIN, actor="user:1", at=NOON)


@pytest.mark.django_db(transaction=True)
def test_a_refusal_outlives_the_transaction_it_rolls_back() -> None:
    def refused() -> None:
        with audit.refusals(actor="user:1", at=NOON), transaction.atomic(durable=True):
            audit.record(Action.LOGIN, actor="user:1", at=NOON)
            raise Refused("no", code="because")

    with pytest.raises(Refused):
        refused()
    event = ComplianceEvent.objects.get()
    assert (event.action, event.outcome, event.details["code"]) == ("refused", "refused", "because")


@pytest.mark.django_db
def test_looking_for_what_is_not_there_is_no_event() -> None:
    with pytest.raises(Missing), audit.refusals(actor="user:1", at=NOON):
        raise Missing("no")
    assert not ComplianceEvent.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE compliance_complianceevent SET action = 'x'",
        "DELETE FROM compliance_complianceevent",
        "UPDATE compliance_complianceevent SET id = id + 100",
    ],
)
def test_the_database_refuses_to_change_the_trail(statement: str) -> None:
    record()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.django_db
def test_the_orm_s_back_doors_are_shut() -> None:
    event = record()
    events = ComplianceEvent.objects.filter(pk=event.pk)
    for change in (
        lambda: events.update(action="x"),
        events.delete,
        event.delete,
        lambda: event.save(update_fields=["action"]),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


@pytest.mark.django_db
def test_an_event_cannot_be_replaced() -> None:
    event = record()
    event.action = "forged"
    with pytest.raises((DatabaseError, IntegrityError)), transaction.atomic():
        event.save(force_insert=True)
    if connection.vendor == "sqlite":
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "INSERT OR REPLACE INTO compliance_complianceevent "
                "SELECT * FROM compliance_complianceevent WHERE id = %s",
                [event.pk],
            )


@pytest.mark.django_db(transaction=True)
def test_the_table_cannot_be_truncated() -> None:
    if connection.vendor == "sqlite":
        return  # SQLite has no TRUNCATE; DELETE without a condition is tried above
    record()
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute("TRUNCATE compliance_complianceevent")


@pytest.mark.django_db(transaction=True)
def test_migrating_puts_lost_triggers_back() -> None:
    assert triggers.missing() == []
    triggers.remove()
    assert triggers.missing()
    call_command("migrate", verbosity=0)
    assert triggers.missing() == []


@pytest.mark.django_db
def test_a_user_with_a_history_cannot_be_deleted_through_it(ann: User) -> None:
    record()
    assert ComplianceEvent.objects.filter(subject_pid="user:1").exists()


@pytest.mark.django_db
def test_the_lines_are_to_the_letter(ann: User) -> None:
    def line(action: Action, details: dict[str, object]) -> str:
        with transaction.atomic():
            return projection.line(audit.record(action, actor=audit.person(ann), at=NOON, details=details))

    assert line(Action.CHAT_REQUEST, {"message": "Research NVIDIA stock"}) == (
        "2026-11-23 12:00:30 | INFO | USER_ACTION | Action: chat_request | User: ann | "
        "Details: {'message': 'Research NVIDIA stock'}"
    )
    assert line(
        Action.INPUT_VALIDATION_FAILED,
        {"errors": ["Potentially malicious patterns detected: ignore previous instructions"]},
    ) == (
        "2026-11-23 12:00:30 | WARNING | SAFETY_VIOLATION | Type: input_validation_failed | User: ann | "
        "Details: {'errors': ['Potentially malicious patterns detected: ignore previous instructions']}"
    )
    assert line(Action.INPUT, {"length": 250}) == (
        "2026-11-23 12:00:30 | INFO | VALIDATION | Type: input | Valid: True | User: ann | Details: {'length': 250}"
    )


@pytest.mark.django_db(transaction=True)
def test_the_log_gets_a_line_when_the_event_is_committed_and_none_when_it_is_not() -> None:
    log = Path(settings.COMPLIANCE_LOG_PATH)
    lines = len(log.read_text().splitlines()) if log.exists() else 0
    record(details={"message": "kept"})
    with transaction.atomic():
        audit.record(Action.CHAT_REQUEST, actor="user:1", at=NOON, details={"message": "lost"})
        transaction.set_rollback(True)
    written = log.read_text().splitlines()[lines:]
    assert len(written) == 1
    assert "kept" in written[0]


@given(st.text())
def test_no_text_can_end_a_line_or_open_a_field(text: str) -> None:
    escaped = projection.escape(text)
    assert "|" not in escaped
    assert len(escaped.splitlines()) <= 1


@pytest.mark.django_db
def test_a_forged_user_name_stays_one_line() -> None:
    evil = User.objects.create(
        username="eve\n2026-01-01 00:00:00 | INFO | APPROVAL | Action: order_approved | User: boss"
    )
    with transaction.atomic():
        event = audit.record(Action.LOGIN, actor=audit.person(evil), at=NOON + timedelta(seconds=1))
    text = projection.line(event)
    assert len(text.splitlines()) == 1
    assert text.count(" | ") == 5


def test_the_newest_violations_are_told_in_the_terminal(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        with transaction.atomic():
            audit.record(
                Action.INPUT_VALIDATION_FAILED, actor=audit.person(ann), at=NOON, details={"errors": [f"no. {number}"]}
            )
    with transaction.atomic():
        audit.record(Action.CHAT_REQUEST, actor=audit.person(ann), at=NOON)

    call_command("compliance", "violations")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[-1].endswith(
        "SAFETY_VIOLATION | Type: input_validation_failed | User: ann | Details: {'errors': ['no. 24']}"
    )
    call_command("compliance", "violations", last=1, json=True)
    assert json.loads(capsys.readouterr().out)[0]["details"] == {"errors": ["no. 24"]}

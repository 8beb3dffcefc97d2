import uuid
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from compliance import queries, triggers, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from tests.compliance.conftest import record
from tests.conftest import NOON


def test_an_order_a_thread_and_a_person_have_each_their_events(db: None) -> None:
    order, thread = uuid.uuid4(), uuid.uuid4()
    first = record(
        Action.ORDER_PROPOSED, actor="agent:portfolio", on_behalf_of="user:7", order_id=order, thread_id=thread
    )
    record(actor="user:8")
    last = record(Action.ORDER_APPROVED, actor="user:9", on_behalf_of="user:7", order_id=order)

    assert list(queries.of_order(order)) == [first, last]
    assert list(queries.of_thread(thread)) == [first]
    assert list(queries.of_person("user:7")) == [last, first]
    assert list(queries.of_person("user:9")) == [last]


def test_the_state_of_the_trail_tells_verification_logs_keys_and_what_is_wrong(sealer: Sealer) -> None:
    record()
    sealer.seal(at=NOON)
    verify.note(verify.verify(processes=1), is_full=True, at=NOON)
    triggers.remove()

    with CaptureQueriesContext(connection) as asked:
        found = queries.integrity(at=NOON)
    triggers.reinstall()

    assert len(asked) < 15
    assert found.last_full is not None
    assert (found.last_full.details["ok"], found.last_recent) == (True, None)
    assert [(log.log, log.size, log.is_behind) for log in found.logs] == [("compliance/2026-11", 1, False)]
    assert [key.revoked_from for key in found.keys] == [""]
    assert any("compliance_leaf" in problem for problem in found.problems)


def test_the_head_names_each_log_s_size_and_root(sealer: Sealer) -> None:
    event = record()
    sealer.seal(at=NOON)
    head = queries.head()
    assert head["events"] == event.pk
    assert head["logs"]["compliance/2026-11"]["size"] == 1


def test_a_broken_trail_raises_the_alarm_when_its_verification_is_written_down(sealer: Sealer) -> None:
    event = record()
    sealer.seal(at=NOON)
    triggers.remove()
    ComplianceEvent.objects.filter(pk=event.pk).update(action="login")
    triggers.reinstall()
    verify.note(verify.verify(processes=1), is_full=True, at=NOON)

    assert ComplianceEvent.objects.get(action="trail_verified").outcome == "failed"
    assert ComplianceEvent.objects.get(action="alert_raised").details["alert"] == "trail_broken"


@pytest.mark.django_db(transaction=True)
def test_the_log_is_rebuilt_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Path(settings.COMPLIANCE_LOG_PATH)
    log.unlink(missing_ok=True)
    record(details={"zeta": "a|b\r\nc", "a": {"nested": ["x", 1, None, True]}, "message": "株 '\u202e"})
    record(Action.INPUT, details={"length": 250})
    record(Action.INPUT_VALIDATION_FAILED, details={"errors": ["Potentially malicious patterns detected: x"]})
    written = log.read_bytes()
    assert written.count(b"\n") == 3
    log.write_text("somebody was here\n")

    call_command("audit", "rebuild_log")

    assert log.read_bytes() == written
    record()
    assert log.read_bytes().startswith(written)

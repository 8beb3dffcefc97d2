from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from compliance import examination, privacy, secrets, subjects, triggers, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from compliance.secrets import KeyProblem
from tests.compliance.conftest import record
from tests.conftest import NOON

SAID = "my name is Zanzibarina"


def said(**more: Any) -> ComplianceEvent:
    return ComplianceEvent.objects.get(pk=record(personal={"message": SAID}, details={"length": 5}, **more).pk)


def test_personal_facts_are_read_while_the_key_stands_and_never_after(sealer: Sealer) -> None:
    event = said()
    assert SAID.encode() not in bytes(event.canonical) + bytes(event.pii_ct or b"")
    assert privacy.told(event) == {"length": 5, "message": SAID}
    subjects.destroy("user:1", ["compliance"], at=NOON)
    assert privacy.told(event) == {"length": 5, "personal": "erased"}
    sealer.seal(at=NOON)
    report = verify.verify(processes=1)
    assert (report.faults, report.shredded) == ([], 1)


def test_the_same_words_twice_do_not_look_the_same(db: None) -> None:
    assert bytes(said().pii_ct or b"") != bytes(said().pii_ct or b"")


def test_of_an_erased_person_nothing_new_is_kept(db: None) -> None:
    subjects.destroy("user:1", subjects.every_class(), at=NOON)
    event = said()
    assert (event.pii_ct, event.details) == (None, {"length": 5, "personal": "erased"})


def test_a_key_of_one_class_outlives_that_of_the_other(db: None) -> None:
    kept = said(action=Action.ORDER_PROPOSED, order_id="0591982c-57ea-453d-9188-51ca18870e96")
    gone = said()
    subjects.destroy("user:1", ["compliance"], at=NOON)
    assert privacy.told(kept)["message"] == SAID
    assert "message" not in privacy.told(gone)


@pytest.mark.parametrize("change", [{"pii_ct": b"x" * 60}, {"pii_key_id": "user:2/compliance"}, {"pii_ct": None}])
def test_another_ciphertext_or_owner_is_found(sealer: Sealer, change: dict[str, Any]) -> None:
    event = said()
    sealer.seal(at=NOON)
    triggers.remove()
    ComplianceEvent.objects.filter(pk=event.pk).update(**change)
    triggers.reinstall()
    assert [fault.where for fault in verify.verify(processes=1).faults] == [f"event {event.pk}"]
    assert examination.Fault  # named by the event's own examination


def test_a_ciphertext_is_bound_to_its_event(db: None) -> None:
    one, other = said(), said()
    other.pii_ct = one.pii_ct
    assert "altered" in privacy.told(other)["personal"]


def test_two_who_begin_at_once_have_one_wrapping_key(db: None, vault: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other finds no file either, and is done with its key when we look whether there are any."""
    run, others = subjects._run, iter(["user:2"])

    def after_the_other(query: str, given: Sequence[str] = ()) -> list[Any]:
        if query.startswith("SELECT 1") and (pid := next(others, "")):
            assert subjects.key(pid, "compliance", may_create=True)
        return run(query, given)

    monkeypatch.setattr(subjects, "_run", after_the_other)
    ours = subjects.key("user:1", "compliance", may_create=True)
    subjects.forget()
    assert ours == subjects.key("user:1", "compliance") != subjects.key("user:2", "compliance")


def test_the_wrapping_key_lost_or_swapped_stops_what_needs_it(db: None, vault: Path) -> None:
    said()
    subjects.forget()
    secrets.path(subjects.WRAP).unlink()
    with pytest.raises(KeyProblem):
        said()
    with pytest.raises(KeyProblem):
        said(actor="user:2")
    secrets.create(subjects.WRAP, "11" * 32)
    subjects.forget()
    with pytest.raises(KeyProblem):
        said()
    assert ComplianceEvent.objects.count() == 1


def test_with_the_keys_file_missing_nobody_looks_forgotten(db: None, vault: Path, settings: Any) -> None:
    event = said()
    file = Path(settings.SUBJECTS_DATABASE["NAME"])
    aside = file.rename(file.with_suffix(".aside"))
    subjects.forget()
    for question in (said, lambda: privacy.told(event), subjects.all_erased):
        with pytest.raises(KeyProblem, match="put back the subjects' keys"):
            question()
    assert not file.exists()
    aside.rename(file)
    assert privacy.told(event)["message"] == SAID


def test_the_rebuilt_log_has_the_words_until_they_are_erased(db: None, settings: Any) -> None:
    said()
    log = Path(settings.COMPLIANCE_LOG_PATH)
    call_command("audit", "rebuild_log")
    assert SAID in log.read_text()
    subjects.destroy("user:1", subjects.every_class(), at=NOON)
    call_command("audit", "rebuild_log")
    assert SAID not in log.read_text()


def test_check_warns_of_keys_that_only_one_machine_has(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "ENGINE", "django.db.backends.postgresql")
    assert [found.id for found in subjects.keys_are_shared()] == ["compliance.W002"]
    settings.SUBJECTS_DATABASE = {"ENGINE": "django.db.backends.postgresql"}
    assert subjects.keys_are_shared() == []

"""R22: after an erasure no string of the person is left anywhere; what the law wants kept is kept, and no longer."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from compliance import audit, erasure, mac, privacy, retention, subjects, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from orders import services
from orders.models import Order
from tests.compliance.conftest import record
from tests.conftest import NOON, Propose, person

NAME, WORDS, FAMILY = "zanzibarina", "quixotic penguins", "Featherstonehaugh"
MARKS = (NAME, WORDS, FAMILY)
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.owner]


@pytest.fixture
def zan(sealer: Sealer) -> User:
    return person(NAME, "Traders", last_name=FAMILY, is_staff=True)


@pytest.fixture
def sealer(tmp_path: Path, settings: Any) -> Iterator[Sealer]:
    settings.KEYS_DIR = tmp_path / "keys"
    settings.ANCHORS = [f"file:{tmp_path / 'trail.jsonl'}"]
    mac.forget()
    yield Sealer()
    mac.forget()


def found() -> set[str]:
    """Which of the marks stand in a file of the data directory, or in a table of PostgreSQL."""
    where = {mark for mark in MARKS for data in _files() if mark.lower().encode() in data}
    return where | (set() if settings.SQLITE else {mark for mark in MARKS if _in_tables(mark)})


def _files() -> Iterator[bytes]:
    if settings.SQLITE:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for file in Path(settings.DATA_DIR).rglob("*"):
        if file.is_file() and "static" not in file.parts:
            yield file.read_bytes().lower()


def _in_tables(mark: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(
                f"SELECT EXISTS (SELECT 1 FROM {table} t WHERE t::text ILIKE %s OR t::text ILIKE %s)",
                [f"%{mark}%", f"%{mark.encode().hex()}%"],
            )
            if cursor.fetchone()[0]:
                return True
    return False


def live(user: User) -> Client:
    """Leave traces wherever a person does."""
    web = Client()
    given = {"username": NAME, "password": "secret"}
    Client().post("/api/v1/auth/token/", {**given, "password": "wrong"}, content_type="application/json")
    token = web.post("/api/v1/auth/token/", given, content_type="application/json").json()["token"]
    web = Client(headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "k1"})
    said = {"message": f"hi, I like {WORDS}"}
    assert web.post("/api/v1/chat/", said, content_type="application/json").status_code == 200
    streamed = web.post("/api/v1/chat/stream/", said, content_type="application/json")
    assert b"".join(streamed.streaming_content)  # type: ignore[attr-defined]
    desk = Client()
    assert desk.login(**given)
    LogEntry.objects.create(user=user, object_repr=NAME, action_flag=2, change_message=f"Changed {NAME}")
    return web


def test_nothing_of_the_person_is_left_anywhere_and_the_trail_verifies(zan: User, sealer: Sealer) -> None:
    sealer.start(at=NOON)
    web = live(zan)
    sealer.seal(at=NOON + timedelta(days=10))
    assert found() == set(MARKS)

    call_command("gdpr", "erase", NAME)

    assert found() == set()
    zan.refresh_from_db()
    assert (zan.username, zan.is_active, zan.has_usable_password()) == (f"erased-{zan.pk}", False, False)
    assert web.get("/api/v1/threads/").status_code == 401
    assert not Client().login(username=NAME, password="secret")
    event = ComplianceEvent.objects.get(action="person_erased")
    assert event.subject_pid == audit.person(zan)
    assert event.details["deleted"]["conversations"] >= 3
    sealer.seal(at=NOON + timedelta(days=10))
    report = verify.verify(processes=1)
    assert report.faults == []
    assert report.shredded == 3  # what was said twice, and the name given with the wrong password


def test_what_the_law_wants_is_kept_as_long_and_then_goes(ann: User, bob: User, propose: Propose) -> None:
    order = propose(words="buy ten, says ann")
    services.approve(order.pk, by=bob, version=order.version, at=NOON)
    about = audit.person(ann)
    kept = record(Action.ORDER_CANCEL_REQUESTED, actor=about, order_id=order.pk, personal={"why": "a whim"})
    counts = erasure.erase(ann, by="system:test", at=NOON)
    assert counts["orders"] == 0
    assert subjects.restricted_until(about)[:10] == "2033-11-23"
    assert privacy.told(kept)["why"] == "a whim"
    client = Client()
    client.force_login(bob)
    page = client.get(f"/admin/orders/order/{order.pk}/review/").content.decode()
    assert "restricted: this person was erased" in page
    assert "says ann" not in page

    day = retention.later(NOON, 7)
    assert erasure.finish(at=day - timedelta(seconds=1)) == []
    assert erasure.finish(at=day) == [about]
    assert erasure.finish(at=day) == []
    assert "why" not in privacy.told(kept)
    assert Order.objects.get(pk=order.pk).user_words == ""


def test_a_legal_hold_stops_an_erasure(zan: User) -> None:
    retention.hold(audit.person(zan), reason="a claim", by="user:1", at=NOON)
    with pytest.raises(CommandError, match="legal hold"):
        call_command("gdpr", "erase", NAME)
    assert User.objects.filter(username=NAME).exists()
    retention.lift(audit.person(zan), reason="settled", by="user:2", at=NOON)
    call_command("gdpr", "erase", NAME)


def test_after_a_restore_whoever_was_erased_is_erased_again_and_nobody_else(zan: User, ann: User) -> None:
    call_command("gdpr", "erase", NAME)
    User.objects.filter(pk=zan.pk).update(username=NAME, is_active=True)  # as yesterday's backup has it
    assert erasure.reapply(at=NOON) == [audit.person(zan)]
    assert erasure.reapply(at=NOON) == []
    assert not User.objects.filter(username=NAME).exists()
    assert User.objects.filter(username="ann", is_active=True).exists()


def test_a_restored_key_database_is_erased_again_by_the_trail(zan: User) -> None:
    event = record(actor=audit.person(zan), personal={"message": WORDS})
    keys = Path(settings.SUBJECTS_DATABASE["NAME"])
    yesterday = keys.read_bytes()
    call_command("gdpr", "erase", NAME)
    keys.write_bytes(yesterday)
    subjects.forget()
    assert privacy.told(event) == {"message": WORDS}
    call_command("gdpr", "reapply")
    assert privacy.told(event) == {"personal": "erased"}


def test_a_later_user_of_the_same_number_is_left_alone(zan: User) -> None:
    call_command("gdpr", "erase", NAME)
    User.objects.filter(pk=zan.pk).update(username="another", is_active=True, date_joined=NOON)
    assert erasure.reapply(at=NOON) == []


def test_a_person_is_given_all_that_is_known_of_them(zan: User, tmp_path: Path) -> None:
    live(zan)
    out = tmp_path / "zan.json"
    call_command("gdpr", "export", NAME, "--out", str(out))
    given = json.loads(out.read_text())
    assert out.stat().st_mode & 0o077 == 0
    assert given["account"]["last_name"] == FAMILY
    assert WORDS in given["conversations"]["threads"][0]["messages"][0]["content"]
    assert any(event["details"].get("message", "").endswith(WORDS) for event in given["events"])
    assert ComplianceEvent.objects.get(action="personal_data_exported").subject_pid == audit.person(zan)


def test_nobody_is_no_user() -> None:
    with pytest.raises(CommandError, match="no user"):
        call_command("gdpr", "erase", "nobody")

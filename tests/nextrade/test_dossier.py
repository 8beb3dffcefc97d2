"""An order's decision file proves itself on another machine, and says so when somebody touched it."""

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from compliance import erasure, mac, subjects, trust
from compliance.models import ComplianceEvent, RetentionClass
from compliance.sealer import Sealer
from orders import execution, services
from orders.models import Order, Outbox
from tests.conftest import NOON, Propose

WORDS = "Buy 10 shares of Apple"
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.owner]


@pytest.fixture(autouse=True)
def sealer(tmp_path: Path, settings: Any) -> Sealer:
    settings.KEYS_DIR = tmp_path / "keys"
    settings.ANCHORS = [f"file:{tmp_path / 'trail.jsonl'}"]
    mac.forget()
    made = Sealer()
    made.start(at=NOON)
    return made


@pytest.fixture
def order(propose: Propose, bob: User, sealer: Sealer) -> Order:
    grounds = {"prompts_sha256": "ab" * 32, "tool_results": [{"tool": "get_quote", "sha256": "cd" * 32}]}
    made = propose(words=WORDS, grounds=grounds)
    services.approve(made.pk, by=bob, version=made.version, at=NOON)
    execution.execute(made.pk, Outbox.Kind.SUBMIT, at=NOON)
    sealer.seal(at=NOON)
    made.refresh_from_db()
    return made


@pytest.fixture
def folder(order: Order, tmp_path: Path) -> Path:
    return unpacked(order, tmp_path)


def unpacked(order: Order, tmp_path: Path) -> Path:
    out = tmp_path / "order.zip"
    call_command("order", "dossier", str(order.pk), "--out", str(out))
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "unpacked")
    return tmp_path / "unpacked"


def run(folder: Path, *more: str) -> tuple[int, str]:
    command = [sys.executable, "-I", str(folder / "verify.py"), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def rehash(folder: Path) -> None:
    """As a forger would, so that it is not the manifest that finds them."""
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_it_has_the_whole_story_and_proves_it_offline(order: Order, folder: Path) -> None:
    code, told = run(folder, "--pin", str(trust.pinned()))
    assert (code, "RIGHT" in told) == (0, True)
    for action in ("order_proposed", "order_approved", "order_submitted", "order_filled"):
        assert action in told
    facts = json.loads((folder / "dossier.json").read_text())
    assert (facts["words"], facts["prompts_sha256"]) == (WORDS, "ab" * 32)
    assert facts["tool_results"][0]["tool"] == "get_quote"
    assert len(facts["approvals"]) == len(facts["executions"]) == len(facts["receipts"]) == 1
    assert facts["checks"]
    assert WORDS in (folder / "dossier.html").read_text()
    assert ComplianceEvent.objects.get(action="dossier_exported").details["of"] == str(order.pk)


def _event(folder: Path) -> None:
    file = folder / "events.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"AAPL"', b'"MSFT"'))


def _order(folder: Path) -> None:
    file = folder / "order.json"
    file.write_bytes(file.read_bytes().replace(b'"10"', b'"99"'))


def _words(folder: Path) -> None:
    file = folder / "words.json"
    file.write_text(file.read_text().replace("Buy 10", "Buy 99"))


def _lost(folder: Path) -> None:
    file = folder / "events.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))


def _moved(folder: Path) -> None:
    file = folder / "proofs.json"
    proofs = json.loads(file.read_text())
    proofs[0]["leaf_index"] += 1
    file.write_text(json.dumps(proofs))


def _unsigned(folder: Path) -> None:
    for file in (folder / "checkpoints").iterdir():
        text = file.read_text()
        file.write_text(text.replace("time 2026", "time 2025"))


@pytest.mark.parametrize("forge", [_event, _order, _words, _lost, _moved, _unsigned])
@pytest.mark.parametrize("is_careful", [False, True])
def test_whatever_is_touched_is_found(folder: Path, forge: Callable[[Path], None], is_careful: bool) -> None:
    forge(folder)
    if is_careful:
        rehash(folder)
    code, told = run(folder)
    assert (code, "WRONG" in told) == (1, True), told


def test_after_an_erasure_the_rest_still_proves_itself(order: Order, ann: User, tmp_path: Path, sealer: Sealer) -> None:
    erasure.erase(ann, by="system:test", at=NOON)
    subjects.destroy(f"user:{ann.pk}", [RetentionClass.TRANSACTION], at=NOON)
    Order.objects.filter(pk=order.pk).update(user_words="")
    code, told = run(unpacked(order, tmp_path))
    assert (code, "cannot be proved" in told) == (0, True), told


def test_the_admin_gives_it_to_compliance_alone(client: Client, order: Order, bob: User, carol: User) -> None:
    url, page = f"/admin/dossier/{order.pk}/", f"/admin/orders/order/{order.pk}/review/"
    client.force_login(bob)
    assert client.get(url).status_code == 403
    assert url not in client.get(page).content.decode()
    client.force_login(carol)
    assert url in client.get(page).content.decode()
    assert b"".join(client.get(url).streaming_content)[:2] == b"PK"  # type: ignore[attr-defined]
    assert client.get("/admin/dossier/0591982c-57ea-453d-9188-51ca18870e96/").status_code == 404


def test_no_such_order_and_nothing_sealed_are_said(propose: Propose, tmp_path: Path) -> None:
    out = str(tmp_path / "x.zip")
    with pytest.raises(CommandError, match="no such order"):
        call_command("order", "dossier", "0591982c-57ea-453d-9188-51ca18870e96", "--out", out)
    with pytest.raises(CommandError, match="sealed"):
        call_command("order", "dossier", str(propose().pk), "--out", out)

"""An export proves itself on a machine that has nothing of ours, and stops doing so when it is touched."""

import csv
import hashlib
import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.contrib.auth.models import User
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from compliance import custody, export, merkle, offline_verifier, spreadsheet, trust
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from tests.compliance.conftest import record
from tests.conftest import NOON

DAY = timedelta(days=1)


@pytest.fixture
def exported(sealer: Sealer, carol: User, tmp_path: Path) -> Path:
    """Three days, a rotation of keys between them, the middle one exported."""
    for day in range(3):
        for number in range(9):
            record(at=NOON + day * DAY, details={"message": f"=cmd|{number}"})
        sealer.seal(at=NOON + day * DAY)
        custody.rotate(by="user:1", at=NOON + day * DAY)
    out = tmp_path / "export.zip"
    call_command("audit", "export", "--from", "2026-11-24", "--to", "2026-11-25", "--out", str(out), "--by", "carol")
    with zipfile.ZipFile(out) as archive:
        archive.extractall(tmp_path / "export")
    return tmp_path / "export"


def run(folder: Path, *more: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(folder / "verify.py"), *more], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def remake(folder: Path) -> None:
    """As a forger would, make the manifest fit."""
    manifest = json.loads((folder / "manifest.json").read_text())
    files = {name for name in manifest["files"] if (folder / name).exists()}
    manifest["files"] = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files}
    for log in manifest["logs"]:
        log["checkpoints"] = [name for name in log["checkpoints"] if name in files]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_it_verifies_with_python_alone(exported: Path) -> None:
    code, said = run(exported, "--pin", str(trust.pinned()))
    assert (code, said.splitlines()[-1]) == (0, "RIGHT"), said
    assert "10 events: SYSTEM 1, USER_ACTION 9" in said
    digest = ComplianceEvent.objects.get(action="trail_exported").details["manifest_sha256"]
    assert f"manifest {digest}" in said


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        file = folder / "events.jsonl"
        file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))

    return tamper


def _last_checkpoint(folder: Path) -> None:
    name = json.loads((folder / "manifest.json").read_text())["logs"][0]["checkpoints"][-1]
    (folder / name).unlink()


def _leaf(folder: Path) -> None:
    file = next(folder.glob("*.leaves"))
    file.write_bytes(bytes(32) + file.read_bytes()[32:])


def _key(folder: Path) -> None:
    stated = json.loads((folder / "keys.json").read_text())
    stated["statements"] = stated["statements"][:1]
    (folder / "keys.json").write_text(json.dumps(stated))


TAMPERINGS: dict[str, Callable[[Path], None]] = {
    "cut the file": _lines(lambda lines: lines[:-1]),
    "reorder": _lines(lambda lines: [lines[1], lines[0], *lines[2:]]),
    "edit": _lines(lambda lines: [lines[0].replace(b"user:1", b"user:2"), *lines[1:]]),
    "repeat": _lines(lambda lines: [*lines, lines[-1]]),
    "last checkpoint": _last_checkpoint,
    "a leaf": _leaf,
    "a key": _key,
    "one more file": lambda folder: (folder / "more.txt").write_text("x") and None,
}


@pytest.mark.parametrize("is_remade", [False, True], ids=["as it is", "manifest remade"])
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_it_is_wrong_when_touched(exported: Path, tampering: str, is_remade: bool) -> None:
    TAMPERINGS[tampering](exported)
    if is_remade:
        remake(exported)
    code, said = run(exported)
    assert (code, said.splitlines()[-1]) == (1, "WRONG"), said


def test_another_first_key_is_not_taken(exported: Path) -> None:
    assert run(exported, "--pin", str(trust.generate().verifier))[0] == 1


def test_a_purge_is_told_and_is_right(exported: Path, sealer: Sealer, tmp_path: Path) -> None:
    later = NOON + 10 * DAY
    record(at=later)
    sealer.seal(at=later)
    custody.purge("compliance/2026-11", reason="retention", by="system:retention", at=later)
    out = tmp_path / "again.zip"
    export.write(out, from_=NOON, to=later + DAY, by="user:1", at=later)
    shutil.rmtree(exported)
    with zipfile.ZipFile(out) as archive:
        archive.extractall(exported)
    assert run(exported)[0] == 0


def test_a_spreadsheet_runs_nothing(exported: Path) -> None:
    rows = list(csv.reader(io.StringIO((exported / "events.csv").read_text())))
    assert len(rows) == 11
    assert not any(cell.startswith(spreadsheet.FORMULA) for row in rows for cell in row)
    assert spreadsheet.safe('"=1+1') == "'\"=1+1"


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32), st.integers(0, 511))
def test_our_ed25519_agrees_with_the_library_s(message: bytes, seed: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), bytearray(key.sign(message))
    assert offline_verifier.is_signed(public, message, bytes(signature))
    signature[bit // 8] ^= 1 << bit % 8
    assert not offline_verifier.is_signed(public, message, bytes(signature))


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=70))
def test_its_tree_agrees_with_ours(entries: list[bytes]) -> None:
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    frontier = merkle.Frontier()
    frontier.extend(leaves)
    assert offline_verifier.roots(leaves, [len(leaves)])[len(leaves)] == frontier.root()

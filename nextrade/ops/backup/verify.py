"""Whether a set is what it was when it was made, and holds what its manifest says."""

import gzip
import json
import tempfile
import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import connection

from compliance import anchors, trust
from compliance.anchors import SinkProblem
from compliance.notes import BadNote, Checkpoint, take_apart
from nextrade.ops.backup import manifest, postgres, shelf, sqlite
from nextrade.ops.backup.shelf import BackupProblem


def examine(folder: Path, *, name: str = "") -> list[str]:
    """What is wrong with a set: sums, every file by its own engine, rows, triggers and the trail's heads by the
    manifest. name: the set's, where the folder does not carry it yet."""
    found = manifest.sums_problems(folder)
    if found:
        return found
    try:
        told = manifest.read(folder)
        if told["name"] != (name or folder.name):
            found.append(f"the manifest is of {str(told['name'])[:40]}")
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".verify-") as scratch:
            for file in told["files"]:
                if file.endswith((".db", ".dump")):
                    found += _file_problems(manifest.plain(folder, file, Path(scratch)), told)
    except (BackupProblem, OSError, EOFError, gzip.BadGzipFile, zlib.error) as problem:
        found.append(str(getattr(problem, "message", "")) or f"cannot be read: {type(problem).__name__}")
    return found


def verify(name: str, *, at: datetime) -> list[str]:
    """Examine a set of the data shelf and its keys, and write down beside it what was found. Raises NoSuchBackup."""
    folder = shelf.data().find(name)
    found = examine(folder)
    if folder.name in shelf.keys().names():
        found += [f"keys: {each}" for each in examine(shelf.keys().find(folder.name))]
    mark(folder, found, at=at)
    return found


def mark(folder: Path, problems: list[str], *, at: datetime) -> None:
    draft = folder / f".{manifest.VERIFIED}"
    draft.write_text(json.dumps({"at": at.isoformat(), "problems": problems}) + "\n", encoding="utf-8")
    draft.chmod(0o600)
    draft.replace(folder / manifest.VERIFIED)


def is_verified(folder: Path) -> bool:
    """Whether nothing was wrong when it was last looked at."""
    try:
        return bool(json.loads((folder / manifest.VERIFIED).read_text())["problems"] == [])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def newest_verified() -> str | None:
    return next((name for name in reversed(shelf.data().names()) if is_verified(shelf.data().folder / name)), None)


def _file_problems(file: Path, told: dict[str, Any]) -> list[str]:
    if file.name.endswith(".dump"):
        return postgres.problems(file, connection.settings_dict)
    found = sqlite.problems(file)
    if found or not file.name.startswith("trading_orders_"):
        return found
    return [*_differences(told, sqlite.told(file)), *trail_problems(told["trail"])]


def _differences(told: dict[str, Any], holds: dict[str, Any]) -> Iterable[str]:
    for table in sorted(told["rows"].keys() | holds["rows"].keys()):
        if told["rows"].get(table) != holds["rows"].get(table):
            yield f"{table} has {holds['rows'].get(table)} rows, the manifest says {told['rows'].get(table)}"
    guards, held = told.get("triggers", holds["triggers"]), holds["triggers"]  # sets of before 2026-11-26 name none
    for name in sorted(guards.keys() | held.keys()):
        if guards.get(name) != held.get(name):
            yield f"trigger {name} is not that of the manifest"
    if told["trail"] != holds["trail"]:
        yield "the trail's heads are not those of the manifest"


def trail_problems(heads: list[dict[str, Any]]) -> list[str]:
    """Where a head contradicts what was anchored outside at the same size."""
    outside: dict[tuple[str, int], set[bytes]] = {}
    try:
        for sink in anchors.sinks():
            for item in sink.read() or ():
                if not item.note.startswith(f"{trust.origin()}\n"):
                    signed = Checkpoint.parse(take_apart(item.note).text)
                    outside.setdefault((signed.origin, signed.size), set()).add(signed.root)
        signed_heads = [Checkpoint.parse(take_apart(head["note"]).text) for head in heads]
    except SinkProblem:
        return []  # told of by `audit verify`; not the backup's fault
    except BadNote as bad:
        return [f"a head of the trail is no signed note: {bad}"]
    return [
        f"the trail of {head.origin} at {head.size} is not what was anchored"
        for head in signed_heads
        if head.root not in outside.get((head.origin, head.size), {head.root})
    ]

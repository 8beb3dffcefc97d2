"""A part of the trail as a zip that proves itself on another machine, without us (compliance.offline_verifier).

Of each log that has events in the range: all leaf hashes, the last checkpoint of each day, and the events from the
first to the last in the range, none left out. The export is itself an event, which names the manifest's hash.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from django.db import transaction
from django.db.models import Max, Min

from compliance import anchors, audit, notes, offline_verifier, trust
from compliance.audit import Action
from compliance.models import Checkpoint, ComplianceEvent, Leaf, Statement, timestamp
from compliance.spreadsheet import safe
from nextrade.errors import Missing

README = """An export of NexTrade's audit trail.

    python3 verify.py --pin "the first key, as you know it"

events.jsonl       one event a line: the exact bytes that were hashed (RFC 8785)
events.csv         the same for a spreadsheet; proves nothing
*.leaves           each log's leaf hashes, 32 bytes each (RFC 6962)
checkpoints/       signed notes (C2SP) of each log's size and root
keys.json          the pinned first key, and the signed statements about keys since
anchors.json       what was put outside, and when
manifest.json      the hash of each file; its own hash is in the trail, as event trail_exported
"""
CSV_COLUMNS = ("ts_utc", "type", "action", "severity", "outcome", "actor_pid", "subject_pid", "order_id", "details")


@dataclass(frozen=True, kw_only=True)
class Part:
    """Of a log: leaves first to stop (exclusive) are in the range; size: how many leaves its last checkpoint has."""

    log: str
    first: int
    stop: int
    size: int

    @property
    def file(self) -> str:
        return self.log.replace("/", "-")


def write(out: Path | IO[bytes], *, from_: datetime, to: datetime, by: str, at: datetime) -> str:
    """Write the zip; the manifest's SHA-256. Raises Missing where nothing of the range is sealed."""
    parts = list(_parts(from_, to))
    if not parts:
        raise Missing("nothing that happened in this range is sealed")
    files: dict[str, bytes] = {"README": README.encode(), "verify.py": Path(offline_verifier.__file__).read_bytes()}
    lines = [line for part in parts for line in _events(part)]
    files["events.jsonl"] = b"".join(line + b"\n" for line in lines)
    files["events.csv"] = _csv(lines)
    listed = []
    for part in parts:
        named = {f"checkpoints/{part.file}-{row.pk}.note": row.note.encode() for row in _checkpoints(part)}
        leaves = Leaf.objects.filter(log=part.log, leaf_index__lt=part.size).order_by("leaf_index")
        files |= named
        files[f"{part.file}.leaves"] = b"".join(map(bytes, leaves.values_list("leaf_hash", flat=True)))
        listed.append(
            {
                "log": part.log,
                "first": part.first,
                "stop": part.stop,
                "leaves": f"{part.file}.leaves",
                "checkpoints": list(named),
            }
        )
    statements = list(Statement.objects.order_by("id").values_list("note", flat=True))
    files["keys.json"] = as_json({"pin": str(trust.pinned()), "statements": statements})
    files["anchors.json"] = as_json(list(anchored({part.log for part in parts})))
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    range_ = {"from": timestamp(from_), "to": timestamp(to)}
    files["manifest.json"] = as_json({**range_, "logs": listed, "files": digests})
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    digest = hashlib.sha256(files["manifest.json"]).hexdigest()
    with transaction.atomic():
        details = {**range_, "events": len(lines), "manifest_sha256": digest}
        audit.record(Action.TRAIL_EXPORTED, actor=by, at=at, details=details)
    return digest


def _parts(from_: datetime, to: datetime) -> Iterator[Part]:
    wanted = ComplianceEvent.objects.filter(ts_utc__gte=from_, ts_utc__lt=to).values("pk")
    for log in Checkpoint.objects.order_by("log").values_list("log", flat=True).distinct():
        span = Leaf.objects.filter(log=log, event_id__in=wanted).aggregate(
            first=Min("leaf_index"), last=Max("leaf_index")
        )
        if span["first"] is not None:
            size = Checkpoint.objects.filter(log=log).latest("id").size
            yield Part(log=log, first=span["first"], stop=span["last"] + 1, size=size)


def _events(part: Part) -> Iterator[bytes]:
    leaves = Leaf.objects.filter(log=part.log, leaf_index__gte=part.first, leaf_index__lt=part.stop)
    ids = list(leaves.order_by("leaf_index").values_list("event_id", flat=True))
    stored = dict(ComplianceEvent.objects.filter(pk__in=leaves.values("event_id")).values_list("pk", "canonical"))
    return (bytes(stored[event_id]) for event_id in ids if event_id in stored)


def _checkpoints(part: Part) -> list[Checkpoint]:
    """The last of each day."""
    days: dict[str, Checkpoint] = {}
    for row in Checkpoint.objects.filter(log=part.log, size__gt=0).order_by("id"):
        days[notes.Checkpoint.parse(notes.take_apart(row.note).text).at[:10]] = row
    return list(days.values())


def anchored(logs: set[str]) -> Iterator[dict[str, str]]:
    """What can be read back from the sinks about these logs."""
    for sink in anchors.sinks():
        for item in sink.read() or ():
            if item.note.split("\n", 1)[0].removeprefix(trust.origin("")) in logs:
                yield {"sink": sink.name, "ref": item.ref, "at": item.at, "note": item.note}


def _csv(lines: list[bytes]) -> bytes:
    """RFC 4180, with nothing in it that a spreadsheet would run."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(CSV_COLUMNS)
    for line in lines:
        facts = json.loads(line)
        facts["details"] = json.dumps(facts["details"], ensure_ascii=False)
        table.writerow([safe(facts[name] or "") for name in CSV_COLUMNS])
    return text.getvalue().encode(errors="backslashreplace")


def as_json(value: object) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode()

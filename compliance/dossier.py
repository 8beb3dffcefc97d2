"""Some events, each with its proof, and files about them, as a zip that proves itself (compliance.offline_verifier).

An export has a whole log's leaves; this has one path for each event, so that it stays small enough to be mailed.
"""

import base64
import hashlib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from compliance import export, offline_verifier, proofs, trust
from compliance.models import Checkpoint, ComplianceEvent, Leaf, Statement, timestamp
from nextrade.errors import Missing

README = """One matter's file, which proves itself.

    python3 verify.py --pin "the first key, as you know it"

dossier.html, dossier.json   the matter, for people and for programs
order.json                   the exact bytes that were shown, approved and sent; their hash is in the events
events.jsonl                 one event a line: the exact bytes that were hashed (RFC 8785)
proofs.json                  each event's path to a signed checkpoint (RFC 6962)
checkpoints/                 signed notes (C2SP)
keys.json, anchors.json      the pinned first key and the statements about keys since; what was put outside, and when
manifest.json                the hash of each file
"""


@dataclass(frozen=True, kw_only=True)
class Words:
    """What somebody said, and the salt that the event's hash of it was made with; both empty where they are erased."""

    text: str
    salt: str


def write(
    out: Path | IO[bytes], *, events: Iterable[ComplianceEvent], files: Mapping[str, bytes], words: Words, at: datetime
) -> str:
    """Write the zip; the manifest's SHA-256. Events that are not sealed yet are left out, and named so.

    Raises Missing where none is sealed.
    """
    known = list(events)
    paths, notes = _paths(known)
    if not paths:
        raise Missing("no event of this matter is sealed yet")
    sealed = [event for event in known if event.pk in paths]
    statements = list(Statement.objects.order_by("id").values_list("note", flat=True))
    made = {
        "README": README.encode(),
        "verify.py": Path(offline_verifier.__file__).read_bytes(),
        "events.jsonl": b"".join(bytes(event.canonical) + b"\n" for event in sealed),
        "proofs.json": export.as_json([paths[event.pk] for event in sealed]),
        "words.json": export.as_json(vars(words)),
        "keys.json": export.as_json({"pin": str(trust.pinned()), "statements": statements}),
        "anchors.json": export.as_json(list(export.anchored({path["log"] for path in paths.values()}))),
        **{name: note.encode() for name, note in notes.items()},
        **files,
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    unsealed = [event.pk for event in known if event.pk not in paths]
    range_ = {"from": timestamp(known[0].ts_utc), "to": timestamp(at)}
    made["manifest.json"] = export.as_json(
        {**range_, "logs": [], "proofs": "proofs.json", "payload": "order.json", "words": "words.json"}
        | {"unsealed": unsealed, "files": digests}
    )
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in made.items():
            archive.writestr(name, data)
    return hashlib.sha256(made["manifest.json"]).hexdigest()


def _paths(events: Iterable[ComplianceEvent]) -> tuple[dict[int, dict[str, Any]], dict[str, str]]:
    """By event: log, leaf index, tree size, path and the checkpoint's file; by file: the checkpoints' notes."""
    paths: dict[int, dict[str, Any]] = {}
    notes: dict[str, str] = {}
    for leaf in Leaf.objects.filter(event_id__in=[event.pk for event in events]):
        checkpoint = Checkpoint.objects.filter(log=leaf.log, size__gt=leaf.leaf_index).order_by("-id")[:1].get()
        file = f"checkpoints/{leaf.log.replace('/', '-')}-{checkpoint.pk}.note"
        notes[file] = checkpoint.note
        path = [base64.b64encode(sibling).decode() for sibling in proofs.prove(leaf, checkpoint.size)]
        paths[leaf.event_id] = {
            "log": leaf.log,
            "leaf_index": leaf.leaf_index,
            "tree_size": checkpoint.size,
            "path": path,
            "checkpoint": file,
        }
    return paths, notes

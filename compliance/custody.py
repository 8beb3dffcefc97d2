"""What the holder of the sealing key does by hand: rotate and revoke keys, own up to a restore, let old events go."""

import base64
from datetime import datetime

from django.db import transaction

from compliance import anchors, audit, merkle, notes, seal, trust
from compliance.audit import Action
from compliance.models import Checkpoint, ComplianceEvent, Leaf, Statement, timestamp
from compliance.sealer import signer_in_force
from compliance.trust import Kind
from nextrade.errors import Refused

PURGE_BATCH = 5_000


def rotate(*, by: str, at: datetime) -> str:
    """Let a new key sign from now on; its id. The old one vouches for it, both sign every open log as it stands, and
    the old one's private half is erased."""
    with transaction.atomic():
        seal.lock()
        ring = trust.keyring()
        old = signer_in_force(ring)
        new = trust.generate()
        trust.state(Kind.INTRODUCE, str(new.verifier), timestamp(at), {}, old, new).save()
        seal.cross_sign([old, new], ring=ring, at=at)
        audit.record(Action.KEY_ROTATED, actor=by, at=at, details={"from": old.id, "to": new.id})
    trust.forget(old.id)
    return new.id


def revoke(key_id: str, *, from_: datetime, reason: str, by: str, at: datetime) -> None:
    """Void what an earlier key signed from that moment on. Raises Refused for the key in force: rotate first."""
    with transaction.atomic():
        seal.lock()
        ring = trust.keyring()
        signer = signer_in_force(ring)
        if key_id == signer.id or key_id not in ring.keys:
            raise Refused("only an earlier key can be revoked: rotate first")
        facts = {"from": timestamp(from_), "reason": reason}
        trust.state(Kind.REVOKE, key_id, timestamp(at), facts, signer).save()
        seal.cross_sign([signer], ring=ring, at=at)
        audit.record(Action.KEY_REVOKED, actor=by, at=at, details={"key": key_id, **facts})


def restored(*, reason: str, by: str, at: datetime) -> list[str]:
    """State, signed and outside, which logs go on from an older state than was anchored; their names.

    What the sinks know of keys and the database has lost is taken back from them first.
    """
    known = set(Statement.objects.values_list("note", flat=True))
    items = [item for sink in anchors.sinks() for item in sink.read() or ()]
    with transaction.atomic():
        seal.lock()
        for item in items:
            if item.note.startswith(f"{trust.origin()}\n") and item.note not in known:
                said = trust.read(item.note)
                Statement.objects.create(kind=said.kind, subject=said.subject, note=item.note)
                known.add(item.note)
        ring = trust.keyring()
        signer = signer_in_force(ring)
        made = []
        for log, newest in anchors.newest(items, ring).items():
            tip = seal.tip(log, ring)
            if Checkpoint.objects.filter(log=log, size=newest.checkpoint.size, root=newest.checkpoint.root).exists():
                continue
            facts = {
                "from": _state(newest.checkpoint.size, newest.checkpoint.root),
                "to": _state(tip.size, bytes(tip.root)) if tip else _state(0, merkle.EMPTY_ROOT),
                "reason": reason,
            }
            statement = trust.state(Kind.RESTORE, log, timestamp(at), facts, signer)
            statement.save()
            audit.record(Action.TRAIL_RESTORED, actor=by, at=at, details={"log": log, **facts})
            made.append(statement)
    for sink in anchors.sinks():
        if made:
            sink.publish([statement.note for statement in made], at=at)
    return [statement.subject for statement in made]


def purge(log: str, *, reason: str, by: str, at: datetime) -> int:
    """Delete the events of a closed log under a signed certificate; how many. Leaves, tree and checkpoints stay."""
    with transaction.atomic():
        seal.lock()
        ring = trust.keyring()
        signer = signer_in_force(ring)
        tip = seal.tip(log, ring)
        if tip is None or not tip.is_final:
            raise Refused("only a log whose month is over and closed can be purged")
        if not Statement.objects.filter(kind=Kind.PURGE, subject=log).exists():
            facts = {"size": str(tip.size), "root": notes.digest(tip.note), "reason": reason}
            trust.state(Kind.PURGE, log, timestamp(at), facts, signer).save()
            audit.record(
                Action.TRAIL_PURGED, actor=by, at=at, details={"log": log, "events": tip.size, "reason": reason}
            )
    gone = 0
    for start in range(0, tip.size, PURGE_BATCH):
        leaves = Leaf.objects.filter(log=log, leaf_index__gte=start, leaf_index__lt=start + PURGE_BATCH)
        gone += ComplianceEvent.objects.filter(pk__in=leaves.values("event_id")).delete()[0]
    return gone


def _state(size: int, root: bytes) -> str:
    return f"{size} {base64.b64encode(root).decode()}"

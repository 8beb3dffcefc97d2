"""Whether the trail is what it was: from the pinned key by its statements to the checkpoints, from these by the tree to
the leaves, to the hashed bytes of each event, and from those to every column that people read. Then the sinks.

Nothing stops at the first fault: each is named, with its place.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from multiprocessing import get_context
from typing import Any, NamedTuple, TypeVar

from django.db import connection, connections, transaction
from django.db.models import Exists, Max, Min, Model, OuterRef

from compliance import anchors, audit, mac, merkle, notes, seal, sealer, secrets, subjects, triggers, trust
from compliance.alerts import raise_alert
from compliance.anchors import SinkProblem
from compliance.audit import Action
from compliance.examination import Examined, Fault, Terms, examine, unsealed
from compliance.models import Anchor, Checkpoint, ComplianceEvent, Leaf, Node, Outcome, Receipt, Statement, timestamp
from compliance.notes import BadNote
from compliance.seal import TrailBroken
from compliance.trust import Keyring, Kind

Row = TypeVar("Row", bound=Model)
RECENT = timedelta(hours=2)
"""How far an incremental look goes back; there is one each hour."""
CHUNK = 20_000
ALONE = 100_000
"""Below so many events a second process costs more than it brings."""
STAND = """
SELECT (SELECT coalesce(max(id), 0) FROM compliance_checkpoint WHERE log = %s),
  (SELECT coalesce(max(leaf_index) + 1, 0) FROM compliance_leaf WHERE log = %s),
  (SELECT count(*) FROM compliance_node WHERE log = %s)
"""


@dataclass
class Report:
    events: int = 0
    leaves: int = 0
    checkpoints: int = 0
    anchors: int = 0
    unsealed: int = 0
    purged: int = 0
    shredded: int = 0
    skipped_ids: int = 0
    are_macs_checked: bool = True
    faults: list[Fault] = field(default_factory=list)

    def add(self, where: str, what: str) -> None:
        self.faults.append(Fault(where, what))

    def as_json(self) -> dict[str, Any]:
        first = self.faults[0] if self.faults else None
        plain = {name: value for name, value in vars(self).items() if name != "faults"}
        return {
            "ok": not self.faults,
            **plain,
            "first_fault": first and f"{first.where}: {first.what}",
            "faults": [fault._asdict() for fault in self.faults],
        }


def verify(*, since: datetime | None = None, processes: int | None = None) -> Report:
    """Look at all of it; or, for `since`, at what was sealed after the last checkpoint before that moment.

    The sealer goes on meanwhile: each log is looked at as it stood at one moment, a sink before what is here, and the
    confirmations that were here before the sinks.
    """
    report = Report()
    for name in triggers.missing():
        report.add(f"trigger {name}", "is missing, disabled or altered")
    ring = _keys(report)
    newest_anchor = Anchor.objects.aggregate(newest=Max("pk"))["newest"] or 0
    terms = Terms(
        seal.first_signed(),
        secrets.path(mac.SEED).exists(),
        frozenset(said.subject for said in ring.said if said.kind == Kind.PURGE),
    )
    report.are_macs_checked = terms.has_seed
    found = _sinks(ring, report)
    for log in sorted({*_logs(Checkpoint), *_logs(Leaf), *_logs(Node)}):
        _log(log, ring, terms, found, report, since=since, processes=processes or os.cpu_count() or 1)
    _unsealed(terms, report, since=since)
    _confirmations(ring, found, report, upto=newest_anchor)
    _receipts(ring, report)
    _skipped(report)
    report.shredded = _shredded()
    return report


def note(report: Report, *, is_full: bool, at: datetime) -> None:
    """Write down in the trail that it was looked at, and raise the alarm where something is wrong."""
    told = {name: value for name, value in report.as_json().items() if name != "faults"}
    details = {**told, "faults": len(report.faults), "is_full": is_full}
    outcome = Outcome.FAILED if report.faults else Outcome.SUCCESS
    with transaction.atomic():
        audit.record(Action.TRAIL_VERIFIED, actor="system:verify", at=at, outcome=outcome, details=details)
        if report.faults:
            about = {"first_fault": told["first_fault"], "faults": len(report.faults)}
            raise_alert("trail_broken", actor="system:verify", at=at, details=about)


def _keys(report: Report) -> Keyring:
    try:
        ring = trust.keyring()
    except secrets.KeyProblem as problem:
        report.add("keys", problem.message)
        return Keyring()
    for fault in ring.faults:
        report.add("keys", fault)
    for row in Statement.objects.order_by("id"):
        try:
            said = trust.read(row.note)
        except BadNote:
            continue  # told of already
        if (row.kind, row.subject) != (said.kind, said.subject):
            report.add(f"statement {row.pk}", "its columns are not what is signed")
    return ring


def _logs(model: Any) -> set[str]:
    return set(model.objects.values_list("log", flat=True).distinct())


class Stand(NamedTuple):
    """How far a log had come at one moment. checkpoint: the newest one's id."""

    checkpoint: int
    leaves: int
    nodes: int


def _stand(log: str) -> Stand:
    """By one statement, which sees what one moment's commits have left."""
    with connection.cursor() as cursor:
        cursor.execute(STAND, [log, log, log])
        return Stand(*cursor.fetchone())


def _log(
    log: str,
    ring: Keyring,
    terms: Terms,
    found: "Found",
    report: Report,
    *,
    since: datetime | None,
    processes: int,
) -> None:
    stand = _stand(log)
    rows = _checkpoints(log, ring, found, report, upto=stand.checkpoint)
    start = merkle.Frontier()
    for row, signed in rows:
        if since and signed.at <= timestamp(since):
            start = _frontier(row, signed, report) or start
    places = range(start.size, stand.leaves, CHUNK)
    ranges = [(log, place, min(place + CHUNK, stand.leaves), terms) for place in places]
    tree = Rebuilt(log, report, start, [pair for pair in rows if pair[1].size >= start.size])
    for examined in _examine_all(ranges, processes):
        report.faults += examined.faults
        report.leaves += len(examined.leaves)
        report.events += examined.events
        report.purged += examined.purged
        tree.grow(examined.leaves)
    for row, signed in tree.waiting:
        report.add(f"checkpoint {row.pk}", f"signs {signed.size} leaves, {log} has {tree.frontier.size}")
    made = merkle.stored_nodes(tree.frontier.size)
    if stand.nodes != made:
        report.add(f"log {log}", f"{stand.nodes} nodes are stored, its leaves make {made}")
    if not rows:
        report.add(f"log {log}", "has no believable checkpoint")
    elif rows[-1][1].size < tree.frontier.size:
        report.add(f"log {log}", f"{tree.frontier.size - rows[-1][1].size} leaves are under no checkpoint")


@dataclass
class Rebuilt:
    """A log's tree as its leaves make it, compared on the way with what is stored of it."""

    log: str
    report: Report
    frontier: merkle.Frontier
    waiting: list[tuple[Checkpoint, notes.Checkpoint]]

    def grow(self, leaves: Sequence[bytes]) -> None:
        first, made, rest = self.frontier.size, [], leaves
        while self.waiting and self.waiting[0][1].size <= self.frontier.size + len(rest):
            row, signed = self.waiting.pop(0)
            cut = max(signed.size - self.frontier.size, 0)
            made += self.frontier.extend(rest[:cut])
            rest = rest[cut:]
            if self.frontier.root() != signed.root:
                self.report.add(f"checkpoint {row.pk}", f"the leaves of {self.log} do not lead to its root")
        made += self.frontier.extend(rest)
        self._compare_nodes(first, made)

    def _compare_nodes(self, first: int, made: Sequence[merkle.Node]) -> None:
        expected = {(height, index): value for height, index, value in made}
        for height in range(merkle.STEP, self.frontier.size.bit_length() + merkle.STEP, merkle.STEP):
            rows = Node.objects.filter(log=self.log, height=height, node_index__gte=first >> height)
            rows = rows.filter(node_index__lt=self.frontier.size >> height)
            for index, value in rows.values_list("node_index", "node_hash"):
                if expected.pop((height, index), None) != bytes(value):
                    self.report.add(f"node {self.log} {height}/{index}", "is not what its leaves lead to")
        for height, index in expected:
            self.report.add(f"node {self.log} {height}/{index}", "is missing")


def _checkpoints(
    log: str, ring: Keyring, found: "Found", report: Report, *, upto: int
) -> list[tuple[Checkpoint, notes.Checkpoint]]:
    """Those of a log that are signed and in their order. upto: the last one's id."""
    read: list[tuple[Checkpoint, notes.Checkpoint]] = []
    for row in Checkpoint.objects.filter(log=log, pk__lte=upto).order_by("id"):
        report.checkpoints += 1
        try:
            signed = seal.read(row, ring)
        except TrailBroken as broken:
            report.add(f"checkpoint {row.pk}", broken.message)
            continue
        before, said_before = read[-1] if read else (None, None)
        if signed.prev != (notes.digest(before.note) if before else ""):
            report.add(f"checkpoint {row.pk}", "does not follow the one before it")
        if said_before and (signed.size < said_before.size or signed.at < said_before.at or said_before.is_final):
            report.add(f"checkpoint {row.pk}", "goes back, or follows a final one")
        _frontier(row, signed, report)
        read.append((row, signed))
    _revocations(log, read, ring, found, report)
    return read


def _revocations(
    log: str,
    read: Sequence[tuple[Checkpoint, notes.Checkpoint]],
    ring: Keyring,
    found: "Found",
    report: Report,
) -> None:
    """What only a revoked key signed counts as far as an outside sink saw it before, or another key signed it since."""
    covered = -1
    for row, signed in reversed(read):
        ids = ring.signers(notes.take_apart(row.note), signed.at)
        if any(not ring.keys[key_id].revoked_from for key_id in ids):
            covered = max(covered, signed.size)
            continue
        limit = max(ring.keys[key_id].revoked_from for key_id in ids)
        seen_at = found.at.get(row.note, "")
        if seen_at and seen_at < limit:
            covered = max(covered, signed.size)
        if signed.at >= limit or signed.size > covered:
            report.add(f"checkpoint {row.pk}", "only a revoked key signed it, and no sink saw it before")


def _frontier(row: Checkpoint, signed: notes.Checkpoint, report: Report) -> merkle.Frontier | None:
    try:
        frontier = merkle.Frontier.from_bytes(signed.size, bytes(row.frontier))
    except ValueError:
        frontier = None
    if frontier is None or frontier.root() != signed.root:
        report.add(f"checkpoint {row.pk}", "its compact range does not lead to its root")
        return None
    return frontier


def _examine_all(ranges: Sequence[tuple[str, int, int, Terms]], processes: int) -> Iterator[Examined]:
    if processes < 2 or len(ranges) * CHUNK < ALONE:
        yield from (examine(*each) for each in ranges)
        return
    connections.close_all()  # a forked connection would be shared
    with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
        yield from pool.map(examine, *zip(*ranges, strict=True))


def _unsealed(terms: Terms, report: Report, *, since: datetime | None) -> None:
    newest = Leaf.objects.aggregate(newest=Max("event_id"))["newest"] or 0
    report.unsealed, faults = unsealed(newest - seal.RECENT if since else -(2**62), terms)
    report.events += report.unsealed
    report.faults += faults


@dataclass
class Found:
    """What the sinks have that can be read. at: when a sink first had a note; gone: sinks that should be there."""

    at: dict[str, str] = field(default_factory=dict)
    readable: set[str] = field(default_factory=set)


def _sinks(ring: Keyring, report: Report) -> Found:
    """Every checkpoint and statement that stands outside must stand here too."""
    found, outside = Found(), []
    for sink in anchors.sinks():
        try:
            anchored = sink.read()
            if anchored is None:
                continue
            found.readable.add(sink.name)
            for item in _standing(anchored, ring, sink.name, report):
                found.at[item.note] = min(item.at, found.at.get(item.note, item.at))
                outside.append((f"{sink.name} {item.ref}", item.note))
        except (SinkProblem, BadNote) as problem:
            report.add(sink.name, str(problem))
    known = {note for model in (Checkpoint, Statement) for note in model.objects.values_list("note", flat=True)}
    for where, note in outside:
        if note not in known:
            report.add(where, f"was anchored and is not here: {_title(note)}")
    return found


def _standing(anchored: Iterable[anchors.Anchored], ring: Keyring, sink: str, report: Report) -> list[anchors.Anchored]:
    """What a sink has, without the checkpoints that a signed restore gave up."""
    standing: list[anchors.Anchored] = []
    for item in anchored:
        note = notes.take_apart(item.note)
        if note.text.startswith(f"{trust.origin()}\n"):
            said = trust.read(item.note)
            if said.kind == Kind.RESTORE and ring.is_signed(note, said.at):
                standing = [other for other in standing if not _is_given_up(other, said)]
        elif not ring.signers(note, notes.Checkpoint.parse(note.text).at):
            report.add(f"{sink} {item.ref}", "is not signed by a key in force")
        standing.append(item)
    return standing


def _is_given_up(item: anchors.Anchored, said: trust.Said) -> bool:
    text = notes.take_apart(item.note).text
    if not text.startswith(f"{trust.origin(said.subject)}\n"):
        return False
    return notes.Checkpoint.parse(text).size > int(said.facts["to"].split()[0])


def _confirmations(ring: Keyring, found: Found, report: Report, *, upto: int) -> None:
    """Each row that says a checkpoint was put outside is signed, and the sink, where it can be read, has it."""
    outside = {_place(note) for note in found.at}
    for anchor in _each(Anchor, report, upto=upto):
        report.anchors += 1
        where = f"anchor {anchor.pk}"
        try:
            note = notes.take_apart(anchor.note)
        except BadNote as error:
            report.add(where, str(error))
            continue
        if note.text != "".join(f"{line}\n" for line in sealer.confirmed(anchor)):
            report.add(where, "its columns are not what is signed")
        elif not ring.signers(note, timestamp(anchor.confirmed_at)):
            report.add(where, "is not signed by a key in force")
        elif anchor.sink in found.readable and (trust.origin(anchor.log), str(anchor.size)) not in outside:
            report.add(where, f"{anchor.sink} has no such checkpoint any more")


def _place(note: str) -> tuple[str, str]:
    log, size = note.split("\n", 2)[:2]
    return log, size


def _receipts(ring: Keyring, report: Report) -> None:
    for receipt in _each(Receipt, report):
        problem = _problem_of(receipt, ring)
        if problem:
            report.add(f"receipt {receipt.pk}", problem)


def _problem_of(receipt: Receipt, ring: Keyring) -> str:
    try:
        note = notes.take_apart(receipt.note)
        signed = notes.Checkpoint.parse(note.text)
    except BadNote as error:
        return str(error)
    leaf, proof = bytes(receipt.leaf_hash), merkle.split(bytes(receipt.proof))
    root = merkle.root_from(leaf, receipt.leaf_index, receipt.size, proof)
    if (signed.origin, signed.size, signed.root) != (trust.origin(receipt.log), receipt.size, root):
        return "its proof does not lead to its checkpoint"
    if not ring.signers(note, signed.at):
        return "is not signed by a key in force"
    there = Leaf.objects.filter(event_id=receipt.event_id, log=receipt.log, leaf_index=receipt.leaf_index)
    if [bytes(value) for value in there.values_list("leaf_hash", flat=True)] != [leaf]:
        return "its leaf is not in the tree"
    event = ComplianceEvent.objects.filter(pk=receipt.event_id)
    as_stored = Receipt.objects.filter(pk=receipt.pk).values("order_id")
    if event.exists() and not event.filter(order_id__in=as_stored).exists():
        return "its order is not that of its event"
    return ""


def _each(model: type[Row], report: Report, *, upto: int | None = None) -> Iterator[Row]:
    """Rows by their ids, one by one: one that cannot even be read must not hide the others."""
    rows = model._default_manager.order_by("pk")
    for key in (rows if upto is None else rows.filter(pk__lte=upto)).values_list("pk", flat=True):
        try:
            yield model._default_manager.get(pk=key)
        except (ValueError, TypeError):
            report.add(f"{model._meta.model_name} {key}", "cannot be read")


def _skipped(report: Report) -> None:
    """Ids that no event has. On SQLite a rollback takes its ids back, so each was an event; on PostgreSQL it may be
    a rollback's."""
    span = ComplianceEvent.objects.aggregate(first=Min("pk"), last=Max("pk"))
    if span["first"] is None:
        return
    there = Exists(ComplianceEvent.objects.filter(pk=OuterRef("event_id")))  # NOT IN of a million rows never ends
    gone = Leaf.objects.filter(~there, event_id__gt=span["first"], event_id__lt=span["last"])
    here = ComplianceEvent.objects.filter(pk__lte=span["last"])
    report.skipped_ids = span["last"] - span["first"] + 1 - here.count() - gone.count()
    if report.skipped_ids and connection.vendor == "sqlite":
        report.add("events", f"{report.skipped_ids} ids are skipped: events were deleted before they were sealed")


def _shredded() -> int:
    """Events whose personal facts nobody can read any more."""
    gone = [f"{pid}/{retention_class}" for pid, retention_class in subjects.destroyed()]
    return ComplianceEvent.objects.filter(pii_key_id__in=gone).count() if gone else 0


def _title(note: str) -> str:
    return " ".join(note.splitlines()[:3])

"""Sealing: each event becomes a leaf of its log's tree, and the tree's new state is signed.

Context: hashing inside the business transaction serialises all writers. Choice: append now, seal a moment later, in one
transaction under one lock, so that any number of sealers is as good as one. What is unsealed is found by anti-join:
an id that commits late is sealed late, never skipped. Cost: a second in which only the writers' HMAC guards an event.

Nothing is trusted that the database says about the past: the tip must be signed by us, and its compact range must lead
to its root; whoever calls says what it must not be behind (compliance.sealer).
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, Max, Min, Model, OuterRef, QuerySet

from compliance import mac, merkle, notes, proofs, trust
from compliance.models import (
    Checkpoint,
    ComplianceEvent,
    EventType,
    Leaf,
    Node,
    Receipt,
    RetentionClass,
    timestamp,
)
from compliance.notes import BadNote, Signer
from nextrade.errors import Unavailable

BATCH = 20_000
LOCK_ID = 6_962_001
RECENT = 10_000


class TrailBroken(Unavailable):
    """The database's trail contradicts what was signed or anchored: nothing more is signed."""

    code = "trail_broken"


class Unsealed(NamedTuple):
    id: int
    retention_class: str
    type: str
    order_id: UUID | None
    canonical: bytes
    writer_mac: bytes | None
    mac_key_id: str


def unsealed(*, above: int = 0) -> QuerySet[ComplianceEvent]:
    """Events without a leaf, of those with a higher id."""
    leaf = Leaf.objects.filter(event_id=OuterRef("pk"), event_id__gt=above)
    return ComplianceEvent.objects.filter(~Exists(leaf), pk__gt=above)


def oldest_unsealed() -> datetime | None:
    """When the oldest event happened that waits to be sealed, among the latest; one short query."""
    oldest: datetime | None = unsealed(above=max(0, newest_sealed() - RECENT)).aggregate(oldest=Min("ts_utc"))["oldest"]
    return oldest


def newest() -> int:
    """The highest id of an event, 0 without one."""
    return ComplianceEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0


def newest_sealed() -> int:
    return Leaf.objects.aggregate(newest=Max("event_id"))["newest"] or 0


def pending(*, above: int, upto: int, refused: Collection[int]) -> list[Unsealed]:
    """What is unsealed of a stretch of ids, without those that were refused before. A stretch, since a database that is
    asked for the first of all sorts the whole backlog, batch after batch."""
    rows = unsealed(above=above).filter(pk__lte=upto).order_by("pk").values_list(*Unsealed._fields)
    return [Unsealed(*row) for row in rows.iterator(chunk_size=5000) if row[0] not in refused]


def is_written_by_us(event: Unsealed, *, first_signed: int, folder: Path | None = None) -> bool:
    """Whether its HMAC is right. Events from before there were HMACs have none, and lower ids than all that do."""
    if event.writer_mac is None:
        return 0 < event.id < first_signed
    return mac.is_right(bytes(event.canonical), bytes(event.writer_mac), event.mac_key_id, folder=folder)


def first_signed() -> int:
    return ComplianceEvent.objects.exclude(mac_key_id="").aggregate(first=Min("pk"))["first"] or 0


def lock() -> None:
    """One sealer at a time, until the transaction ends. SQLite's IMMEDIATE transaction holds the lock already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_ID])


def open_log(retention_class: str, at: datetime) -> str:
    """The class's log of this month, or a later one where a clock was ahead: a log is never gone back to."""
    newest = Checkpoint.objects.filter(log__startswith=f"{retention_class}/").aggregate(newest=Max("log"))["newest"]
    return max(newest or "", f"{retention_class}/{at:%Y-%m}")


def tip(log: str, ring: trust.Keyring) -> Checkpoint | None:
    """The newest checkpoint, when it is believable. Raises TrailBroken."""
    row = Checkpoint.objects.filter(log=log).order_by("-id").first()
    leaves = (Leaf.objects.filter(log=log).aggregate(last=Max("leaf_index"))["last"] or 0) if row else None
    if row is None:
        if Leaf.objects.filter(log=log).exists():
            raise TrailBroken(f"{log} has leaves and no checkpoint")
        return None
    signed = read(row, ring)
    if row.size and leaves != row.size - 1:
        raise TrailBroken(f"{log} has leaves up to {leaves}, its checkpoint {row.size} of them")
    if _frontier(row).root() != signed.root:
        raise TrailBroken(f"{log}: the compact range does not lead to the signed root")
    return row


def read(row: Checkpoint, ring: trust.Keyring) -> notes.Checkpoint:
    """What the row's note says, when it is signed and its columns repeat it. Raises TrailBroken."""
    try:
        note = notes.take_apart(row.note)
        signed = notes.Checkpoint.parse(note.text)
    except BadNote as error:
        raise TrailBroken(f"checkpoint {row.pk}: {error}") from error
    if not ring.signers(note, signed.at):
        raise TrailBroken(f"checkpoint {row.pk} is not signed by a key in force")
    columns = (trust.origin(row.log), row.size, bytes(row.root), row.is_final)
    if columns != (signed.origin, signed.size, signed.root, signed.is_final):
        raise TrailBroken(f"checkpoint {row.pk}: its columns are not what is signed")
    return signed


def extend(log: str, events: Sequence[Unsealed], *, ring: trust.Keyring, signer: Signer, at: datetime) -> Checkpoint:
    """Leaves, tree and signed checkpoint for the events, and receipts for the decisions among them."""
    before = tip(log, ring)
    if before and before.is_final:
        raise TrailBroken(f"{log} is final")
    frontier = _frontier(before)
    first = frontier.size
    leaves = [merkle.leaf_hash(bytes(event.canonical)) for event in events]
    insert(Leaf, [(log, first + place, event.id, leaves[place]) for place, event in enumerate(events)])
    insert(Node, [(log, *node) for node in frontier.extend(leaves)])
    checkpoint = sign(log, frontier, before, [signer], at=at)
    for place, event in enumerate(events):
        if event.type == EventType.APPROVAL and event.order_id:
            _give_receipt(
                Leaf(log=log, leaf_index=first + place, event_id=event.id, leaf_hash=leaves[place]),
                event.order_id,
                checkpoint,
            )
    return checkpoint


def sign(
    log: str,
    frontier: merkle.Frontier,
    before: Checkpoint | None,
    signers: Sequence[Signer],
    *,
    at: datetime,
    is_final: bool = False,
) -> Checkpoint:
    """The next checkpoint. Its time never goes back, whatever the clock does."""
    said_before = notes.Checkpoint.parse(notes.take_apart(before.note).text).at if before else ""
    signed = notes.Checkpoint(
        origin=trust.origin(log),
        size=frontier.size,
        root=frontier.root(),
        at=max(timestamp(at), said_before),
        prev=notes.digest(before.note) if before else "",
        is_final=is_final,
    )
    return Checkpoint.objects.create(
        log=log,
        size=signed.size,
        root=signed.root,
        note=notes.make(signed.lines(), *signers),
        frontier=frontier.as_bytes(),
        is_final=is_final,
    )


def freeze_past(*, ring: trust.Keyring, signer: Signer, at: datetime) -> list[Checkpoint]:
    """A final checkpoint for every log whose month is over."""
    made = []
    for retention_class in RetentionClass.values:
        past = Checkpoint.objects.filter(log__startswith=f"{retention_class}/", log__lt=f"{retention_class}/{at:%Y-%m}")
        frozen = Checkpoint.objects.filter(is_final=True).values("log")
        for log in past.exclude(log__in=frozen).values_list("log", flat=True).distinct():
            row = tip(log, ring)
            made.append(sign(log, _frontier(row), row, [signer], at=at, is_final=True))
    return made


def cross_sign(signers: Sequence[Signer], *, ring: trust.Keyring, at: datetime) -> list[Checkpoint]:
    """A checkpoint of every open log as it stands, signed by both keys of a rotation."""
    frozen = Checkpoint.objects.filter(is_final=True).values("log")
    logs = Checkpoint.objects.exclude(log__in=frozen).values_list("log", flat=True).distinct()
    rows = [(log, tip(log, ring)) for log in logs]
    return [sign(log, _frontier(row), row, signers, at=at) for log, row in rows]


def _frontier(row: Checkpoint | None) -> merkle.Frontier:
    if row is None:
        return merkle.Frontier()
    try:
        return merkle.Frontier.from_bytes(row.size, bytes(row.frontier))
    except ValueError as error:
        raise TrailBroken(f"checkpoint {row.pk}: {error}") from error


def _give_receipt(leaf: Leaf, order_id: UUID, checkpoint: Checkpoint) -> None:
    Receipt.objects.create(
        event_id=leaf.event_id,
        order_id=order_id,
        leaf_hash=leaf.leaf_hash,
        log=leaf.log,
        leaf_index=leaf.leaf_index,
        size=checkpoint.size,
        proof=b"".join(proofs.prove(leaf, checkpoint.size)),
        note=checkpoint.note,
    )


def insert(model: type[Model], rows: Sequence[Sequence[Any]]) -> None:
    """Many rows at once, each a value for every column but the id: bulk_create takes ten times as long."""
    if not rows:
        return
    columns = [str(field.column) for field in model._meta.concrete_fields if not field.primary_key]
    names = ", ".join(columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {model._meta.db_table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f"INSERT INTO {model._meta.db_table} ({names}) VALUES ({places})", rows)

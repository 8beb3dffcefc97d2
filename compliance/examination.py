"""Events looked at one by one: the hashed bytes against the leaf, the HMAC, and every column that people read."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import rfc8785
from django.conf import settings
from django.db import connection

from compliance import mac, merkle

TEXTS = (
    "retention_class",
    "type",
    "action",
    "severity",
    "outcome",
    "actor_pid",
    "on_behalf_of",
    "subject_pid",
    "request_id",
)
IDS = ("event_uuid", "order_id", "thread_id")
COLUMNS = (*TEXTS, *IDS, "ts_utc", "schema_v", "details")
"""The columns that repeat `canonical`: the keys of `ComplianceEvent.facts`."""
_plain = json.JSONEncoder().encode


class Fault(NamedTuple):
    """where: the row or file; what: in words."""

    where: str
    what: str


@dataclass(frozen=True)
class Terms:
    """What every process that examines events must know. first_signed: the first event that has an HMAC."""

    first_signed: int
    has_seed: bool
    purged: frozenset[str]


class Here(NamedTuple):
    """What one process asks for each of a million events, looked up once. keys: None where there is no seed."""

    first_signed: int
    keys: Path | None
    is_sqlite: bool


class Examined(NamedTuple):
    leaves: list[bytes]
    events: int
    purged: int
    faults: list[Fault]


def examine(log: str, start: int, stop: int, terms: Terms) -> Examined:
    """The leaves of a log from start to stop, each with its event."""
    where = "FROM compliance_leaf l LEFT JOIN compliance_complianceevent e ON e.id = l.event_id WHERE l.log = %s"
    order = "AND l.leaf_index >= %s AND l.leaf_index < %s ORDER BY l.leaf_index"
    faults: list[Fault] = []
    leaves: list[bytes] = []
    here = _here(terms)
    events = purged = 0
    for row in _rows(f"l.leaf_index, l.event_id, l.leaf_hash, {_columns()} {where} {order}", [log, start, stop]):
        index, event_id, leaf, *rest = row
        for lost in range(start + len(leaves), index):
            faults.append(Fault(f"leaf {log}/{lost}", "is missing"))
        leaf = bytes(leaf)
        leaves.append(leaf)
        if rest[0] is None:
            purged += log in terms.purged
            if log not in terms.purged:
                faults.append(Fault(f"event {event_id}", f"is gone; its leaf is {log}/{index}"))
            continue
        events += 1
        if merkle.leaf_hash(bytes(rest[1])) != leaf:
            faults.append(Fault(f"event {event_id}", f"its hashed bytes are not those of leaf {log}/{index}"))
        faults += [Fault(f"event {event_id}", what) for what in _wrong(rest, here)]
    return Examined(leaves, events, purged, faults)


def unsealed(above: int, terms: Terms) -> tuple[int, list[Fault]]:
    """How many events with a higher id have no leaf, and what is wrong with them."""
    where = "FROM compliance_complianceevent e WHERE e.id > %s AND NOT EXISTS"
    leaf = "(SELECT 1 FROM compliance_leaf l WHERE l.event_id = e.id) ORDER BY e.id"
    rows = _rows(f"{_columns()} {where} {leaf}", [above])
    here = _here(terms)
    return len(rows), [Fault(f"event {row[0]}", what) for row in rows for what in _wrong(row, here)]


def _here(terms: Terms) -> Here:
    return Here(terms.first_signed, settings.KEYS_DIR if terms.has_seed else None, connection.vendor == "sqlite")


def _wrong(row: Sequence[Any], here: Here) -> Iterator[str]:
    """What is wrong with an event by itself: its HMAC, and each column that is not what its bytes say."""
    event_id, canonical, writer_mac, key_id, pii_ct, pii_key_id, *columns = row
    canonical = bytes(canonical)
    if writer_mac is None:
        if not 0 < event_id < here.first_signed:
            yield "has no HMAC of a writer"
    elif here.keys and not mac.is_right(canonical, bytes(writer_mac), key_id, folder=here.keys):
        yield "its HMAC is not a writer's"
    try:
        facts = _facts(columns)
        if pii_ct is not None or pii_key_id:
            facts |= {"pii_key_id": pii_key_id, "pii_sha256": hashlib.sha256(bytes(pii_ct or b"")).hexdigest()}
    except ValueError:
        yield "its details are not JSON"
        return
    if _bytes(facts) != canonical and not _is_same(facts, canonical):
        yield f"what is shown is not what was hashed: {', '.join(_differing(facts, canonical))}"
    elif here.is_sqlite and _plain(facts["details"]) != columns[-1]:
        yield "what is shown is not what was hashed: details"


def _facts(columns: Sequence[Any]) -> dict[str, Any]:
    facts = dict(zip(COLUMNS, columns, strict=True))
    facts["ts_utc"] = _moment(facts["ts_utc"])
    facts["details"] = orjson.loads(facts["details"])
    return facts


def _bytes(facts: dict[str, Any]) -> bytes:
    """RFC 8785 for what has no fractions and no exotic keys, ten times as fast."""
    try:
        return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        return b""


def _is_same(facts: dict[str, Any], canonical: bytes) -> bool:
    try:
        return rfc8785.dumps(facts) == canonical
    except (rfc8785.CanonicalizationError, UnicodeError):
        return False


def _differing(facts: dict[str, Any], canonical: bytes) -> list[str]:
    try:
        hashed = json.loads(canonical)
        return sorted(name for name in {*facts, *hashed} if facts.get(name) != hashed.get(name)) or ["the bytes"]
    except (ValueError, TypeError, AttributeError):
        return ["the bytes"]


def _columns() -> str:
    """The event's columns as text that is the same on both databases."""
    if connection.vendor == "sqlite":
        ids = [_dashed(f"CAST(e.{name} AS TEXT)") for name in IDS]
        rest = ["CAST(e.ts_utc AS TEXT)", "e.schema_v", "CAST(e.details AS TEXT)"]
    else:
        ids = [f"e.{name}::text" for name in IDS]
        rest = ["to_char(e.ts_utc AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')", "e.schema_v", "e.details::text"]
    texts = [f"e.{name}" for name in TEXTS]
    sealed = ["e.canonical", "e.writer_mac", "e.mac_key_id", "e.pii_ct", "e.pii_key_id"]
    return ", ".join(["e.id", *sealed, *texts, *ids, *rest])


def _dashed(text: str) -> str:
    """SQL for a UUID as people write it, of the 32 digits that SQLite keeps."""
    parts = [f"substr({text}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 99))]
    return " || '-' || ".join(parts)


def _moment(stored: str) -> str:
    """From the database's text, which leaves out a zero fraction."""
    text = stored if len(stored) > 19 else f"{stored}.000000"
    return f"{text[:10]}T{text[11:]}Z" if text[10:11] == " " else text


def _rows(query: str, given: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {query}", given)
        return list(cursor.fetchall())

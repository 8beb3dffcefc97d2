"""That an event is in the trail: its leaf, the hashes that lead to a signed root, and how far it has got."""

import base64
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from django.db import connection

from compliance import merkle
from compliance.merkle import Place
from compliance.models import Anchor, Checkpoint, Leaf, Receipt


def prove(leaf: Leaf, size: int) -> list[bytes]:
    """The inclusion proof of a leaf in the tree of that size, in two queries."""
    return merkle.prove(leaf.leaf_index, size, partial(_read, leaf.log))


def of_event(event_id: int) -> dict[str, Any] | None:
    """The event's leaf, proof and signed checkpoint, JSON-ready; None while it is not sealed."""
    leaf = Leaf.objects.filter(event_id=event_id).first()
    if leaf is None:
        return None
    checkpoint = Checkpoint.objects.filter(log=leaf.log, size__gt=leaf.leaf_index).order_by("-id")[:1].get()
    anchored = Anchor.objects.filter(log=leaf.log, size__gt=leaf.leaf_index).values_list("sink", flat=True).distinct()
    return {
        **_plain(leaf.log, leaf.leaf_index, bytes(leaf.leaf_hash), checkpoint.size, prove(leaf, checkpoint.size)),
        "checkpoint": checkpoint.note,
        "anchored": sorted(anchored),
    }


def receipts(order_id: Any) -> list[dict[str, Any]]:
    """What the approvers of an order can keep, oldest first."""
    return [
        {
            "event_id": receipt.event_id,
            **_plain(
                receipt.log,
                receipt.leaf_index,
                bytes(receipt.leaf_hash),
                receipt.size,
                merkle.split(bytes(receipt.proof)),
            ),
            "checkpoint": receipt.note,
        }
        for receipt in Receipt.objects.filter(order_id=order_id).order_by("event_id")
    ]


def states(event_ids: Iterable[int]) -> dict[int, str]:
    """ "sealed" or "anchored" by event; an event that is not there is "appended". Two queries."""
    leaves = list(Leaf.objects.filter(event_id__in=list(event_ids)).values_list("event_id", "log", "leaf_index"))
    anchored: dict[str, int] = defaultdict(int)
    for log in {log for _, log, _ in leaves}:
        newest = Anchor.objects.filter(log=log).order_by("-size").values_list("size", flat=True).first()
        anchored[log] = newest or 0
    return {event_id: "anchored" if index < anchored[log] else "sealed" for event_id, log, index in leaves}


def _plain(log: str, index: int, leaf: bytes, size: int, proof: Sequence[bytes]) -> dict[str, Any]:
    return {
        "log": log,
        "leaf_index": index,
        "leaf_hash": leaf.hex(),
        "tree_size": size,
        "proof": [base64.b64encode(sibling).decode() for sibling in proof],
    }


def _read(log: str, places: Sequence[Place]) -> dict[Place, bytes]:
    """The stored hashes of the places, in one query: the ORM, or a parameter for each, would take longer than the
    hashing."""
    at_height: dict[int, list[int]] = defaultdict(list)
    for height, index in places:
        at_height[height].append(index)
    queries: list[str] = []
    for height, indexes in at_height.items():
        table, name = ("leaf", "leaf_index") if height == 0 else ("node", "node_index")
        only = f" AND height = {height}" if height else ""
        wanted = ", ".join(str(int(index)) for index in indexes)
        queries.append(
            f"SELECT {height}, {name}, {table}_hash FROM compliance_{table}"
            f" WHERE log = %s{only} AND {name} IN ({wanted})"
        )
    if not queries:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(queries), [log] * len(queries))
        return {(height, index): bytes(value) for height, index, value in cursor.fetchall()}

"""The Merkle tree of RFC 6962: what grows, what proves, what checks. Knows no Django.

Of a tree only the roots of its complete subtrees of STEP levels are stored (1/15 of the leaves); every proof is made
of at most 15 stored hashes for each STEP levels, however large the tree.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

HASH_BYTES = 32
STEP = 4
EMPTY_ROOT = sha256(b"").digest()

Node = tuple[int, int, bytes]
"""(height, index among its height, hash) of a complete subtree."""
Place = tuple[int, int]
"""(height, index) of a complete subtree."""


def leaf_hash(data: bytes) -> bytes:
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


@dataclass
class Frontier:
    """A tree's right edge: the roots of its complete subtrees, largest first. All that growing it needs."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def extend(self, leaves: Iterable[bytes]) -> list[Node]:
        """Append leaf hashes; the subtrees to store that they completed."""
        peaks, size, stored = self.peaks, self.size, []
        for leaf in leaves:
            peaks.append(leaf)
            size += 1
            height, rest = 0, size
            while not rest & 1:
                right = peaks.pop()
                peaks[-1] = sha256(b"\x01" + peaks[-1] + right).digest()
                height, rest = height + 1, rest >> 1
                if not height % STEP:
                    stored.append((height, (size >> height) - 1, peaks[-1]))
        self.size = size
        return stored

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def as_bytes(self) -> bytes:
        return b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> "Frontier":
        """Raises ValueError where the bytes do not fit the size."""
        if len(data) != HASH_BYTES * size.bit_count():
            raise ValueError("the compact range does not fit its size")
        return cls(size, split(data))


def stored_nodes(size: int) -> int:
    """How many nodes are stored of a tree of that size."""
    return sum(size >> height for height in range(STEP, size.bit_length(), STEP))


def split(data: bytes) -> list[bytes]:
    return [data[start : start + HASH_BYTES] for start in range(0, len(data), HASH_BYTES)]


def prove(index: int, size: int, read: Callable[[Sequence[Place]], dict[Place, bytes]]) -> list[bytes]:
    """The inclusion proof of a leaf in the tree of that size. read: the stored hashes of the places asked for."""
    siblings = list(_siblings(index, size))
    known = read([place for start, stop in siblings for place in _cover(start, stop)])
    return [_root_of(start, stop, known) for start, stop in siblings]


def root_from(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2); None where its length is wrong."""
    if not 0 <= index < size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def _siblings(index: int, size: int) -> Iterator[tuple[int, int]]:
    """Leaf ranges of the subtrees beside a leaf's way to the root, lowest first."""
    start, stop, found = 0, size, []
    while stop - start > 1:
        middle = start + _left_size(stop - start)
        if index < middle:
            found.append((middle, stop))
            stop = middle
        else:
            found.append((start, middle))
            start = middle
    return reversed(found)


def _cover(start: int, stop: int) -> Iterator[Place]:
    """The stored places that make up a range of leaves; height 0 are leaves."""
    size = stop - start
    if size & (size - 1):
        middle = start + _left_size(size)
        yield from _cover(start, middle)
        yield from _cover(middle, stop)
        return
    height = size.bit_length() - 1
    height -= height % STEP
    yield from ((height, index) for index in range(start >> height, stop >> height))


def _root_of(start: int, stop: int, known: dict[Place, bytes]) -> bytes:
    size = stop - start
    height = size.bit_length() - 1
    if not size & (size - 1) and not height % STEP:
        return known[height, start >> height]
    middle = start + _left_size(size)
    return node_hash(_root_of(start, middle, known), _root_of(middle, stop, known))


def _left_size(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << ((size - 1).bit_length() - 1)

"""Signed notes of C2SP (c2sp.org/signed-note) with Ed25519, and the checkpoints (c2sp.org/tlog-checkpoint) in them.

Everything that the sealing key says is such a note: a text, an empty line, and one line for each signature.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"


class BadNote(ValueError):
    """Not a signed note, or not signed by whom it should be."""


@dataclass(frozen=True)
class Verifier:
    """A public key under its name; id is the hash of both that stands in each signature."""

    name: str
    public_key: bytes

    @property
    def id(self) -> str:
        return sha256(self.name.encode() + b"\n" + ED25519 + self.public_key).digest()[:4].hex()

    def __str__(self) -> str:
        return f"{self.name}+{self.id}+{base64.b64encode(ED25519 + self.public_key).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `name+id+key`. Raises BadNote."""
        parts = text.strip().split("+", 2)
        key = _decoded(parts[-1])
        if len(parts) != 3 or len(key) != 33 or key[:1] != ED25519:
            raise BadNote("that is no Ed25519 key of a signed note")
        found = cls(parts[0], key[1:])
        if found.id != parts[1]:
            raise BadNote("the key's id is not that of its name and bytes")
        return found

    def has_signed(self, text: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Signer:
    name: str
    private_key: Ed25519PrivateKey

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.private_key.public_key().public_bytes_raw())

    @property
    def id(self) -> str:
        return self.verifier.id

    def sign(self, text: str) -> str:
        """One signature line for a text that ends with a line end."""
        blob = bytes.fromhex(self.id) + self.private_key.sign(text.encode())
        return f"— {self.name} {base64.b64encode(blob).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A note taken apart. signatures: (name, key id, signature)."""

    text: str
    signatures: tuple[tuple[str, str, bytes], ...]

    def signed_by(self, keys: Iterable[Verifier]) -> frozenset[str]:
        """Ids of those of the keys whose signature is there and right."""
        return frozenset(
            key.id
            for key in keys
            for name, key_id, signature in self.signatures
            if (name, key_id) == (key.name, key.id) and key.has_signed(self.text, signature)
        )


def make(lines: Iterable[str], *signers: Signer) -> str:
    text = "".join(f"{line}\n" for line in lines)
    return f"{text}\n{''.join(signer.sign(text) for signer in signers)}"


def take_apart(note: str) -> Note:
    """Raises BadNote."""
    text, separator, rest = note.rpartition("\n\n")
    lines = rest.split("\n")
    if not separator or not text or not rest or lines.pop() != "":
        raise BadNote("that is no signed note")
    return Note(f"{text}\n", tuple(_signature(line) for line in lines))


def _signature(line: str) -> tuple[str, str, bytes]:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    blob = _decoded(encoded)
    if dash != "—" or not name or len(blob) != 68:
        raise BadNote("a line of signatures is none")
    return name, blob[:4].hex(), blob[4:]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What is signed of a tree. at: as `compliance.models.timestamp`; prev: SHA-256 of the note before, or empty."""

    origin: str
    size: int
    root: bytes
    at: str
    prev: str = ""
    is_final: bool = False

    def lines(self) -> list[str]:
        root = base64.b64encode(self.root).decode()
        extra = [f"time {self.at}", f"prev {self.prev or '-'}", *(["final"] if self.is_final else [])]
        return [self.origin, str(self.size), root, *extra]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadNote."""
        origin, size, root, at, prev, *final = [*text.split("\n")[:-1], *[""] * 5][: max(5, text.count("\n"))]
        found = cls(
            origin=origin,
            size=int(size) if size.isdecimal() else -1,
            root=_decoded(root),
            at=at.removeprefix("time "),
            prev=prev.removeprefix("prev ").removeprefix("-"),
            is_final=final == ["final"],
        )
        if found.size < 0 or "".join(f"{line}\n" for line in found.lines()) != text:
            raise BadNote("that is no checkpoint")
        return found


def digest(note: str) -> str:
    return sha256(note.encode()).hexdigest()


def _decoded(text: str) -> bytes:
    """Base64, and only as the encoder writes it: two spellings of one signature would be two notes."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise BadNote("that is not base64") from error
    if base64.b64encode(data).decode() != text:
        raise BadNote("that is not canonical base64")
    return data

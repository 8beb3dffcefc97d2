"""Whose signature counts, and when. A verifier pins the first key and walks the statements from there.

A statement is a signed note: origin, kind, subject, time, then facts, one a line.
- introduce KEY: signed by the new key and, but for the first, by one in force. From its time on the new key signs
- revoke ID: signed by another key in force. What the revoked key signed later, or nobody outside saw earlier, is void
- restore LOG: the log goes on from an older state; names both sizes and roots. Without it, going back is refused
- purge LOG: the events of a final log may be deleted; their leaves stay
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

from compliance import notes, secrets
from compliance.models import Statement
from compliance.notes import BadNote, Note, Signer, Verifier
from compliance.secrets import KeyProblem

PIN = "first.vkey"
Kind = Statement.Kind


@dataclass(frozen=True)
class TrustedKey:
    """since, until, revoked_from: moments as `timestamp` spells them; empty: not yet."""

    verifier: Verifier
    since: str
    until: str = ""
    revoked_from: str = ""

    def is_in_force(self, at: str) -> bool:
        return self.since <= at and not (self.until and at > self.until)

    def is_revoked(self, at: str) -> bool:
        return bool(self.revoked_from) and at >= self.revoked_from


@dataclass(frozen=True, kw_only=True)
class Said:
    """A statement, read. facts: the lines after its time."""

    kind: Kind
    subject: str
    at: str
    facts: Mapping[str, str]
    note: Note


@dataclass
class Keyring:
    """The keys that a chain of statements leads to from the pinned one, and what in the chain is not right."""

    keys: dict[str, TrustedKey] = field(default_factory=dict)
    said: list[Said] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def signers(self, note: Note, at: str) -> frozenset[str]:
        """Ids of the keys that were in force at that moment and signed the note, revoked or not."""
        return note.signed_by(key.verifier for key in self.keys.values() if key.is_in_force(at))

    def is_signed(self, note: Note, at: str) -> bool:
        """Whether a key signed it that is in force at that moment and was never revoked."""
        return any(not self.keys[key_id].revoked_from for key_id in self.signers(note, at))

    @property
    def current(self) -> TrustedKey | None:
        in_force = [key for key in self.keys.values() if not key.until and not key.revoked_from]
        return in_force[-1] if in_force else None


def origin(log: str = "statement") -> str:
    return f"{settings.AUDIT_ORIGIN}/{log}"


def state(kind: Kind, subject: str, at: str, facts: Mapping[str, str], *signers: Signer) -> Statement:
    """A new statement, not saved. facts are one line each: what would break a line is dropped."""
    lines = [f"{name} {' '.join(value.split())}" for name, value in facts.items()]
    return Statement(
        kind=kind, subject=subject, note=notes.make([origin(), kind.value, subject, f"time {at}", *lines], *signers)
    )


def read(note: str) -> Said:
    """Raises BadNote."""
    parsed = notes.take_apart(note)
    first, kind, subject, time, *lines = [*parsed.text.split("\n")[:-1], *[""] * 4][: max(4, parsed.text.count("\n"))]
    if first != origin() or kind not in Kind.values or not time.startswith("time "):
        raise BadNote("that is no statement of ours")
    facts = {name: value for name, _, value in (line.partition(" ") for line in lines)}
    return Said(kind=Kind(kind), subject=subject, at=time.removeprefix("time "), facts=facts, note=parsed)


def walk(statements: Iterable[str], pin: Verifier) -> Keyring:
    """Follow the statements, oldest first. What is wrong is in `faults`, and counts for nothing."""
    ring = Keyring()
    for number, note in enumerate(statements, start=1):
        try:
            said = read(note)
            _follow(ring, said, pin)
            ring.said.append(said)
        except BadNote as error:
            ring.faults.append(f"statement {number}: {error}")
    return ring


def _follow(ring: Keyring, said: Said, pin: Verifier) -> None:
    if said.kind == Kind.INTRODUCE:
        _introduce(ring, said, pin)
    elif said.kind == Kind.REVOKE:
        _revoke(ring, said)
    elif not ring.is_signed(said.note, said.at):
        raise BadNote("no key in force has signed it")


def _introduce(ring: Keyring, said: Said, pin: Verifier) -> None:
    new = Verifier.parse(said.subject)
    if new.id not in said.note.signed_by([new]):
        raise BadNote("the new key has not signed it")
    if not ring.keys and new != pin:
        raise BadNote("the first key is not the pinned one")
    if ring.keys and not ring.is_signed(said.note, said.at):
        raise BadNote("no key in force has signed the new one")
    if new.id in ring.keys:
        raise BadNote("the key is known already")
    for key_id, key in ring.keys.items():
        if not key.until:
            ring.keys[key_id] = replace(key, until=said.at)
    ring.keys[new.id] = TrustedKey(new, since=said.at)


def _revoke(ring: Keyring, said: Said) -> None:
    revoked = ring.keys.get(said.subject)
    others = ring.signers(said.note, said.at) - {said.subject}
    if revoked is None or not any(not ring.keys[key_id].revoked_from for key_id in others):
        raise BadNote("no other key in force has signed the revocation")
    ring.keys[said.subject] = replace(revoked, revoked_from=said.facts.get("from", said.at))


def pinned() -> Verifier | None:
    """The first key of this installation, from outside of the database."""
    file = secrets.path(PIN)
    try:
        return Verifier.parse(file.read_text()) if file.exists() else None
    except (OSError, BadNote) as error:
        raise KeyProblem(f"the pinned key {PIN} cannot be read") from error


def keyring() -> Keyring:
    """From the statements of the database, believed as far as the pinned key leads."""
    pin = pinned()
    stored = list(Statement.objects.order_by("id").values_list("note", flat=True))
    return walk(stored, pin) if pin else Keyring(faults=["no first key is pinned"] if stored else [])


def generate() -> Signer:
    """A new key, its private half in a file of its own."""
    signer = Signer(settings.AUDIT_ORIGIN, Ed25519PrivateKey.generate())
    secrets.create(_file(signer.id), base64.b64encode(signer.private_key.private_bytes_raw()).decode())
    return signer


def load(key: Verifier) -> Signer:
    """The private half of a key in force. Raises KeyProblem where it is not here."""
    name = _file(key.id)
    try:
        raw = base64.b64decode(secrets.read(name), validate=True)
        signer = Signer(key.name, Ed25519PrivateKey.from_private_bytes(raw))
    except ValueError as error:
        raise KeyProblem(f"the key file {name} is damaged") from error
    if signer.verifier != key:
        raise KeyProblem(f"the key file {name} holds another key")
    return signer


def forget(key_id: str) -> None:
    """Erase the private half of a key that signs no more."""
    secrets.path(_file(key_id)).unlink(missing_ok=True)


def begin(at: str) -> Statement:
    """The first key's statement, not saved. Makes key and pin where neither is there, and never a second pin."""
    pin = pinned()
    signer = load(pin) if pin else generate()
    if pin is None:
        secrets.create(PIN, f"{signer.verifier}\n")
    if pinned() != signer.verifier:
        raise KeyProblem("another key was pinned meanwhile")
    return state(Kind.INTRODUCE, str(signer.verifier), at, {}, signer)


def _file(key_id: str) -> str:
    return f"sealing-{key_id}.key"

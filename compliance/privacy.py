"""Personal facts of an event: encrypted for the person they are about (AES-256-GCM, bound to the event), read back
while that person's key stands. What is hashed and proved is the ciphertext, so the tree outlives the key."""

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from compliance import subjects
from compliance.models import ComplianceEvent

NONCE_BYTES = 12
ERASED = {"personal": "erased"}


def seal(event: ComplianceEvent, personal: Mapping[str, Any]) -> None:
    """Encrypt personal facts into an event that is not saved yet. Of an erased person nothing is kept.

    Raises KeyProblem or DatabaseError where there is no key to be had: then there is no event, and no deed.
    """
    pid = event.subject_pid or event.actor_pid
    key = subjects.key(pid, event.retention_class, may_create=True)
    if key is None:
        event.details = {**event.details, **ERASED}
        return
    nonce = os.urandom(NONCE_BYTES)
    text = json.dumps(dict(personal), ensure_ascii=True, sort_keys=True).encode()
    event.pii_ct = nonce + AESGCM(key).encrypt(nonce, text, event.event_uuid.bytes)
    event.pii_key_id = f"{pid}/{event.retention_class}"


def told(event: ComplianceEvent) -> dict[str, Any]:
    """All of an event's facts as they can still be read; "personal": "erased" stands for what cannot."""
    if event.pii_ct is None:
        return dict(event.details)
    return {**event.details, **(_opened(event) or ERASED)}


def digest(ciphertext: bytes) -> str:
    return hashlib.sha256(ciphertext).hexdigest()


def _opened(event: ComplianceEvent) -> dict[str, Any] | None:
    pid, _, retention_class = event.pii_key_id.rpartition("/")
    key = subjects.key(pid, retention_class)
    if key is None or event.pii_ct is None:
        return None
    sealed = bytes(event.pii_ct)
    try:
        text = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], event.event_uuid.bytes)
    except (InvalidTag, ValueError):
        return {"personal": "not readable: it was altered"}
    opened: dict[str, Any] = json.loads(text)
    return opened

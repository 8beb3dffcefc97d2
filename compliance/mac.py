"""The writers' HMAC over each event, which guards it until it is sealed.

Context: every process that writes events holds the key, so it leaks before the sealing key does. Choice: a key for each
day, derived from the day before by HKDF, the old one erased: who takes today's cannot rewrite yesterday. The seed,
from which every day follows, belongs to the sealer and to `audit verify`; take it off the machines that only write.
Cost: a writer without its file writes nothing, and so does nothing that needs an event.

Files: `writer_mac.key` {"version", "day", "key"}; `mac_seed.key` {version: {"day", "key"}}. Key ids: "1.2026-11-23".
"""

import functools
import hmac
import json
import secrets as random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from django.conf import settings

from compliance import secrets
from compliance.models import ComplianceEvent
from compliance.secrets import KeyProblem

WRITER, SEED = "writer_mac.key", "mac_seed.key"
KEY_BYTES = 32


@dataclass(frozen=True)
class DayKey:
    version: int
    day: date
    key: bytes

    @property
    def id(self) -> str:
        return f"{self.version}.{self.day.isoformat()}"

    def on(self, day: date) -> "DayKey":
        """The key of a later day; of an earlier one there is no way to tell, so this one."""
        key, at = self.key, self.day
        while at < day:
            key, at = _next(key), at + timedelta(days=1)
        return DayKey(self.version, at, key)


def sign(canonical: bytes, *, at: datetime) -> tuple[bytes, str]:
    """The MAC of an event that happened at that moment, and its key's id. Raises KeyProblem without a key."""
    key = _of_writer(settings.KEYS_DIR, at.date())
    return hmac.digest(key.key, canonical, "sha256"), key.id


def is_right(canonical: bytes, mac: bytes, key_id: str, *, folder: Path | None = None) -> bool:
    """Whether a writer who held that day's key made this MAC. Raises KeyProblem without the seed.

    folder: of the keys, for who asks a million times: the settings take longer than the hash.
    """
    key = _of_day(folder or settings.KEYS_DIR, key_id)
    return key is not None and hmac.compare_digest(hmac.digest(key, canonical, "sha256"), mac)


def rotate(*, day: date) -> str:
    """A new version of the seed, from that day; older ones stay to verify. The writers' new key id."""
    seeds = json.loads(secrets.read(SEED))
    version = max(map(int, seeds)) + 1
    key = DayKey(version, day, random.token_bytes(KEY_BYTES))
    secrets.replace(SEED, json.dumps(seeds | {str(version): _plain(key)}))
    secrets.replace(WRITER, _as_text(key))
    forget()
    return key.id


def forget() -> None:
    """Read the files anew."""
    _of_writer.cache_clear()
    _of_day.cache_clear()


@functools.lru_cache(maxsize=1)
def _of_writer(folder: Path, day: date) -> DayKey:
    if not secrets.path(WRITER).exists():
        _create(day)
    stored = _read(secrets.read(WRITER))
    key = stored.on(day)
    if key.day > stored.day:
        secrets.replace(WRITER, _as_text(key))
    return key


def _create(day: date) -> None:
    """The first keys of an installation: only while no event has ever been signed. Another process may be faster."""
    if ComplianceEvent.objects.exclude(mac_key_id="").exists():
        return
    key = DayKey(1, day, random.token_bytes(KEY_BYTES))
    if not secrets.create(SEED, json.dumps({"1": _plain(key)})):
        stored = json.loads(secrets.read(SEED))
        version = max(map(int, stored))
        key = DayKey(
            version, date.fromisoformat(stored[str(version)]["day"]), bytes.fromhex(stored[str(version)]["key"])
        )
    secrets.create(WRITER, _as_text(key))


@functools.lru_cache(maxsize=4096)
def _of_day(folder: Path, key_id: str) -> bytes | None:
    """None for an id that no key has."""
    version, _, day = key_id.partition(".")
    seed = json.loads(secrets.read(SEED)).get(version)
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        return None
    if seed is None or wanted < date.fromisoformat(seed["day"]) or day != wanted.isoformat():
        return None
    return DayKey(int(version), date.fromisoformat(seed["day"]), bytes.fromhex(seed["key"])).on(wanted).key


def _next(key: bytes) -> bytes:
    return HKDFExpand(algorithm=SHA256(), length=KEY_BYTES, info=b"nextrade audit, next day").derive(key)


def _read(text: str) -> DayKey:
    try:
        stored = json.loads(text)
        return DayKey(stored["version"], date.fromisoformat(stored["day"]), bytes.fromhex(stored["key"]))
    except (ValueError, KeyError, TypeError) as error:
        raise KeyProblem(f"the key file {WRITER} is damaged") from error


def _plain(key: DayKey) -> dict[str, str]:
    return {"day": key.day.isoformat(), "key": key.key.hex()}


def _as_text(key: DayKey) -> str:
    return json.dumps({"version": key.version, **_plain(key)})

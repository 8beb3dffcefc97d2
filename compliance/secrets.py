"""Key files: for their owner alone (0600), never overwritten by accident, never believed when others may read them."""

import os
import secrets
from pathlib import Path

from django.conf import settings

from nextrade.errors import Unavailable


class KeyProblem(Unavailable):
    """A key of the trail is missing, readable by others, or not the one that it should be."""

    code = "audit_key"


def path(name: str) -> Path:
    return Path(settings.KEYS_DIR) / name


def read(name: str) -> str:
    """Raises KeyProblem where the file is missing or open to others."""
    file = path(name)
    try:
        mode = file.stat().st_mode
        text = file.read_text()
    except OSError as error:
        raise KeyProblem(f"the key file {name} cannot be read") from error
    if mode & 0o077:
        raise KeyProblem(f"the key file {name} is open to others: chmod 600 it, and rotate the key")
    return text


def create(name: str, text: str) -> bool:
    """Write a new file, whole or not at all; False where there is one already."""
    draft = _draft(name, text)
    try:
        os.link(draft, path(name))
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def replace(name: str, text: str) -> None:
    _draft(name, text).replace(path(name))


def _draft(name: str, text: str) -> Path:
    Path(settings.KEYS_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path(f".{name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return draft

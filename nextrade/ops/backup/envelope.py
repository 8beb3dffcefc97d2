"""A set as one file that may leave the house: a tar, encrypted to public keys of `age`. Who can read it is not here."""

import tarfile
from collections.abc import Sequence
from pathlib import Path

import pyrage

from nextrade.ops.backup.shelf import NAME, BackupProblem

SUFFIX = ".tar.age"


def pack(folder: Path, target: Path, recipients: Sequence[str]) -> None:
    """target: its name ends in SUFFIX. Raises BackupProblem, so too for no recipient."""
    if not recipients:
        raise BackupProblem("nothing leaves unencrypted: set NEXTRADE_BACKUP_RECIPIENTS")
    plain = target.with_suffix("")
    try:
        keys = [pyrage.x25519.Recipient.from_str(each) for each in recipients]
        plain.touch(mode=0o600)
        with tarfile.open(plain, "w") as tar:
            tar.add(folder, arcname=folder.name)
        target.touch(mode=0o600)
        pyrage.encrypt_file(str(plain), str(target), keys)
    except (pyrage.RecipientError, pyrage.EncryptError, OSError) as error:
        raise BackupProblem(f"the set cannot be encrypted: {type(error).__name__}") from error
    finally:
        plain.unlink(missing_ok=True)


def unpack(file: Path, identity: Path, into: Path) -> Path:
    """The set's folder, made in `into`. identity: a file of `age-keygen`. Raises BackupProblem."""
    plain = into / f".{file.name}.tar"
    try:
        lines = identity.read_text().splitlines()
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith("AGE-SECRET-KEY-")]
        into.mkdir(mode=0o700, parents=True, exist_ok=True)
        plain.touch(mode=0o600)
        pyrage.decrypt_file(str(file), str(plain), keys)
        return _extract(plain, into)
    except (pyrage.DecryptError, pyrage.IdentityError, tarfile.TarError, OSError) as error:
        raise BackupProblem(f"{file.name} cannot be opened: {type(error).__name__}") from error
    finally:
        plain.unlink(missing_ok=True)


def _extract(plain: Path, into: Path) -> Path:
    """Plain files in one folder that is named for a moment; anything else in the tar is refused."""
    with tarfile.open(plain) as tar:
        members = tar.getmembers()
        top = members[0].name if members else ""
        if not NAME.fullmatch(top) or not members[0].isdir():
            raise BackupProblem("that is no set of a backup")
        for member in members[1:]:
            folder, _, name = member.name.partition("/")
            if folder != top or not member.isfile() or Path(name).name != name or name in ("", ".", ".."):
                raise BackupProblem(f"the set holds {member.name[:80]!r}, which no backup of ours does")
        tar.extractall(into, filter="data")
    return into / top

"""What becomes of old backups: compressed after 30 days, deleted after 90; the first verified one of each month is
kept seven years, and the last verified one for ever. Ages come from names: a file's time is whoever touched it last.

Keys live 30 days, but for the newest: an erased person's key must not outlive that.
"""

import gzip
import shutil
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from nextrade.ops.backup import envelope, manifest, offsite, shelf, verify
from nextrade.ops.backup.shelf import NAME, Shelf, taken_at

COMPRESS_AFTER = timedelta(days=30)
DELETE_AFTER = timedelta(days=90)
KEYS_KEPT = timedelta(days=30)
ARCHIVE_YEARS = 7
PACKED = (".db", ".log", ".dump")


def prune(*, at: datetime, is_dry: bool = False) -> list[str]:
    """What was done, or would be: a line for each set."""
    data = shelf.data()
    kept = kept_for_ever(data)
    done = []
    for name in data.names():
        age = at - taken_at(name)
        if age > DELETE_AFTER and name not in kept and not _is_archived(name, data, at=at):
            done.append(f"deleted {name}")
            _delete(data, name, is_dry=is_dry)
        elif age > COMPRESS_AFTER and compressible(data.folder / name):
            done.append(f"compressed {name}")
            if not is_dry:
                compress(data.folder / name)
    done += _prune_keys(at=at, is_dry=is_dry)
    return [*done, *_prune_offsite(at=at, is_dry=is_dry)]


def kept_for_ever(data: Shelf) -> set[str]:
    """The last one that was verified; where none was, the last one."""
    return {name for name in (verify.newest_verified(), *data.names()[-1:]) if name}


def is_monthly(name: str, data: Shelf) -> bool:
    """The first verified one of its month."""
    of_month = [each for each in data.names() if each[:6] == name[:6] and verify.is_verified(data.folder / each)]
    return of_month[:1] == [name]


def compressible(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in PACKED)


def compress(folder: Path) -> None:
    """Pack what is in a set, prove that it unpacks to the same, then let the originals go. Killed on the way it is
    begun again, and the set is whole at each moment."""
    originals = compressible(folder)
    for file in originals:
        packed = folder / f"{file.name}.gz"
        with file.open("rb") as source, gzip.open(packed, "wb") as out:
            packed.chmod(0o600)
            shutil.copyfileobj(source, out, manifest.CHUNK)
        with gzip.open(packed, "rb") as back, file.open("rb") as source:
            while chunk := source.read(manifest.CHUNK):
                if back.read(len(chunk)) != chunk:
                    raise shelf.BackupProblem(f"{packed.name} does not unpack to what it was")
        shelf.fsync(packed)
    gone = {file.name for file in originals}
    left = [file for file in folder.iterdir() if file.name not in (*manifest.APART, *gone) and file.name[0] != "."]
    manifest.write_sums(folder, sorted(left))
    shelf.fsync(folder)
    for file in originals:
        file.unlink()


def _is_archived(name: str, data: Shelf, *, at: datetime) -> bool:
    made = taken_at(name)
    return is_monthly(name, data) and (at.year - made.year, at.month, at.day) <= (ARCHIVE_YEARS, made.month, made.day)


def _delete(shelf_: Shelf, name: str, *, is_dry: bool) -> None:
    if is_dry:
        return
    doomed = shelf_.folder / f".{name}.gone"
    (shelf_.folder / name).rename(doomed)  # whole until it is gone: half a set is none
    shutil.rmtree(doomed)
    (shelf_.folder / f".{name}.offsite").unlink(missing_ok=True)


def _prune_keys(*, at: datetime, is_dry: bool) -> list[str]:
    keys = shelf.keys()
    old = [name for name in keys.names()[:-1] if at - taken_at(name) > KEYS_KEPT]
    for name in old:
        _delete(keys, name, is_dry=is_dry)
    return [f"deleted keys {name}" for name in old]


def _prune_offsite(*, at: datetime, is_dry: bool) -> list[str]:
    """Elsewhere the same ages hold; which was the first of a month is read from the names that are there."""
    done = []
    for places, most in ((settings.BACKUP_OFFSITE, DELETE_AFTER), (settings.BACKUP_KEYS_OFFSITE, KEYS_KEPT)):
        for where in places:
            sink = offsite.sink(where)
            names = [each.removesuffix(envelope.SUFFIX) for each in sink.names()]
            names = [each for each in names if NAME.fullmatch(each)]
            monthly = {min(each for each in names if each[:6] == name[:6]) for name in names}
            keep = monthly if most == DELETE_AFTER else set()
            for name in names[:-1]:
                if at - taken_at(name) > (timedelta(days=366 * ARCHIVE_YEARS) if name in keep else most):
                    done.append(f"deleted {name} at {where}")
                    if not is_dry:
                        sink.delete(f"{name}{envelope.SUFFIX}")
    return done

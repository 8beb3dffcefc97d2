"""Where backups lie: a folder for each, named for its moment (UTC), put in place whole or not at all.

Two shelves: data (books, trail, conversations, compliance.log) and keys (the trail's, the subjects' and their wrap).
They lie apart, since keys beside what they open would undo an erasure, and have lives of their own.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from nextrade.errors import Missing, Unavailable

NAME = re.compile(r"\d{8}_\d{6}")
FORMAT = "%Y%m%d_%H%M%S"
LATEST = "latest"


class BackupProblem(Unavailable):
    """A backup was not made, is not what it was, or cannot be put back."""

    code = "backup"


class NoSuchBackup(Missing):
    code = "no_such_backup"


@dataclass(frozen=True, kw_only=True)
class Shelf:
    folder: Path

    def names(self) -> list[str]:
        """Oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(each.name for each in self.folder.iterdir() if NAME.fullmatch(each.name) and each.is_dir())

    def find(self, name: str) -> Path:
        """The set of that name, or the newest for `latest`. A name is a moment and nothing else, so that no path
        leads out. Raises NoSuchBackup."""
        names = self.names()
        wanted = names[-1] if name == LATEST and names else name
        if not NAME.fullmatch(wanted) or wanted not in names:
            raise NoSuchBackup(f"there is no backup {name[:40]!r} in {self.folder}")
        return self.folder / wanted

    @contextlib.contextmanager
    def begin(self, name: str) -> Iterator[Path]:
        """A draft of a set, for its owner alone; after the block it stands in place, or nothing does."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft, place = self.folder / f".{name}.partial", self.folder / name
        if place.exists():
            raise BackupProblem(f"there is a backup {name} already")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        try:
            yield draft
            _settle(draft)
            draft.rename(place)
            self._point_latest(name)
            fsync(self.folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def _point_latest(self, name: str) -> None:
        link = self.folder / f".{LATEST}.{name}"
        link.unlink(missing_ok=True)
        link.symlink_to(name)
        link.replace(self.folder / LATEST)


def data() -> Shelf:
    return Shelf(folder=Path(settings.BACKUP_DIR))


def keys() -> Shelf:
    return Shelf(folder=Path(settings.BACKUP_KEYS_DIR))


def taken_at(name: str) -> datetime:
    """The moment that a set is named for."""
    return datetime.strptime(name, FORMAT).replace(tzinfo=UTC)


def fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _settle(folder: Path) -> None:
    """Everything in it for its owner alone, and on the disk."""
    for file in folder.iterdir():
        file.chmod(0o600)
        fsync(file)
    fsync(folder)

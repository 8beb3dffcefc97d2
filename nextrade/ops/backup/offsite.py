"""Copies elsewhere: a directory on another volume, a bucket, a machine by rsync. Encrypted, and read back."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

from nextrade.ops.backup import envelope, shelf
from nextrade.ops.backup.manifest import sha256
from nextrade.ops.backup.shelf import NAME, BackupProblem, Shelf


class Sink(Protocol):
    """Each method raises BackupProblem. Names are those of envelopes."""

    def put(self, file: Path) -> None: ...

    def get(self, name: str, target: Path) -> None: ...

    def names(self) -> list[str]: ...

    def delete(self, name: str) -> None: ...


class Directory:
    """`dir:/mnt/other/volume`."""

    def __init__(self, where: str) -> None:
        self.folder = Path(where)

    def put(self, file: Path) -> None:
        draft = self.folder / f".{file.name}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, draft)
            shelf.fsync(draft)
            draft.replace(self.folder / file.name)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise _problem("takes", error) from error

    def get(self, name: str, target: Path) -> None:
        try:
            shutil.copyfile(self.folder / name, target)
        except OSError as error:
            raise _problem("gives", error) from error

    def names(self) -> list[str]:
        return sorted(file.name for file in self.folder.glob(f"[0-9]*{envelope.SUFFIX}"))

    def delete(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


class Bucket:
    """`s3:bucket/prefix`; credentials, region and endpoint as boto3 finds them (`AWS_…`)."""

    def __init__(self, where: str) -> None:
        self.bucket, _, self.prefix = where.partition("/")

    def put(self, file: Path) -> None:
        self._ask(lambda client: client.upload_file(str(file), self.bucket, self._key(file.name)))

    def get(self, name: str, target: Path) -> None:
        self._ask(lambda client: client.download_file(self.bucket, self._key(name), str(target)))

    def names(self) -> list[str]:
        def listed(client: Any) -> list[str]:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._key(""))
            return sorted(found["Key"].rpartition("/")[2] for page in pages for found in page.get("Contents", ()))

        names: list[str] = self._ask(listed)
        return names

    def delete(self, name: str) -> None:
        self._ask(lambda client: client.delete_object(Bucket=self.bucket, Key=self._key(name)))

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    def _ask(self, what: Callable[[Any], Any]) -> Any:
        import boto3
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return what(boto3.client("s3"))
        except (Boto3Error, BotoCoreError, ClientError, OSError) as error:
            raise _problem("answers", error) from error


class Rsync:
    """`rsync:machine:/folder`, or a folder here; over ssh, with the keys of whoever runs this."""

    def __init__(self, where: str) -> None:
        self.where = where.rstrip("/")

    def put(self, file: Path) -> None:
        self._run("--archive", str(file), f"{self.where}/{file.name}")

    def get(self, name: str, target: Path) -> None:
        self._run("--archive", f"{self.where}/{name}", str(target))

    def names(self) -> list[str]:
        lines = self._run("--list-only", f"{self.where}/").splitlines()
        return sorted(name for line in lines if (name := line.rpartition(" ")[2]).endswith(envelope.SUFFIX))

    def delete(self, name: str) -> None:
        """rsync deletes only what an empty folder does not have, and no other name than this."""
        with tempfile.TemporaryDirectory() as empty:
            self._run("--recursive", "--delete", f"--include={name}", "--exclude=*", f"{empty}/", f"{self.where}/")

    def _run(self, *arguments: str) -> str:
        command = ["rsync", "--timeout=60", "--ignore-times", *arguments]  # of one size and second is not the same
        try:
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603
        except (OSError, subprocess.CalledProcessError) as error:
            raise _problem("answers", error) from error


KINDS: dict[str, Callable[[str], Sink]] = {"dir": Directory, "s3": Bucket, "rsync": Rsync}


def sink(name: str) -> Sink:
    """By its setting, `dir:…`, `s3:…` or `rsync:…`. Raises BackupProblem."""
    kind, _, where = name.partition(":")
    if kind not in KINDS or not where:
        raise BackupProblem(f"{name[:40]!r} is no dir:, s3: or rsync:")
    return KINDS[kind](where)


def send(name: str, *, what: Sequence[Shelf] = ()) -> None:
    """Put a set of both shelves, or of those named, wherever the settings say, each file read back.

    Raises BackupProblem."""
    for where, shelf_ in _places():
        if not what or shelf_ in what:
            _send(shelf_.find(name), sink(where))


def verify(name: str) -> list[str]:
    """What is wrong with a set's copies elsewhere, by the sums that were written down when they were sent."""
    found = []
    for where, shelf_ in _places():
        folder = shelf_.find(name)
        note = _note(folder)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".offsite-") as scratch:
            target = Path(scratch) / f"{name}{envelope.SUFFIX}"
            try:
                sink(where).get(target.name, target)
                if not note.is_file() or sha256(target) != note.read_text().strip():
                    found.append(f"the copy at {where} is not what was sent")
            except BackupProblem as problem:
                found.append(f"{where}: {problem.message}")
    return found


def fetch(where: str, name: str, identity: Path, into: Path) -> Path:
    """A set from elsewhere, opened: its folder in `into`; name may be `latest`. Raises BackupProblem."""
    source = sink(where)
    names = [each for each in source.names() if NAME.fullmatch(each.removesuffix(envelope.SUFFIX))]
    wanted = names[-1] if name == shelf.LATEST and names else f"{name}{envelope.SUFFIX}"
    if wanted not in names:
        raise shelf.NoSuchBackup(f"there is no backup {name[:40]!r} at {where}")
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    sealed = into / wanted
    sealed.touch(mode=0o600)
    try:
        source.get(wanted, sealed)
        return envelope.unpack(sealed, identity, into)
    finally:
        sealed.unlink(missing_ok=True)


def _places() -> list[tuple[str, Shelf]]:
    return [
        *((where, shelf.data()) for where in settings.BACKUP_OFFSITE),
        *((where, shelf.keys()) for where in settings.BACKUP_KEYS_OFFSITE),
    ]


def _send(folder: Path, where: Sink) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".offsite-") as scratch:
        sealed = Path(scratch) / f"{folder.name}{envelope.SUFFIX}"
        envelope.pack(folder, sealed, settings.BACKUP_RECIPIENTS)
        where.put(sealed)
        back = Path(scratch) / "back"
        where.get(sealed.name, back)
        if sha256(back) != sha256(sealed):
            raise BackupProblem("what came back from off-site is not what was sent")
        _note(folder).write_text(sha256(sealed) + "\n")


def _note(folder: Path) -> Path:
    """Beside the sets: what is in a set is in its sums."""
    return folder.parent / f".{folder.name}.offsite"


def _problem(verb: str, error: Exception) -> BackupProblem:
    return BackupProblem(f"the place off-site neither {verb} nor refuses plainly: {type(error).__name__}")

"""A log file that many processes write and any of them rotates.

Context: the handlers of logging rotate each for itself, so that two processes at one midnight throw a day away. Choice:
who writes holds a lock on the file beside it, opens the log anew if another has rotated it, and rotates if it is time;
a line is one write. Cost: a lock a line, some microseconds. What rotates from outside (logrotate, the job
`log_rotation`) may do so too: with LOG_ROTATION=none it is the only one.
"""

import contextlib
import fcntl
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

DATED = re.compile(r"\d{4}-\d\d-\d\d(\.\d+)?")


class SharedFile(logging.Handler):
    """rotation: "size" (max_bytes, then .1, .2 ...), "time" (a day's own, .2025-11-05) or "none". keep: old files."""

    def __init__(self, filename: str, rotation: str = "none", max_bytes: int = 10 * 1024 * 1024, keep: int = 5) -> None:
        super().__init__()
        self._file, self._rotation = Path(filename).absolute(), rotation
        self._max_bytes, self._keep = max_bytes, keep
        self._handle: int | None = None
        self._beside: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
            with self._alone():
                handle = self._open()
                if self._is_due(handle, len(line)):
                    self._rotate()
                    handle = self._open()
                while line:
                    line = line[os.write(handle, line) :]
        except Exception:  # noqa: BLE001 - a log that cannot be written breaks nothing else
            self.handleError(record)

    def close(self) -> None:
        for handle in (self._handle, self._beside):
            if handle is not None:
                os.close(handle)
        self._handle = self._beside = None
        super().close()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """The lock is a process's own, so a fork takes none with it; threads are kept apart by the handler's."""
        if self._beside is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._beside = os.open(self._file.with_name(f".{self._file.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.lockf(self._beside, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._beside, fcntl.LOCK_UN)

    def _open(self) -> int:
        """The file of that name, which may be another than before."""
        if self._handle is not None:
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(self._handle), self._file.stat()):
                    return self._handle
            os.close(self._handle)
        self._handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        return self._handle

    def _is_due(self, handle: int, more: int) -> bool:
        known = os.fstat(handle)
        if not known.st_size or self._rotation == "none":
            return False
        if self._rotation == "size":
            return known.st_size + more > self._max_bytes
        return day(known.st_mtime) != day(time.time())

    def _rotate(self) -> None:
        if self._rotation == "size":
            for number in range(self._keep, 1, -1):
                with contextlib.suppress(FileNotFoundError):
                    self._numbered(number - 1).replace(self._numbered(number))
            self._file.replace(self._numbered(1))
            return
        self._file.rename(self._dated(day(self._file.stat().st_mtime)))
        for old in self._old_days()[: -self._keep]:
            old.unlink(missing_ok=True)

    def _numbered(self, number: int) -> Path:
        return self._file.with_name(f"{self._file.name}.{number}")

    def _dated(self, named: str) -> Path:
        wanted, number = self._file.with_name(f"{self._file.name}.{named}"), 1
        while wanted.exists():
            wanted, number = self._file.with_name(f"{self._file.name}.{named}.{number}"), number + 1
        return wanted

    def _old_days(self) -> list[Path]:
        """Oldest first."""
        start = len(self._file.name) + 1
        files = self._file.parent.glob(f"{self._file.name}.*")
        return sorted(file for file in files if DATED.fullmatch(file.name[start:]))


def day(seconds: float) -> str:
    """In the time zone that stands in the lines."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))

"""Which processes make up this installation on this machine, and what they take.

Each long-lived process writes its name, id and start into the data directory; with the time of its start, another
process that got the same id later is not taken for it. Children belong to whoever is enlisted.
"""

import functools
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from django.conf import settings

ROLES = ("web", "worker", "sealer", "alertd")
KEPT_S = 10


def enlist(role: str, pid: int) -> None:
    """Let the watch know of a process. role: one of ROLES."""
    folder = _folder()
    folder.mkdir(exist_ok=True)
    (folder / f"{role}-{pid}").write_text(str(psutil.Process(pid).create_time()))


def trees() -> dict[str, list[psutil.Process]]:
    """The living processes by role, children included. A role without any is absent; what is dead is struck off."""
    return _trees(_folder())


def _trees(folder: Path) -> dict[str, list[psutil.Process]]:
    found: dict[str, dict[int, psutil.Process]] = {}
    for file in folder.glob("*-*"):
        role, _, pid = file.name.partition("-")
        if (root := _living(file, pid)) is None:
            file.unlink(missing_ok=True)
            continue
        members = found.setdefault(role, {})
        members.update({process.pid: process for process in _family(root)})
    return {role: list(members.values()) for role, members in found.items()}


def memory_bytes() -> dict[str, int]:
    """Proportional set size by role: pages that several processes share are counted once."""
    return _memory_bytes(_folder(), int(time.monotonic() / KEPT_S))


@functools.lru_cache(maxsize=1)
def _memory_bytes(folder: Path, period: int) -> dict[str, int]:
    """Reading it costs milliseconds a process, so it holds for a moment. This process alone, where none is enlisted."""
    known = _trees(folder) or {"web": [psutil.Process()]}
    return {role: sum(map(_pss, members)) for role, members in known.items()}


def _pss(process: psutil.Process) -> int:
    try:
        return int(getattr(process.memory_full_info(), "pss", 0)) or int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _family(root: psutil.Process) -> Iterator[psutil.Process]:
    yield root
    try:
        yield from root.children(recursive=True)
    except psutil.Error:
        return


def _living(file: Path, pid: str) -> psutil.Process | None:
    try:
        process = psutil.Process(int(pid))
        is_same = abs(process.create_time() - float(file.read_text())) < 1
        return process if is_same and process.status() != psutil.STATUS_ZOMBIE else None
    except (psutil.Error, ValueError, OSError):
        return None


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "run"

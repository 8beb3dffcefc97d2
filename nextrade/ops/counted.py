"""What all processes of this machine have counted, read from the files that prometheus_client keeps for each.

A process that died leaves its counts, which stay true, and its live gauges, which do not: the latter are dropped at
each scrape. The former are gathered into one file once there are MANY, for every restart of a queue's worker adds some.
Ids tell who is alive, so a directory is for one machine (or one pod); whoever starts a set of processes empties it.
"""

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, multiprocess
from prometheus_client.core import Metric
from prometheus_client.mmap_dict import MmapedDict

MANY = 64
SUMMED = ("counter", "histogram", "summary")
DEAD = "dead"


def register(registry: CollectorRegistry, folder: Path) -> None:
    """Add what is counted to a registry, without the gauges of dead processes."""
    for pid in {_pid(file) for file in folder.glob("gauge_live*.db")}:
        if pid and not psutil.pid_exists(pid):
            multiprocess.mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
    registry.register(Counted(str(folder)))


class Counted(multiprocess.MultiProcessCollector):
    """Read while nobody gathers."""

    def __init__(self, folder: str) -> None:
        super().__init__(None, folder)  # type: ignore[no-untyped-call]
        self._folder = Path(folder)

    def collect(self) -> Iterable[Metric]:
        _gather_if_many(self._folder)
        with _locked(self._folder, fcntl.LOCK_SH):
            found: Iterable[Metric] = super().collect()  # type: ignore[no-untyped-call]
        return found


def gather(folder: Path) -> int:
    """Add the counts of dead processes up in one file a kind; how many files went into it."""
    with _locked(folder, fcntl.LOCK_EX):
        return sum(_gather(folder, kind, dead(folder, kind)) for kind in SUMMED)


def dead(folder: Path, kind: str) -> list[Path]:
    files = [(file, _pid(file)) for file in folder.glob(f"{kind}_*.db")]
    return [file for file, pid in files if pid and not psutil.pid_exists(pid)]


def _gather_if_many(folder: Path) -> None:
    if len(list(folder.glob("counter_*.db"))) > MANY and len(dead(folder, "counter")) > MANY // 2:
        gather(folder)


def _gather(folder: Path, kind: str, files: list[Path]) -> int:
    if not files:
        return 0
    target, draft = folder / f"{kind}_{DEAD}.db", folder / f"{kind}.draft"
    sums: dict[str, float] = defaultdict(float)
    for file in [*files, *([target] if target.exists() else [])]:
        for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            sums[key] += value
    draft.unlink(missing_ok=True)
    written = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
    for key, value in sums.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
    written.close()  # type: ignore[no-untyped-call]
    draft.replace(target)
    for file in files:
        file.unlink()
    return len(files)


def _pid(file: Path) -> int:
    """Whose file it is; 0 for the gathered one."""
    name = file.stem.rpartition("_")[2]
    return int(name) if name.isdigit() else 0


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)

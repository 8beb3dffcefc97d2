"""Hours at half load: does anything grow that should not?

What the product carries with CLIENTS at once is measured first; then half of that is asked for, evenly, in
conversations of ten turns, one of which proposes an order that is approved: purchases in one minute, sales in the next,
so that cash and shares last. Every half minute each process' own memory (USS: its part of what is shared changes with
those who share it), open files and connections are noted, and the trail's unsealed seconds, the write-ahead log and the
size of a conversation's checkpoints. A slope (Theil and Sen's, the first fifth left out) that would add more than is
allowed in the whole run is a leak. Exits with 1 when there is one.

    python -m tests.performance.soak [--minutes 120] [--database URL] [--write]
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import combinations, count
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.campaigns.ground import ROOT
from tests.journeys.conftest import Product, launch
from tests.journeys.test_main_job import approve
from tests.performance import bench
from tests.performance.approvals import WIDEN

PICTURE = ROOT / "docs" / "images" / "soak.svg"
CLIENTS, FULL_S, TURNS, EVERY_S = 8, 20.0, 10, 30.0
ALLOWED = {
    "memory": (0.05, 3.0),
    "files": (0.05, 3.0),
    "connections": (0.05, 3.0),
    "unsealed_s": (0.2, 5.0),
    "wal_mb": (0.2, 8.0),
    "checkpoint_kb": (0.05, 1.0),
}
"""What the whole run may add, of each kind: a share of its median, or so many of its units, whichever is more."""


@dataclass
class Soak:
    """series: by name, (seconds, value). Units: MB of memory, MB of the log, kB a conversation."""

    product: Product
    started: float = field(default_factory=time.monotonic)
    series: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    turns: int = 0
    orders: int = 0
    approved: int = 0
    failed: int = 0
    conversations: set[str] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def sample(self) -> None:
        at = time.monotonic() - self.started
        for name, process in self.product.processes.items():
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            self._note(at, f"memory {name}", sum(part.memory_full_info().uss for part in family) / 1_000_000)
            self._note(at, f"files {name}", sum(part.num_fds() for part in family))
            self._note(at, f"connections {name}", sum(len(part.net_connections()) for part in family))
        text = str(self.product.call("GET", "/metrics").body)
        for line in text.splitlines():
            if line.startswith("nextrade_audit_unsealed_seconds "):
                self._note(at, "unsealed_s", float(line.split()[1]))
        log_mb, checkpoint_kb = self._stored()
        self._note(at, "wal_mb", log_mb)
        if self.conversations:
            self._note(at, "checkpoint_kb", checkpoint_kb / len(self.conversations))

    def _note(self, at: float, name: str, value: float) -> None:
        self.series[name].append((at, value))

    def _stored(self) -> tuple[float, float]:
        """The write-ahead log in MB, the checkpoints of all conversations in kB."""
        url = self.product.env.get("DATABASE_URL", "")
        if not url:
            data = Path(self.product.env["NEXTRADE_DATA_DIR"])
            logs = [data / "nextrade.sqlite3-wal"]
            checkpoints = [data / "checkpoints.sqlite3", data / "checkpoints.sqlite3-wal"]
            return _size(logs) / 1_000_000, _size(checkpoints) / 1000
        with psycopg.connect(url) as connection:
            log = connection.execute("SELECT sum(size) FROM pg_ls_waldir()").fetchone()
            tables = connection.execute(
                "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE nspname = 'checkpoints' AND relkind = 'r'"
            ).fetchone()
        assert log is not None
        assert tables is not None
        return float(log[0] or 0) / 1_000_000, float(tables[0] or 0) / 1000

    def talk(self, number: int, pause_s: float) -> None:
        """One person's conversations, a turn every so many seconds."""
        who, due = ("ann", "ben")[number % 2], time.monotonic() + pause_s * number / CLIENTS
        thread_id: str | None = None
        for turn in count():
            if self.over.wait(max(0.0, due - time.monotonic())):
                return
            due += pause_s
            if turn % TURNS == 0:
                thread_id = None
            message = self._order(turn // TURNS % 20 + 1) if turn % TURNS == 5 else "AAPL?"
            try:
                answer = self.product.say(who, message, thread_id)
            except (AssertionError, OSError):
                self.failed += 1
                continue
            thread_id = answer["thread_id"]
            self.turns += 1
            self.conversations.add(str(thread_id))
            self.orders += len(answer["orders"])
            if answer["requires_approval"]:
                with suppress(OSError):
                    reply = approve(self.product, "bob", answer["approval_details"]["order_id"])
                    self.approved += reply.status == HTTPStatus.OK

    def _order(self, shares: int) -> str:
        """A purchase and a sale in turns, a minute each."""
        is_even = (time.monotonic() - self.started) // 60 % 2 == 0
        return f"{'buy' if is_even else 'sell'} {shares} shares of Ford"


def run(minutes: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as data:
        running = launch(
            Path(data), NEXTRADE_RATE_LIMIT="1000000/min", LOG_LEVEL="WARNING", NEXTRADE_ANSWER_CACHE_S="0"
        )
        product = next(running)
        try:
            product.start("alertd")
            product.manage("shell", "--no-imports", "-c", WIDEN)
            full = _talking(Soak(product), FULL_S, 0)
            soak = Soak(product)
            _talking(soak, minutes * 60, 2 * CLIENTS / (full.turns / FULL_S))
            verified = json.loads(product.manage("audit", "verify", "--json"))
        finally:
            running.close()  # type: ignore[attr-defined]
    growth = {name: grown(name, points) for name, points in soak.series.items()}
    return {
        "minutes": minutes,
        "full_turns_per_s": full.turns / FULL_S,
        "turns_per_s": soak.turns / minutes / 60,
        "turns": soak.turns,
        "orders": soak.orders,
        "approved": soak.approved,
        "failed": soak.failed,
        "trail_ok": verified["ok"],
        "growth": growth,
        "leaks": sorted(name for name, one in growth.items() if one["is_leak"]),
        "series": soak.series,
    }


def _talking(soak: Soak, seconds: float, pause_s: float) -> Soak:
    """Let them talk for so long, each with a turn every `pause_s`, while samples are taken."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = [pool.submit(soak.talk, number, pause_s) for number in range(CLIENTS)]
        end = time.monotonic() + seconds
        every = min(EVERY_S, seconds / 12)
        try:
            while (left := end - time.monotonic()) > 0:
                soak.sample()
                soak.over.wait(min(every, left))
        finally:
            soak.over.set()
        for one in told:
            one.result()
    return soak


def _size(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files if file.exists())


def grown(name: str, points: list[tuple[float, float]]) -> dict[str, Any]:
    """What the series adds in the whole run by its slope, and whether that is more than it may."""
    settled = points[len(points) // 5 :]
    share, least = ALLOWED[name.split()[0]]
    if len(settled) < 3:
        return {"median": 0.0, "adds": 0.0, "is_leak": False}
    slope = statistics.median((b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(_thin(settled), 2))
    median, adds = statistics.median(value for _, value in settled), slope * points[-1][0]
    return {"median": round(median, 2), "adds": round(adds, 2), "is_leak": adds > max(share * median, least)}


def _thin(points: list[tuple[float, float]], most: int = 240) -> list[tuple[float, float]]:
    return points[:: max(1, len(points) // most)]


def draw(series: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Each kind in a frame of its own."""
    pyplot = bench.plots()
    kinds = sorted({name.split()[0] for name in series})
    figure, frames = pyplot.subplots(len(kinds), 1, figsize=(8, 1.6 * len(kinds)), sharex=True, layout="constrained")
    for kind, frame in zip(kinds, frames, strict=True):
        for name, points in series.items():
            if name.split()[0] == kind:
                thin = _thin(points)
                frame.plot([at / 60 for at, _ in thin], [value for _, value in thin], label=name.partition(" ")[2])
        frame.set_ylabel(kind)
        frame.set_ylim(bottom=0)
        if any(name.startswith(f"{kind} ") for name in series):
            frame.legend(ncols=4, fontsize=6)
    frames[-1].set_xlabel("minutes")
    bench.save(figure, path)


def table(found: dict[str, Any]) -> str:
    lines = ["| series | median | the run adds | |", "|---|---|---|---|"]
    for name, one in sorted(found["growth"].items()):
        lines.append(f"| {name} | {one['median']} | {one['adds']} | {'**grows**' if one['is_leak'] else 'flat'} |")
    about = (
        f"`make soak`, {found['minutes']:g} minutes, {bench.machine()}, commit {bench.commit()}, load "
        f"{os.getloadavg()[0]:.1f}: {found['turns']:,} turns, {found['turns_per_s']:.1f}/s of "
        f"{found['full_turns_per_s']:.1f}/s; {found['orders']:,} orders, {found['approved']:,} approved; "
        f"{found['failed']} failed; the trail verifies: {found['trail_ok']}."
    )
    return "\n".join([about, "", *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--database", default="sqlite", help="sqlite, or a PostgreSQL URL")
    parser.add_argument("--write", action="store_true", help="into docs/figures.md, with a picture")
    given = parser.parse_args()
    os.environ["TEST_DATABASE_URL"] = "" if given.database == "sqlite" else given.database
    found = run(given.minutes)
    if given.write:
        bench.write(bench.MARKDOWN, "soak", table(found))
        draw(found["series"], PICTURE)
    sys.stdout.write(json.dumps({name: value for name, value in found.items() if name != "series"}) + "\n")
    sys.exit(bool(found["leaks"] or found["failed"] or not found["trail_ok"]))


if __name__ == "__main__":
    main()

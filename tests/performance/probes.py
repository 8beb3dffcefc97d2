"""S9: `/ht/` with all its checks, asked by ten probes at once, on a server that runs (`--base`) or on one of its own.

Prints p50 and p99 in milliseconds, and what an answer costs the web processes in CPU, which no other load changes.
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.journeys.conftest import launch

PROBES, GOAL_MS = 10, 20


def ask(base: str, path: str, seconds: float, pause_s: float) -> list[float]:
    """One probe's answers in milliseconds, on a connection that is kept."""
    line = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        line.request("GET", path, headers={"Accept": "application/json"})
        line.getresponse().read()
        times.append(1000 * (time.perf_counter() - start))
        time.sleep(pause_s)
    return times


def measure(base: str, server: int, *, path: str, seconds: float, pause_s: float) -> dict[str, float]:
    ask(base, path, 1, 0)
    before = cpu_s(server)
    with ThreadPoolExecutor(PROBES) as pool:
        times = sorted(t for row in pool.map(lambda _: ask(base, path, seconds, pause_s), range(PROBES)) for t in row)
    return {
        "answers": len(times),
        "p50_ms": statistics.median(times),
        "p99_ms": times[int(0.99 * len(times))],
        "cpu_ms": 1000 * (cpu_s(server) - before) / len(times),
        "load": psutil.getloadavg()[0],
    }


def cpu_s(server: int) -> float:
    """Of the processes below gunicorn's first."""
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process(server).children())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="")
    parser.add_argument("--pid", type=int, default=0, help="gunicorn's first process, with --base")
    parser.add_argument("--path", default="/ht/")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--pause", type=float, default=0.05, help="seconds between one probe's questions")
    args = parser.parse_args()
    how = {"path": args.path, "seconds": args.seconds, "pause_s": args.pause}
    if args.base:
        told = measure(args.base, args.pid, **how)
    else:
        with tempfile.TemporaryDirectory() as data:
            running = launch(Path(data))
            product = next(running)
            told = measure(product.url, product.processes["web"].pid, **how)
            running.close()  # type: ignore[attr-defined]
    print(json.dumps({name: round(value, 1) for name, value in told.items()}))
    sys.exit(0 if told["p99_ms"] <= GOAL_MS else 1)


if __name__ == "__main__":
    main()

"""Which server carries the application best: S1's turns and S2's load under each, in turns, so that all see the same
machine. What is printed of each is the median of the rounds.

gunicorn's threads are what we ship; the others are no dependencies of ours:

    pip install --target DIR granian uvicorn
    python -m tests.performance.serving --packages DIR [--rounds 3]
"""

import argparse
import json
import os
import statistics
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.journeys import conftest
from tests.performance import chat_turn, concurrency

THREADS = 160
SERVERS = ("gunicorn", "granian", "granian-asgi", "uvicorn")


def wsgi() -> Any:
    from nextrade.wsgi import application

    return _started(application)


def asgi() -> Any:
    from nextrade.asgi import application

    return _started(application)


def _started(application: Any) -> Any:
    """As gunicorn's own file does after it has loaded the application; uvicorn loads it within its loop, where Django
    opens no database."""
    import gc

    from nextrade.ops import starting

    begin = threading.Thread(target=starting.web)
    begin.start()
    begin.join()
    gc.collect()
    gc.freeze()
    return application


def command(server: str, workers: int, packages: Path) -> list[str]:
    """What starts it, on the port that the environment names."""
    interface = "asgi" if "asgi" in server or server == "uvicorn" else "wsgi"
    target = f"tests.performance.serving:{interface}"
    common = f"--factory --workers {workers} --host 127.0.0.1 --port $PORT {target}"
    begin = f'mkdir -p "$NEXTRADE_DATA_DIR/metrics"; exec env PYTHONPATH={packages}:. NEXTRADE_DB_POOL=yes'
    begin = f'{begin} PROMETHEUS_MULTIPROC_DIR="$NEXTRADE_DATA_DIR/metrics" {sys.executable} -m'
    if server == "uvicorn":
        return ["sh", "-c", f"{begin} uvicorn --log-level warning {common}"]
    threads = f"--blocking-threads {THREADS}" if interface == "wsgi" else ""
    return ["sh", "-c", f"{begin} granian --interface {interface} {threads} --no-ws --log-level warning {common}"]


def measure(server: str, packages: Path) -> dict[str, float]:
    with _web(server, 1, packages):
        turn = chat_turn.ours(300, messages=("hi",))["hi"]
    with _web(server, 2, packages):
        load = concurrency.measure(rounds=4)
    return {
        **{f"S1_{name}": turn[name] for name in ("p50_ms", "turns_per_s_1", "turns_per_s_8")},
        **{f"S2_{name}": load[name] for name in ("share_of_ideal", "web_cpu_ms", "alive_p99_ms")},
    }


@contextmanager
def _web(server: str, workers: int, packages: Path) -> Iterator[None]:
    shipped = conftest.COMMANDS["web"]
    if server != SERVERS[0]:
        conftest.COMMANDS["web"] = command(server, workers, packages)
    try:
        yield
    finally:
        conftest.COMMANDS["web"] = shipped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True, help="where granian and uvicorn are")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--servers", nargs="+", choices=SERVERS, default=SERVERS)
    given = parser.parse_args()
    told: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for number in range(given.rounds):
        for server in given.servers:
            found = measure(server, given.packages)
            for name, value in found.items():
                told[server][name].append(value)
            print(number, server, f"load {os.getloadavg()[0]:.1f}", json.dumps(found), flush=True)
    medians = {
        server: {name: round(statistics.median(each), 3) for name, each in row.items()} for server, row in told.items()
    }
    sys.stdout.write(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""S1: what a chat turn costs over HTTP beyond the model, while every message, model call and event is stored.

One gunicorn process, one worker, SQLite with synchronous=FULL, the offline model. Prints, and with --write enters the
figures in a Markdown file between the markers of S1.
"""

import argparse
import http.client
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from tests.journeys.conftest import Product, launch

MESSAGES = {"no tool (`hi`)": "hi", "research agent, one tool (`AAPL?`)": "AAPL?"}
WARM_UP, TURNS, CLIENTS = 20, 300, 8


class Client:
    """One person's connection, kept open. Each turn is a conversation of its own."""

    def __init__(self, product: Product, who: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", product.port, timeout=60)
        self.headers = {
            "Authorization": f"Bearer {product.people[who]['token']}",
            "Content-Type": "application/json",
        }

    def turn_ms(self, message: str) -> float:
        start = time.perf_counter()
        self.connection.request("POST", "/api/v1/chat/", json.dumps({"message": message}), self.headers)
        reply = self.connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        return (time.perf_counter() - start) * 1000


def measure(product: Product, message: str) -> dict[str, float]:
    """Milliseconds a turn with one client, turns a second with one and with eight."""
    client = Client(product, "ann")
    for _ in range(WARM_UP):
        client.turn_ms(message)
    times = sorted(client.turn_ms(message) for _ in range(TURNS))
    return {
        "p50_ms": statistics.median(times),
        "p95_ms": times[int(0.95 * len(times))],
        "turns_per_s_1": 1000 * len(times) / sum(times),
        "turns_per_s_8": _together(product, message),
    }


def _together(product: Product, message: str) -> float:
    def run(client: Client) -> None:
        for _ in range(TURNS // CLIENTS):
            client.turn_ms(message)

    clients = [Client(product, who) for who in ("ann", "ben") for _ in range(CLIENTS // 2)]
    start = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, clients))
    return CLIENTS * (TURNS // CLIENTS) / (time.perf_counter() - start)


def table(figures: dict[str, dict[str, float]]) -> str:
    named = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    commit = named.stdout.strip()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    rows = [
        f"| {name} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | "
        f"{row['turns_per_s_1']:.0f} | {row['turns_per_s_8']:.0f} |"
        for name, row in figures.items()
    ]
    return "\n".join(
        [
            f"`make bench`, {datetime.now(UTC):%Y-%m-%d}, commit {commit}, {machine}, SQLite, {TURNS} turns each.",
            "",
            "| turn | p50 ms | p95 ms | turns/s, 1 client | turns/s, 8 clients |",
            "|---|---|---|---|---|",
            *rows,
        ]
    )


def write(path: Path, text: str) -> None:
    before, _, rest = path.read_text().partition("<!-- S1 -->")
    _, _, after = rest.partition("<!-- /S1 -->")
    path.write_text(f"{before}<!-- S1 -->\n{text}\n<!-- /S1 -->{after}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, help="a Markdown file with the markers of S1")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        running = launch(Path(data), WEB_WORKERS="1", NEXTRADE_RATE_LIMIT="1000000/min", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            text = table({name: measure(product, message) for name, message in MESSAGES.items()})
        finally:
            running.close()  # type: ignore[attr-defined]
    sys.stdout.write(text + "\n")
    if arguments.write:
        write(arguments.write, text)


if __name__ == "__main__":
    main()

"""S1: what a chat turn costs over HTTP beyond the model, while every message, model call and event is stored.

One gunicorn process, one worker, SQLite with synchronous=FULL, the offline model; or, with --base, any server that
answers a POST of {"message": …} with 200, so that others can be measured beside it in the same run:

    python -m tests.performance.chat_turn --base http://127.0.0.1:9000 --path /chat --header "Authorization: Bearer …"
"""

import argparse
import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from tests.journeys.conftest import Product, launch
from tests.performance.probes import cpu_s

MESSAGES = ("hi", "AAPL?")
"""no tool; the research agent and one tool"""
WARM_UP, TURNS, CLIENTS = 20, 300, 8


class Client:
    """One person's connection to a server, kept open. Each turn is a conversation of its own."""

    def __init__(self, base: str, path: str, headers: dict[str, str]) -> None:
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=60)
        self.path, self.headers = path, {"Content-Type": "application/json", **headers}

    def renew(self) -> None:
        """A new connection for the next turn: a server closes one that has waited a while."""
        self.connection.close()

    def turn_ms(self, message: str) -> float:
        start = time.perf_counter()
        self.connection.request("POST", self.path, json.dumps({"message": message}), self.headers)
        reply = self.connection.getresponse()
        body = reply.read()
        assert reply.status == 200, body
        return (time.perf_counter() - start) * 1000


def of(product: Product, who: str) -> Client:
    return Client(product.url, "/api/v1/chat/", {"Authorization": f"Bearer {product.people[who]['token']}"})


def measure(clients: Sequence[Client], message: str, turns: int) -> dict[str, float]:
    """Milliseconds a turn with the first client alone, turns a second with it and with all of them."""
    clients[0].renew()
    for _ in range(WARM_UP):
        clients[0].turn_ms(message)
    times = sorted(clients[0].turn_ms(message) for _ in range(turns))
    return {
        "p50_ms": statistics.median(times),
        "p95_ms": times[int(0.95 * len(times))],
        "turns_per_s_1": 1000 * len(times) / sum(times),
        f"turns_per_s_{len(clients)}": _together(clients, message, turns),
    }


def _together(clients: Sequence[Client], message: str, turns: int) -> float:
    each = turns // len(clients)

    def run(client: Client) -> None:
        for _ in range(each):
            client.turn_ms(message)

    for client in clients:
        client.renew()
    start = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(run, clients))
    return len(clients) * each / (time.perf_counter() - start)


def ours(turns: int, messages: Sequence[str] = MESSAGES) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as data:
        running = launch(Path(data), WEB_WORKERS="1", NEXTRADE_RATE_LIMIT="1000000/min", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            clients = [of(product, ("ann", "ben")[number % 2]) for number in range(CLIENTS)]
            return {
                message: {**measure(clients, message, turns), **_cost(product, clients[0], message)}
                for message in messages
            }
        finally:
            running.close()  # type: ignore[attr-defined]


def _cost(product: Product, client: Client, message: str) -> dict[str, float]:
    """The processor's time of the web processes a turn, which no other load changes much, and the events it leaves."""
    web, before, start = product.processes["web"].pid, _events(product), cpu_s(product.processes["web"].pid)
    client.renew()
    for _ in range(WARM_UP):
        client.turn_ms(message)
    used = cpu_s(web) - start
    return {"cpu_ms": 1000 * used / WARM_UP, "events": (_events(product) - before) / WARM_UP}


def _events(product: Product) -> int:
    return int(product.call("GET", "/api/v1/compliance/events/?limit=1", "carol").body["results"][0]["id"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", help="of a server that runs; without it ours is started")
    parser.add_argument("--path", default="/chat")
    parser.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("--turns", type=int, default=TURNS)
    given = parser.parse_args()
    if given.base:
        headers = {name: value for name, _, value in (header.partition(": ") for header in given.header)}
        clients = [Client(given.base, given.path, headers) for _ in range(CLIENTS)]
        found = {message: measure(clients, message, given.turns) for message in MESSAGES}
    else:
        found = ours(given.turns)
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()

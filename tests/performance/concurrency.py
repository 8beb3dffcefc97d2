"""S2: 128 chats at once with a model that takes a second, two web processes; `/health/live` is asked meanwhile.

Ideal: as many turns a second as there are clients, since each waits for the model alone.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.journeys.conftest import Product, launch
from tests.openai_server import openai_server
from tests.performance.chat_turn import Client, of
from tests.performance.probes import cpu_s

CLIENTS, ROUNDS, MODEL_S = 128, 8, 1.0


def measure(clients: int = CLIENTS, *, rounds: int = ROUNDS, workers: int = 2) -> dict[str, float]:
    """Share of the ideal, p50 of a turn in seconds, p50 and p99 of `/health/live` in milliseconds; the processor's time
    of a turn in the web processes, and in this one, which is clients and model."""
    with openai_server(lambda request: {"content": "Hello."}) as server, tempfile.TemporaryDirectory() as data:
        server.latency_s = MODEL_S
        running = launch(
            Path(data),
            WEB_WORKERS=str(workers),
            NEXTRADE_RATE_LIMIT="1000000/min",
            LOG_LEVEL="WARNING",
            OPENAI_API_KEY="sk-x",
            OPENAI_BASE_URL=server.url,
            NEXTRADE_MODEL="slow",
            NEXTRADE_ANSWER_CACHE_S="0",
        )
        product = next(running)
        try:
            with ThreadPoolExecutor(clients) as pool:
                list(pool.map(lambda client: client.turn_ms("hello"), _clients(product, clients)))  # warm
                people = _clients(product, clients)  # anew: the server closes a connection that waits for the slowest
                alive: list[float] = []
                over = threading.Event()
                watcher = threading.Thread(target=_watch, args=(product.url, alive, over))
                watcher.start()
                web = product.processes["web"].pid
                start, used, own = time.perf_counter(), cpu_s(web), time.process_time()
                times = list(pool.map(lambda client: [client.turn_ms("hello") for _ in range(rounds)], people))
                took, used, own = time.perf_counter() - start, cpu_s(web) - used, time.process_time() - own
                over.set()
                watcher.join()
        finally:
            running.close()  # type: ignore[attr-defined]
    alive.sort()
    return {
        "turns_per_s": clients * rounds / took,
        "share_of_ideal": clients * rounds / took / (clients / MODEL_S),
        "turn_p50_s": statistics.median(one for row in times for one in row) / 1000,
        "alive_p50_ms": statistics.median(alive),
        "alive_p99_ms": alive[int(0.99 * len(alive))],
        "web_cpu_ms": 1000 * used / (clients * rounds),
        "harness_cpu_ms": 1000 * own / (clients * rounds),
    }


def _clients(product: Product, count: int) -> list[Client]:
    return [of(product, ("ann", "ben")[number % 2]) for number in range(count)]


def _watch(url: str, alive: list[float], over: threading.Event) -> None:
    while not over.is_set():
        start = time.perf_counter()
        urllib.request.urlopen(f"{url}/health/live", timeout=30).read()
        alive.append((time.perf_counter() - start) * 1000)
        over.wait(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="web processes")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    given = parser.parse_args()
    found = measure(given.clients, workers=given.workers)
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in found.items()}) + "\n")


if __name__ == "__main__":
    main()

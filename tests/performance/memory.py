"""S10: what one web process holds after its start, and what thousands of chats add to it (PSS, which shares what is
shared)."""

import argparse
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from tests.journeys.conftest import launch
from tests.performance.chat_turn import CLIENTS, Client, of

MB = 1_000_000
FIRST = 200
"""chats before the growth is counted from: caches and threads are filled by them"""


def measure(chats: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as data:
        running = launch(Path(data), WEB_WORKERS="1", NEXTRADE_RATE_LIMIT="1000000/min", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            (web,) = psutil.Process(product.processes["web"].pid).children()
            clients = [of(product, ("ann", "ben")[number % 2]) for number in range(CLIENTS)]
            at_start = pss_mb(web)
            _chat(clients, FIRST)
            warm = pss_mb(web)
            _chat(clients, chats)
            after = pss_mb(web)
        finally:
            running.close()  # type: ignore[attr-defined]
    growth_pct = 100 * (after - warm) / warm
    return {"chats": chats, "start_mb": at_start, "warm_mb": warm, "after_mb": after, "growth_pct": growth_pct}


def pss_mb(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / MB


def _chat(clients: list[Client], count: int) -> None:
    with ThreadPoolExecutor(len(clients)) as pool:
        list(pool.map(lambda client: [client.turn_ms("AAPL?") for _ in range(count // len(clients))], clients))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chats", type=int, default=4000)
    sys.stdout.write(json.dumps(measure(parser.parse_args().chats)) + "\n")


if __name__ == "__main__":
    main()

"""R7: how long an order's event waits until it stands outside of the database, with a sealer beside the web processes.

Measured as a compliance officer sees it: from the answer to the proposal until the API calls its event anchored.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from tests.journeys.conftest import Product, launch

ORDERS = 30
PATIENCE_S = 60


def measure(orders: int) -> dict[str, float]:
    """Seconds, p50 and the longest."""
    with tempfile.TemporaryDirectory() as data:
        running = launch(Path(data), NEXTRADE_RATE_LIMIT="1000000/min", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            waits = [_wait_s(product, number + 1) for number in range(orders)]
        finally:
            running.close()  # type: ignore[attr-defined]
    return {"orders": orders, "p50_s": statistics.median(waits), "longest_s": max(waits)}


def _wait_s(product: Product, quantity: int) -> float:
    order_id = product.say("ann", f"Buy {quantity} KO")["orders"][0]["order_id"]
    start = time.perf_counter()
    while time.perf_counter() - start < PATIENCE_S:
        events = product.call("GET", "/api/v1/compliance/events/?type=ORDER&limit=1", "carol").body["results"]
        if events and events[0]["order_id"] == order_id and events[0]["state"] == "anchored":
            return time.perf_counter() - start
    raise AssertionError(f"not anchored after {PATIENCE_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=ORDERS)
    found = measure(parser.parse_args().orders)
    sys.stdout.write(json.dumps({name: round(value, 3) for name, value in found.items()}) + "\n")


if __name__ == "__main__":
    main()

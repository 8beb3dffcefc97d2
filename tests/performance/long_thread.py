"""S12: what a turn sends to the model, turn 100 of a conversation against turn 5, in characters of all its requests."""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.journeys.conftest import launch
from tests.openai_server import OpenAIServer, desk_script, openai_server

WORDS = ("PRICE AAPL", "ORDERS", "what do you think of it all in so many words", "PRICE MSFT")


def measure(turns: int) -> dict[str, Any]:
    with openai_server(desk_script) as server, tempfile.TemporaryDirectory() as data:
        running = launch(
            Path(data),
            NEXTRADE_RATE_LIMIT="1000000/min",
            LOG_LEVEL="WARNING",
            OPENAI_API_KEY="sk-x",
            OPENAI_BASE_URL=server.url,
            NEXTRADE_MODEL="scripted",
            NEXTRADE_ANSWER_CACHE_S="0",
        )
        product = next(running)
        try:
            thread_id, sizes, took = None, [], []
            for number in range(1, turns + 1):
                before, start = len(server.requests), time.perf_counter()
                thread_id = product.say("ann", WORDS[number % len(WORDS)], thread_id)["thread_id"]
                took.append((time.perf_counter() - start) * 1000)
                sizes.append(_sent(server, before))
        finally:
            running.close()  # type: ignore[attr-defined]
    early = sum(sizes[4:8])
    late = sum(sizes[-4:])
    return {
        "turns": turns,
        "early": early,
        "late": late,
        "ratio": round(late / early, 2),
        "chars": sizes,
        "ms": [round(one, 1) for one in took],
    }


def _sent(server: OpenAIServer, since: int) -> int:
    return sum(len(json.dumps(request)) for request in server.requests[since:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=100)
    sys.stdout.write(json.dumps(measure(parser.parse_args().turns)) + "\n")


if __name__ == "__main__":
    main()

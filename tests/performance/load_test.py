"""The guide's load test: people who chat and look at their orders, against a product that runs.

    python tests/performance/load_test.py --base http://127.0.0.1:8000 --users 20 --seconds 30

Verdict by the guide's thresholds: p95 of a chat under 5 s, none over 30 s, errors at most 1 %; exit 0 or 1. Refusals
for the rate (429) are told apart and are no answer: start the product with a NEXTRADE_RATE_LIMIT above the load.
Tokens: --token (again for each person), else those of `manage.py demo_cast` of the installation in this environment.
"""

# ruff: noqa: E402, I001, RUF100
from gevent import monkey

monkey.patch_all()

import argparse
import itertools
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import gevent
from locust import HttpUser, between, events, task
from locust.env import Environment

ROOT = Path(__file__).resolve().parent.parent.parent
NORMAL_S, MOST_S, MOST_ERRORS_PCT = 5.0, 30.0, 1.0
CHAT = "/api/v1/chat/"


class Trader(HttpUser):
    """A person at the desk. tokens: taken in turn."""

    wait_time = between(0.5, 2)
    tokens: ClassVar[Any] = iter(())

    def on_start(self) -> None:
        self.client.headers["Authorization"] = f"Bearer {next(self.tokens)}"
        self.client.trust_env = False

    @task(3)
    def ask(self) -> None:
        with self.client.post(CHAT, json={"message": "What is AAPL at?"}, catch_response=True) as answer:
            if answer.status_code == 429:
                answer.failure("429")

    @task(1)
    def look(self) -> None:
        self.client.get("/api/v1/orders/", name="/api/v1/orders/")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Times in seconds, of chats that were answered; refused: for the rate."""

    chats: int
    p50: float
    p95: float
    p99: float
    max: float
    refused: int
    errors: int
    error_pct: float

    @property
    def problems(self) -> list[str]:
        return [
            problem
            for problem, is_so in (
                ("no chat was answered", self.chats - self.errors - self.refused <= 0),
                (f"p95 {self.p95:.1f} s is over {NORMAL_S:.0f} s", self.p95 > NORMAL_S),
                (f"the longest took {self.max:.1f} s, over {MOST_S:.0f} s", self.max > MOST_S),
                (f"{self.error_pct:.1f} % errors", self.error_pct > MOST_ERRORS_PCT),
            )
            if is_so
        ]


def run(base: str, tokens: list[str], users: int, seconds: float) -> Figures:
    Trader.tokens = itertools.cycle(tokens)
    environment = Environment(user_classes=[Trader], host=base, events=events)
    runner = environment.create_local_runner()
    runner.start(users, spawn_rate=users)
    gevent.sleep(seconds)
    runner.quit()
    chat = environment.stats.get(CHAT, "POST")
    refused = sum(each.occurrences for each in environment.stats.errors.values() if str(each.error) == "429")
    total = environment.stats.total
    errors = total.num_failures - refused

    def seconds_at(share: float) -> float:
        return float(chat.get_response_time_percentile(share) or 0) / 1000

    return Figures(
        chats=chat.num_requests,
        p50=seconds_at(0.5),
        p95=seconds_at(0.95),
        p99=seconds_at(0.99),
        max=chat.max_response_time / 1000,
        refused=refused,
        errors=errors,
        error_pct=100 * errors / max(total.num_requests - refused, 1),
    )


def demo_tokens() -> list[str]:
    command = [sys.executable, "manage.py", "demo_cast", "--json"]
    people = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    return [person["token"] for person in people if "Traders" in person["groups"]]


def main() -> int:
    parser = argparse.ArgumentParser(description="The guide's load test")
    parser.add_argument("--base", default="http://127.0.0.1:8000")
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--token", action="append", default=[])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    figures = run(given.base, given.token or demo_tokens(), given.users, given.seconds)
    verdict = "; ".join(figures.problems) or "within the guide's thresholds"
    if given.json:
        print(json.dumps({**asdict(figures), "verdict": verdict}))
    else:
        print(" ".join(f"{name}={value:g}" for name, value in asdict(figures).items()))
        print(verdict)
    return 1 if figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())

"""C4: whether the time of a refused log-in tells who is there.

    python -m tests.performance.log_in [--tries 50]

One process, Django's own hasher, SQLite; names in turns, the lock taken back after each try. Prints the median of each
kind of name in ms and its ratio to a known name with a wrong password. Exits 1 where one is outside 0.8 to 1.25.
"""

import argparse
import os
import statistics
import sys
import time

from tests.campaigns import ground

KINDS = ("known", "switched off", "without password", "unknown")


def measure(*, tries: int) -> dict[str, float]:
    from django.contrib.auth.models import User
    from django.test import Client

    from nextrade import lockout

    User.objects.create_user("known", password="a right password")
    User.objects.create_user("switched off", password="a right password", is_active=False)
    User.objects.create_user("without password")
    web, took = Client(SERVER_NAME="localhost"), {kind: list[float]() for kind in KINDS}
    for _ in range(tries):
        for kind in KINDS:
            start = time.perf_counter()
            body = {"username": kind, "password": "a wrong password"}
            reply = web.post("/api/v1/auth/token/", body, content_type="application/json")
            took[kind].append((time.perf_counter() - start) * 1000)
            assert reply.status_code == 401, reply.content
            lockout.unlock(kind)
    return {kind: statistics.median(each) for kind, each in took.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=50)
    tries = parser.parse_args().tries
    os.environ["NEXTRADE_LOGIN_RATE_LIMIT"] = "100000/min"
    with ground.prepare("sqlite"):
        found = measure(tries=tries)
    ratios = {kind: each / found["known"] for kind, each in found.items()}
    for kind in KINDS:
        print(f"{kind:17} {found[kind]:7.1f} ms  {ratios[kind]:.3f}")
    return int(not all(0.8 <= ratio <= 1.25 for ratio in ratios.values()))


if __name__ == "__main__":
    sys.exit(main())

"""PostgreSQL is away for half a minute under the running product: what was acknowledged is there afterwards.

People chat, propose and approve through a web process; the line to the server is cut in the middle of whatever it
carries, and mended. Every message, order and approval that was answered with 200 must be there, every approved order
filled exactly once, the trail whole, and every process the one that was started.
"""

import argparse
import itertools
import json
import os
import sys
import tempfile
import threading
import time
import urllib.error
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.journeys.conftest import Product, Reply, launch
from tests.relay import relay

TRADERS = ("ann", "ben")
SETTLE_S = 150
PROCESSES = ("web", "worker", "sealer")


@dataclass
class Crowd:
    """What its people were told. answers: how many replies of each status; "broken": no reply at all."""

    product: Product
    over: threading.Event = field(default_factory=threading.Event)
    answers: Counter[str] = field(default_factory=Counter)
    threads: dict[str, str] = field(default_factory=dict)
    orders: dict[str, str] = field(default_factory=dict)
    approved: list[str] = field(default_factory=list)
    recovered_s: float = 0.0
    mended_at: float = 0.0

    def chat(self, who: str) -> None:
        for number in itertools.count(1):
            if self.over.is_set():
                return
            reply = self.call("POST", "/api/v1/chat/", who, {"message": f"buy {number} shares of Coca-Cola"})
            if reply and reply.status == 200:
                self.threads[reply.body["thread_id"]] = who
                self.orders |= {order["order_id"]: who for order in reply.body["orders"]}
                if self.mended_at and not self.recovered_s:
                    self.recovered_s = time.monotonic() - self.mended_at
            time.sleep(0.2)

    def approve(self) -> None:
        while not self.over.is_set():
            queue = self.call("GET", "/api/v1/approvals/", "bob")
            for order in queue.body["results"][:2] if queue and queue.status == 200 else ():
                wanted = {"decision": "approve", "reason": "as asked", "version": order["version"]}
                reply = self.call("POST", f"/api/v1/approvals/{order['id']}/", "bob", wanted)
                if reply and reply.status == 200:
                    self.approved.append(order["id"])
            time.sleep(0.3)

    def call(self, method: str, path: str, who: str, body: Any = None) -> Reply | None:
        try:
            reply = self.product.call(method, path, who, body)
        except (OSError, HTTPException, urllib.error.URLError):
            self.answers["broken"] += 1
            return None
        self.answers[str(reply.status)] += 1
        return reply


def campaign(server: str, *, away_s: int) -> dict[str, Any]:
    where = urlsplit(server)
    with relay((where.hostname or "127.0.0.1", where.port or 5432)) as line, tempfile.TemporaryDirectory() as data:
        os.environ["TEST_DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{line.port}{where.path}"
        running = launch(Path(data), NEXTRADE_APPROVAL_TTL_S="86400", NEXTRADE_DB_POOL_WAIT_S="2", LOG_LEVEL="WARNING")
        product = next(running)
        try:
            started = {name: product.processes[name].pid for name in PROCESSES}
            crowd = Crowd(product)
            people = [threading.Thread(target=crowd.chat, args=(who,)) for who in TRADERS]
            people.append(threading.Thread(target=crowd.approve))
            for person in people:
                person.start()
            time.sleep(10)
            line.cut()
            time.sleep(away_s)
            line.mend()
            crowd.mended_at = time.monotonic()
            time.sleep(15)
            crowd.over.set()
            for person in people:
                person.join()
            return {"away_s": away_s, **_found(crowd, started)}
        finally:
            line.mend()
            running.close()  # type: ignore[attr-defined]


def _found(crowd: Crowd, started: dict[str, int]) -> dict[str, Any]:
    product = crowd.product
    lost_messages = [
        thread
        for thread, who in crowd.threads.items()
        if {"user", "assistant"}
        - {row["role"] for row in product.call("GET", f"/api/v1/threads/{thread}/", who).body["messages"]}
    ]
    states = {order: product.order(who, order) for order, who in crowd.orders.items()}
    lost_orders = [order for order, row in states.items() if "status" not in row]
    settled = _settled(crowd)
    verified = json.loads(product.manage("audit", "verify", "--json"))
    return {
        "answers": dict(crowd.answers),
        "messages": len(crowd.threads),
        "lost_messages": len(lost_messages),
        "orders": len(crowd.orders),
        "lost_orders": len(lost_orders),
        "approvals": len(crowd.approved),
        "lost_approvals": sum(not row["approval"] for row in settled.values()),
        "unsettled": sum(row["status"] in ("approved", "pending_new") for row in settled.values()),
        "twice": sum(len({fill["exec_id"] for fill in row["executions"]}) > 1 for row in settled.values()),
        "answered_again_after_s": round(crowd.recovered_s, 1),
        "trail_faults": len(verified.get("faults", [])),
        "same_processes": all(
            product.processes[name].pid == pid and product.processes[name].poll() is None
            for name, pid in started.items()
        ),
        "components": [name for name, up in product.call("GET", "/health").body["components"].items() if not up],
    }


def _settled(crowd: Crowd) -> dict[str, Any]:
    """The approved orders once none of them is still on its way to the broker, or time is up."""
    deadline = time.monotonic() + SETTLE_S
    while True:
        rows = {order: crowd.product.order("bob", order) for order in set(crowd.approved)}
        if time.monotonic() > deadline or all(
            row["status"] not in ("approved", "pending_new") for row in rows.values()
        ):
            return rows
        time.sleep(2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default=os.environ.get("TEST_DATABASE_URL", "sqlite"))
    parser.add_argument("--seconds", type=int, default=30, help="how long the database is away")
    wanted = parser.parse_args()
    if wanted.database == "sqlite":
        return 0  # a file does not go away
    found = campaign(wanted.database, away_s=wanted.seconds)
    print(json.dumps(found))
    lost = sum(found[name] for name in ("lost_messages", "lost_orders", "lost_approvals", "unsettled", "twice"))
    is_well = not lost and not found["trail_faults"] and found["same_processes"] and not found["answers"].get("500")
    return 0 if is_well and found["approvals"] and found["answered_again_after_s"] else 1


if __name__ == "__main__":
    sys.exit(main())

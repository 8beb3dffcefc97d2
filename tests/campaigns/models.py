"""R13: every fault of a model's provider, at each agent.

What must hold: an answer or a refusal of ours each time, within the turn's seconds; no thread left busy; no order that
was not asked for, and none twice.
"""

import argparse
import itertools
import json
import os
import sys
import time
from typing import Any

from tests.campaigns import ground
from tests.openai_server import OpenAIServer, agent_of, desk_script, openai_server

QUICK = ("429", "429_soon", "429_late", "500", "503", "400", "401", "drop", "cut_json", "wrong_schema", "empty", "huge")
SLOW = ("hang", "drip")
WORDS = {"supervisor": "BUY 10 AAPL", "research": "PRICE AAPL", "portfolio": "BUY 10 AAPL", "database": "ORDERS"}
LOOPS = {
    "supervisor": ("transfer_to_research", {"instructions": "PRICE AAPL"}),
    "research": ("get_quote", {"symbol": "AAPL"}),
    "portfolio": ("propose_order", {"symbol": "AAPL", "side": "buy", "quantity": "10"}),
    "database": ("list_orders", {}),
}


def campaign(database: str, *, timeout_s: int, every: int) -> dict[str, Any]:
    """every: of the turns, each how manieth is tried. late: those beyond limit_s. The first turn of a process, which
    imports the libraries, is not one of them."""
    with openai_server(desk_script) as server:
        server.hang_s = timeout_s * 2
        os.environ |= {"OPENAI_API_KEY": "sk-campaign", "OPENAI_BASE_URL": server.url, "NEXTRADE_MODEL": "main"}
        os.environ |= {"NEXTRADE_LLM_TIMEOUT_S": str(timeout_s), "NEXTRADE_TURN_DEADLINE_S": str(timeout_s * 3 // 2)}
        with ground.prepare(database):
            ann = ground.people()["ann"]
            _one(server, ann, "none", "supervisor", is_streamed=False)
            turns = itertools.product((False, True), (*QUICK, *SLOW, "cut_stream", "loop"), WORDS)
            rows = [
                _one(server, ann, fault, agent, is_streamed=is_streamed)
                for is_streamed, fault, agent in list(turns)[::every]
            ]
            return {
                "database": database.split(":")[0],
                "turns": len(rows),
                "unhandled": sum(row["unhandled"] for row in rows),
                "stuck": sum(row["stuck"] for row in rows),
                "wrong_orders": sum(row["wrong"] for row in rows),
                "slowest_s": round(max(row["took_s"] for row in rows), 1),
                "limit_s": timeout_s * 3 // 2,
                "late": [row["what"] for row in rows if row["took_s"] > timeout_s * 3 // 2],
            }


def _one(server: OpenAIServer, ann: Any, fault: str, agent: str, *, is_streamed: bool) -> dict[str, Any]:
    from agents import services
    from agents.models import Breaker, Thread
    from agents.turn import silent
    from nextrade.errors import NexTradeError
    from orders.models import Order

    Breaker.objects.all().delete()
    Order.objects.filter(maker=ann).exclude(status="denied").update(status="denied")
    before = Order.objects.count()
    server.script = (lambda request: _looping(request, agent)) if fault == "loop" else desk_script
    server.fault, server.agents = ("", ()) if fault == "loop" else (fault, (agent,))
    heard: list[str] = []
    start, unhandled = time.monotonic(), 0
    try:
        services.process_chat_request(
            by=ann,
            message=WORDS[agent],
            thread_id=None,
            at=ground.now(),
            tell=(lambda kind, facts: heard.append(kind)) if is_streamed else silent,
        )
    except NexTradeError:
        pass
    except Exception as error:  # noqa: BLE001 - it is what this campaign counts
        print(fault, agent, repr(error), file=sys.stderr)
        unhandled = 1
    took_s = time.monotonic() - start
    made = Order.objects.count() - before
    return {
        "what": f"{fault} {agent} {'streamed' if is_streamed else 'whole'} {took_s:.1f} s",
        "took_s": took_s,
        "unhandled": unhandled,
        "stuck": Thread.objects.exclude(busy_until=None).count(),
        "wrong": made > (1 if "BUY" in WORDS[agent] else 0),
    }


def _looping(request: dict[str, Any], agent: str) -> dict[str, Any]:
    return {"tool_calls": [LOOPS[agent]]} if agent_of(request) == agent else desk_script(request)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--timeout-s", type=int, default=20)
    parser.add_argument("--every", type=int, default=1)
    wanted = parser.parse_args()
    found = campaign(wanted.database, timeout_s=wanted.timeout_s, every=wanted.every)
    print(json.dumps(found))
    if wanted.every == 1 and found["late"]:  # a short form runs on a machine that others use too
        return 1
    return 1 if any(found[name] for name in ("unhandled", "stuck", "wrong_orders")) else 0


if __name__ == "__main__":
    sys.exit(main())

"""R14 and R15: a provider that is dead for everybody.

Workers in several processes keep sending messages; the provider's server counts what reaches it. Then it answers again
and turns people's requests down, which must open nothing.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

from tests.campaigns import ground
from tests.openai_server import OpenAIServer, desk_script, openai_server

THREADS = 10
"""Of one process."""
WINDOW_S = 30.0
PAUSE_S = 1.0
TOGETHER_S = 1.0


def campaign(database: str, *, seconds: int, processes: int) -> dict[str, Any]:
    """most_in_30_s: calls that reached the provider in any 30 seconds. most_probes: of them, at once after the breaker
    had opened. amplification: calls for each first call. opened_by_people: breakers open after refusals alone."""
    with openai_server(desk_script) as server:
        os.environ |= {"OPENAI_API_KEY": "sk-campaign", "OPENAI_BASE_URL": server.url, "NEXTRADE_MODEL": "main"}
        server.fault = "500"
        with ground.prepare(database):
            ann = ground.people()["ann"]
            turns = _crowd(seconds, processes)
            at = sorted(moment for moment, _ in server.calls)
            return {
                "database": database.split(":")[0],
                "workers": processes * THREADS,
                "seconds": seconds,
                "turns": turns,
                "calls": len(at),
                "most_in_30_s": _most(at, WINDOW_S),
                "most_probes": _most([moment for moment in at if moment > at[0] + WINDOW_S - 5], TOGETHER_S),
                "amplification": round(_amplification(server, ann), 2),
                "opened_by_people": _opened_by_people(server, ann),
            }


def _crowd(seconds: int, processes: int) -> int:
    """How many messages all workers sent."""
    command = [sys.executable, "-m", "tests.campaigns.outage", "--worker", str(seconds)]
    workers = [subprocess.Popen(command, cwd=ground.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(processes)]
    return sum(int(worker.communicate(timeout=seconds + 120)[0].split()[-1]) for worker in workers)


def work(seconds: int) -> int:
    """One process of the crowd; how many messages it sent."""
    import django

    django.setup()
    _warm()
    end = time.monotonic() + seconds
    sent: list[int] = []
    threads = [threading.Thread(target=_send, args=(end, sent)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(sent)


def _warm() -> None:
    from agents import graph

    graph.desk()


def _send(end: float, sent: list[int]) -> None:
    from django.contrib.auth.models import User
    from django.db import connection

    ann = User.objects.get(username="ann")
    while time.monotonic() < end:
        _say(ann)
        sent.append(1)
        time.sleep(PAUSE_S)
    connection.close()


def _say(ann: Any) -> None:
    from agents import services
    from nextrade.errors import NexTradeError

    try:
        services.process_chat_request(by=ann, message="hello", thread_id=None, at=ground.now())
    except NexTradeError:
        return


def _most(moments: list[float], span_s: float) -> int:
    """The most moments in any stretch of that many seconds."""
    return max((sum(first <= moment < first + span_s for moment in moments) for first in moments), default=0)


def _amplification(server: OpenAIServer, ann: Any, turns: int = 60) -> float:
    """The budget of repeats alone: the breaker is taken away after each turn."""
    from agents.models import Breaker
    from nextrade import resilience

    resilience._backoff = lambda state: 0.01
    before = len(server.calls)
    for _ in range(turns):
        Breaker.objects.all().delete()
        _say(ann)
    return (len(server.calls) - before) / turns


def _opened_by_people(server: OpenAIServer, ann: Any) -> int:
    from agents.models import Breaker

    Breaker.objects.all().delete()
    for server.fault in ("400", "422"):
        for _ in range(20):
            _say(ann)
    return Breaker.objects.exclude(state="closed").count()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--worker", type=int, default=0)
    wanted = parser.parse_args()
    if wanted.worker:
        print(work(wanted.worker))
        return 0
    found = campaign(wanted.database, seconds=wanted.seconds, processes=wanted.processes)
    print(json.dumps(found))
    is_well = found["most_in_30_s"] <= 6 and found["most_probes"] <= 2 and found["amplification"] <= 1.2
    return 0 if is_well and found["turns"] > 0 and not found["opened_by_people"] else 1


if __name__ == "__main__":
    sys.exit(main())

"""What size costs: the same work at growing sizes, and the curves of it in docs/scaling.md.

    python -m tests.performance.growth [--part events orders turns chats] [--most 1000000] [--database URL] [--write]

events: lists, an append, sealing, verification, a proof. orders: lists, a proposal. turns: of one conversation. chats:
at once, with a model that takes a second. Each size has a database of its own.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from math import log
from typing import Any

from tests.campaigns import ground
from tests.performance import bench, concurrency, long_thread

PAGE = ground.ROOT / "docs" / "scaling.md"
PICTURES, NUMBERS = ground.ROOT / "docs" / "images", ground.ROOT / "docs" / "growth.json"
EVENTS, ORDERS = (10_000, 100_000, 1_000_000), (1_000, 10_000, 100_000)
TURNS, CHATS = (1, 10, 100), (1, 4, 16, 64, 128, 256)
LISTS = {
    "events": ("events, first page", "events, by person", "events, page 1,000", "API events by person"),
    "orders": ("orders, first page", "orders, by id", "orders, page 1,000", "API orders, own", "API approvals"),
}
PROPOSALS = 60
WORDS = {
    "events": "events stored",
    "orders": "orders stored",
    "turns": "turn of a conversation",
    "chats": "chats at once",
}
Curves = dict[str, dict[int, float]]
"""By what was done (its unit in the name), the cost at each size."""


def stored(part: str, size: int) -> dict[str, float]:
    """Of a database of that size, in milliseconds of the processor (PostgreSQL's not among them)."""
    from tests.performance import filling, lists

    events, orders = (size, min(size, 20_000)) if part == "events" else (size, size)
    filling.fill(events=events, orders=orders)
    rows = {case.name: lists.timed(case) for case in lists.cases() if case.name in LISTS[part]}
    found = {f"{name}, ms": row["cpu_ms"] for name, row in rows.items()}
    if part == "orders":
        found["a proposal, ms"] = statistics.median(_proposals())
    return found


def _proposals() -> Iterator[float]:
    from orders import services

    ann = ground.people()["ann"]
    for number in range(PROPOSALS):
        request = services.Request(key=f"growth:{number}", symbol="F", side="buy", quantity=str(number + 1))
        start = time.process_time()
        services.propose(request, owner=ann, by="agent:portfolio", at=ground.now())
        yield (time.process_time() - start) * 1000


def trail(size: int) -> dict[str, float]:
    """Of a trail of that many events, each real."""
    from tests.campaigns import trail

    found = trail.at_size(size)
    appended = trail.in_transactions(500)
    return {
        "an append, ms": 1000 / appended["events_per_s"],
        "sealing 1,000 events, ms": 1_000_000 / found["sealed_per_s"],
        "verifying 1,000 events, ms": 1_000_000 / found["verify_per_s"],
        "a proof, ms": found["proof_p50_ms"],
    }


def turns(most: int) -> Curves:
    """Of a conversation, as means of four turns around each number (the kinds of turn repeat after four)."""
    found = long_thread.measure(most + 3)
    marks = [number for number in TURNS if number <= most]
    return {
        f"{words} a turn": {number: statistics.mean(found[name][number - 1 : number + 3]) for number in marks}
        for name, words in (("chars", "characters sent to the model"), ("ms", "ms of"))
    }


def chats(most: int) -> Curves:
    curves: Curves = {"turns/s": {}, "share of the ideal, %": {}, "p50 of a turn, s": {}}
    for number in CHATS:
        if number <= most:
            found = concurrency.measure(number, rounds=4)
            for name, key, times in (
                ("turns/s", "turns_per_s", 1),
                ("share of the ideal, %", "share_of_ideal", 100),
                ("p50 of a turn, s", "turn_p50_s", 1),
            ):
                curves[name][number] = found[key] * times
    return curves


def at_sizes(measure: Callable[[int], dict[str, float]], sizes: list[int], database: str) -> Curves:
    """Each size in a process of its own, on a database of its own."""
    curves: Curves = {}
    for size in sizes:
        read, wrote = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            with ground.prepare(database), os.fdopen(wrote, "w") as out:
                json.dump(measure(size), out)
            os._exit(0)
        os.close(wrote)
        with os.fdopen(read) as answer:
            text = answer.read()
        if os.waitpid(pid, 0)[1]:
            raise SystemExit(f"{size}: not measured")
        for name, value in json.loads(text).items():
            curves.setdefault(name, {})[size] = value
        print(f"{size:,}: {text}", file=sys.stderr, flush=True)
    return curves


def measure(part: str, most: int, database: str) -> Curves:
    if part == "turns":
        return turns(min(most, TURNS[-1]))
    if part == "chats":
        return chats(min(most, CHATS[-1]))
    sizes = [size for size in (EVENTS if part == "events" else ORDERS) if size <= most]
    curves = at_sizes(lambda size: stored(part, size), sizes, database)
    return {**curves, **(at_sizes(trail, sizes, database) if part == "events" else {})}


def power(points: dict[int, float]) -> float:
    """How the cost grows between the smallest size and the largest: 0 not at all, 1 as the size does."""
    first, last = min(points), max(points)
    if first == last or points[first] <= 0 or points[last] <= 0:
        return 0.0
    return log(points[last] / points[first]) / log(last / first)


def table(part: str, curves: Curves) -> str:
    sizes = sorted({size for points in curves.values() for size in points})
    head = f"| {WORDS[part]} | {' | '.join(f'{size:,}' for size in sizes)} | grows as size to the |"
    lines = [head, f"|{'---|' * (len(sizes) + 2)}"]
    for name, points in curves.items():
        cells = " | ".join(bench.number(points[size]) if size in points else "" for size in sizes)
        lines.append(f"| {name} | {cells} | {power(points):.2f} |")
    return "\n".join(lines)


def draw(part: str, curves: Curves) -> None:
    pyplot = bench.plots()
    figure, axes = pyplot.subplots(figsize=(6, 3.4), layout="constrained")
    for name, points in curves.items():
        axes.plot(list(points), list(points.values()), marker="o", markersize=3, label=name)
    axes.set(xscale="log", yscale="log", xlabel=WORDS[part])
    axes.legend(fontsize=6)
    axes.grid(visible=True, linewidth=0.3)
    bench.save(figure, PICTURES / f"growth-{part}.svg")


def page(found: dict[str, Any]) -> str:
    parts = []
    for part, one in found.items():
        curves = {name: {int(size): value for size, value in points.items()} for name, points in one["curves"].items()}
        parts.append(
            f"{one['about']}\n\n{table(part, curves)}\n\n![cost against {WORDS[part]}](images/growth-{part}.svg)"
        )
    return "\n\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", nargs="+", choices=list(WORDS), default=list(WORDS))
    parser.add_argument("--most", type=int, default=1_000_000, help="no size above this")
    parser.add_argument("--database", default="sqlite", help="sqlite, or a PostgreSQL URL, for events and orders")
    parser.add_argument("--write", action="store_true", help="into docs/scaling.md, with pictures")
    given = parser.parse_args()
    os.environ |= {"NEXTRADE_REQUIRE_2FA": "no", "NEXTRADE_RATE_LIMIT": "1000000/min", "TEST_DATABASE_URL": ""}
    for part in given.part:
        start = time.monotonic()
        curves = measure(part, given.most, given.database)
        engine = "" if part in ("turns", "chats") else f" on {given.database.partition(':')[0]}"
        about = (
            f"`python -m tests.performance.growth --part {part}`{engine}, {bench.machine()}, {bench.today()}, commit "
            f"{bench.commit()}, load {os.getloadavg()[0]:.1f}, {time.monotonic() - start:.0f} s."
        )
        print(about, table(part, curves), sep="\n", flush=True)
        if given.write:
            found = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
            found[part] = {"about": about, "curves": curves}
            NUMBERS.write_text(json.dumps(found, indent=1) + "\n")
            draw(part, curves)
            bench.write(PAGE, "growth", page(found))


if __name__ == "__main__":
    main()

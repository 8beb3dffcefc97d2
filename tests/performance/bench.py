"""Measure S1 to S12 and write them down: a table in docs/figures.md, docs/figures.json, and a picture of both.

Each figure comes from a harness that runs by itself too; here is only what is read from its answer, and its goal. What
was not measured this time keeps its row of the last.

    python -m tests.performance.bench [--only S1,S4] [--full] [--other NAME=URL] [--header "Authorization: Bearer …"]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.campaigns.ground import ROOT

MARKDOWN, NUMBERS, PICTURE = (ROOT / "docs" / name for name in ("figures.md", "figures.json", "images/figures.svg"))
POSTGRES = os.environ.get("TEST_DATABASE_URL", "")
LONGEST_S = 3600


@dataclass(frozen=True, kw_only=True)
class Figure:
    """goal: at most (or, is_least, at least) that; None for what is told for comparison."""

    id: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    is_least: bool = False

    @property
    def is_met(self) -> bool:
        return self.goal is None or (self.value >= self.goal if self.is_least else self.value <= self.goal)


@dataclass(frozen=True, kw_only=True)
class Harness:
    """ids: of what it measures. read: its lines of JSON to figures. full: arguments of the long form."""

    ids: tuple[str, ...]
    module: str
    read: Callable[[list[Any]], Iterator[Figure]]
    args: tuple[str, ...] = ()
    full: tuple[str, ...] | None = None
    with_database: str = ""

    def command(self, *, is_full: bool) -> list[str]:
        args = self.args if self.full is None or not is_full else self.full
        database = ("--database", self.with_database) if self.with_database else ()
        return [sys.executable, "-m", self.module, *args, *database]


def chat(found: list[Any], who: str = "") -> Iterator[Figure]:
    for message, row in found[0].items():
        has_goal = message == "hi" and not who
        name = f"{who or 'a turn'}, `{message}`"
        yield Figure(id="S1", what=f"{name}, p50", value=row["p50_ms"], unit="ms", goal=15 if has_goal else None)
        rate = row["turns_per_s_8"]
        yield Figure(
            id="S1", what=f"{name}, 8 clients", value=rate, unit="/s", goal=100 if has_goal else None, is_least=True
        )
        if "cpu_ms" in row:
            yield Figure(
                id="S1", what=f"{name}, the processor's time of the web processes", value=row["cpu_ms"], unit="ms"
            )


def concurrency(found: list[Any]) -> Iterator[Figure]:
    share = 100 * found[0]["share_of_ideal"]
    yield Figure(id="S2", what="128 chats at once, share of the ideal", value=share, unit="%", goal=85, is_least=True)
    alive = found[0]["alive_p99_ms"]
    yield Figure(id="S2", what="`/health/live` meanwhile, p99", value=alive, unit="ms", goal=50)


def approvals(engine: str) -> Callable[[list[Any]], Iterator[Figure]]:
    def read(found: list[Any]) -> Iterator[Figure]:
        s3, s4 = found[0]["S3"], found[0]["S4"]
        for name, words in (("idle", "alone"), ("at_once", "100 at once")):
            for part, goal in (("p50", 1), ("p99", 3)):
                what = f"approval to fill, {words}, {part}, {engine}"
                yield Figure(id="S3", what=what, value=s3[f"{name}_{part}_s"], unit="s", goal=goal)
        goal = 50 if engine == "PostgreSQL" else None
        rate = s3["executions_per_s"]
        yield Figure(
            id="S3", what=f"executions of a backlog, {engine}", value=rate, unit="/s", goal=goal, is_least=True
        )
        yield Figure(id="S4", what=f"a proposal, p50, {engine}", value=s4["p50_ms"], unit="ms", goal=10)

    return read


def trail(engine: str) -> Callable[[list[Any]], Iterator[Figure]]:
    def read(found: list[Any]) -> Iterator[Figure]:
        s5, s6 = found[0]["S5"], found[0]["S6"]
        goal = 500 if engine == "SQLite" else 1000
        rate = s5["events_per_s"]
        what = f"events in a business transaction, one client, {engine}"
        yield Figure(id="S5", what=what, value=rate, unit="/s", goal=goal, is_least=True)
        what = f"events in business transactions, four clients, {engine}"
        yield Figure(id="S5", what=what, value=s5["events_per_s_4"], unit="/s", goal=goal, is_least=True)
        yield Figure(id="S5", what=f"the insert alone, {engine}", value=s5["bare_inserts_per_s"], unit="/s")
        yield Figure(id="S5", what=f"added by the event, p99, {engine}", value=s5["p99_added_ms"], unit="ms", goal=5)
        million = 1_000_000 / s6["verify_per_s"]
        many = f"{s6['events'] // 1000}k events, {engine}"
        sealing = s6["sealed_per_s"]
        yield Figure(id="S6", what=f"sealing, {many}", value=sealing, unit="/s", goal=50_000, is_least=True)
        yield Figure(id="S6", what=f"verifying a million at the rate of {many}", value=million, unit="s", goal=15)
        yield Figure(id="S6", what=f"a proof, p50, {many}", value=s6["proof_p50_ms"], unit="ms", goal=1)

    return read


def lists(engine: str) -> Callable[[list[Any]], Iterator[Figure]]:
    def read(found: list[Any]) -> Iterator[Figure]:
        for run in found:
            ours = {name: row for name, row in run["cases"].items() if "stock" not in name}
            many = f"{run['events'] // 1000}k events, {engine}"
            for id_, is_api, goal in (("S7", False, 200), ("S8", True, 50)):
                rows = {name: row["ms"] for name, row in ours.items() if name.startswith("API") == is_api}
                slowest = max(rows, key=lambda name: rows[name])
                what = f"slowest of {len(rows)} lists ({slowest}), {many}"
                yield Figure(id=id_, what=what, value=rows[slowest], unit="ms", goal=goal)
            counts = sum(row["table_counts"] for row in ours.values())
            yield Figure(id="S7", what=f"`COUNT(*)` over a table, {many}", value=counts, unit="", goal=0)

    return read


def probes(found: list[Any]) -> Iterator[Figure]:
    yield Figure(id="S9", what="`/ht/`, ten probes at once, p99", value=found[0]["p99_ms"], unit="ms", goal=20)


def memory(found: list[Any]) -> Iterator[Figure]:
    yield Figure(id="S10", what="a web process after its start", value=found[0]["start_mb"], unit="MB", goal=200)
    what = f"growth over {found[0]['chats']} chats"
    yield Figure(id="S10", what=what, value=found[0]["growth_pct"], unit="%", goal=5)


def machines(found: list[Any]) -> Iterator[Figure]:
    what, goal = "two web hosts against one, PostgreSQL and Redis, throughput", 1.8
    yield Figure(id="S11", what=what, value=found[0]["ratio"], unit="x", goal=goal, is_least=True)
    wrong = "what was found wrong of limits, breaker, counters, books and trail, after every machine was killed"
    yield Figure(id="S11", what=wrong, value=found[0]["wrong"], unit="", goal=0)


def long_thread(found: list[Any]) -> Iterator[Figure]:
    what = f"sent to the model, turn {found[0]['turns']} against turn 5"
    yield Figure(id="S12", what=what, value=found[0]["ratio"], unit="x", goal=1.5)


BOUNDED, WHOLE = ("--changed", "0", "--events", "2000"), ("--changed", "0", "--events", "10000")
HARNESSES = (
    Harness(ids=("S1",), module="tests.performance.chat_turn", read=chat),
    Harness(ids=("S2",), module="tests.performance.concurrency", read=concurrency),
    *(
        harness
        for engine, url in (("SQLite", "sqlite"), ("PostgreSQL", POSTGRES))
        if url
        for harness in (
            Harness(ids=("S3", "S4"), module="tests.performance.approvals", read=approvals(engine), with_database=url),
            Harness(
                ids=("S5", "S6"),
                module="tests.campaigns.trail",
                read=trail(engine),
                args=(*BOUNDED, "--size", "100000"),
                full=(*WHOLE, "--size", "1000000"),
                with_database=url,
            ),
            Harness(
                ids=("S7", "S8"),
                module="tests.performance.lists",
                read=lists(engine),
                args=("--events", "100000", "--orders", "100000"),
                full=("--events", "100000", "1000000", "--orders", "200000"),
                with_database=url,
            ),
        )
    ),
    Harness(ids=("S9",), module="tests.performance.probes", read=probes),
    Harness(ids=("S10",), module="tests.performance.memory", read=memory),
    Harness(ids=("S11",), module="tests.performance.machines", read=machines),
    Harness(ids=("S12",), module="tests.performance.long_thread", read=long_thread),
)


def run(harness: Harness, *, is_full: bool) -> list[dict[str, Any]]:
    """A harness that finds its goal missed exits with 1 and has told its figures all the same."""
    command = harness.command(is_full=is_full)
    start, env = time.monotonic(), {**os.environ, "TEST_DATABASE_URL": "", "TEST_REDIS_URL": ""}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=LONGEST_S)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        sys.stderr.write(f"{' '.join(command)}: nothing was measured\n{done.stderr[-2000:]}\n")
        return []
    told = " ".join(["python", *command[1:]]).replace(POSTGRES or "\0", "$TEST_DATABASE_URL")
    about = {
        "command": told,
        "seconds": round(time.monotonic() - start),
        "load": round(os.getloadavg()[0], 1),
        "date": today(),
        "commit": commit(),
        "machine": machine(),
    }
    return [{**asdict(figure), "is_met": figure.is_met, **about} for figure in harness.read(lines)]


def commit() -> str:
    told = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return told.stdout.strip()


def today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"


def machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"


def merged(before: list[dict[str, Any]], fresh: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a harness measured replaces all that the same command had measured."""
    commands = {row["command"] for row in fresh}
    rows = [*(row for row in before if row["command"] not in commands), *fresh]
    return sorted(rows, key=lambda row: int(row["id"][1:]))


def table(rows: list[dict[str, Any]]) -> str:
    lines = ["| | figure | result | goal | of |", "|---|---|---|---|---|"]
    for row in rows:
        value = f"{number(row['value'])} {row['unit']}".strip()
        goal = "" if row["goal"] is None else f"{'≥' if row['is_least'] else '≤'} {number(row['goal'])} {row['unit']}"
        of = f"{row['date']}, {row['commit']}, load {row['load']}"
        lines.append(
            f"| {row['id']} | {row['what']} | {value if row['is_met'] else f'**{value}**'} | {goal.strip()} | {of} |"
        )
    commands = sorted({f"`{row['command']}` {row['seconds']} s" for row in rows})
    return "\n".join(
        [*lines, "", "Goals that are not met are in bold. Each by its own command: " + "; ".join(commands) + "."]
    )


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """How far each figure is from its goal, on a scale of powers: left of the line is better than the goal."""
    pyplot = plots()
    rows = [row for row in rows if row["goal"] and row["value"] > 0]
    share = [row["goal"] / row["value"] if row["is_least"] else row["value"] / row["goal"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 0.6 + 0.2 * len(rows)), layout="constrained")
    axes.barh(range(len(rows)), share, left=0, color=["#2f7d5b" if one <= 1 else "#b4533c" for one in share])
    axes.set_yticks(range(len(rows)), [f"{row['id']} {row['what']}".replace("`", "") for row in rows])
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("cost as a multiple of the goal's")
    axes.invert_yaxis()
    save(figure, path)


def plots() -> Any:
    """pyplot, for small SVG files that are the same for the same figures."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "nextrade", "font.size": 8}
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
    plots().close(figure)


def write(path: Path, mark: str, text: str) -> None:
    """Put a text between the markers of a Markdown file."""
    before, _, rest = path.read_text().partition(f"<!-- {mark} -->")
    _, _, after = rest.partition(f"<!-- /{mark} -->")
    path.write_text(f"{before}<!-- {mark} -->\n{text}\n<!-- /{mark} -->{after}")


def others(given: argparse.Namespace) -> Iterator[Harness]:
    """Servers of other people, by the same harness as S1."""
    for one in given.other:
        name, _, url = one.partition("=")
        base, _, path = url.partition("/chat")
        headers = [part for header in given.header for part in ("--header", header)]
        yield Harness(
            ids=("S1",),
            module="tests.performance.chat_turn",
            read=lambda found, name=name: chat(found, name),
            args=("--base", base, "--path", f"/chat{path}", *headers),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="such as S1,S4")
    parser.add_argument("--full", action="store_true", help="a million events: hours, not a quarter of one")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=URL", help="of POST /chat, for S1")
    parser.add_argument("--header", action="append", default=[], help="of a request to the others")
    parser.add_argument("--dry", action="store_true", help="print, write nothing")
    given = parser.parse_args()
    wanted = set(filter(None, given.only.split(",")))
    rows = json.loads(NUMBERS.read_text())["figures"] if NUMBERS.exists() else []
    for harness in (*HARNESSES, *others(given)):
        if wanted and not wanted & set(harness.ids):
            continue
        fresh = run(harness, is_full=given.full)
        for row in fresh:
            print(f"{row['id']}  {row['what']}: {number(row['value'])} {row['unit']} ({row['seconds']} s)", flush=True)
        if fresh and not given.dry:
            rows = merged(rows, fresh)
            NUMBERS.write_text(json.dumps({"figures": rows}, indent=1) + "\n")
            write(MARKDOWN, "bench", f"`make bench` on {machine()}.\n\n{table(rows)}")
            draw(rows, PICTURE)


if __name__ == "__main__":
    main()

"""How good the input guard is on labelled texts: recall, false positives and time, in all and by kind."""

import json
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents import guard
from nextrade.errors import Invalid


@dataclass(kw_only=True)
class Tally:
    """Of one kind of text: how many, how many blocked or flagged, and milliseconds for each, on the clock and of the
    processor."""

    label: str
    kind: str
    texts: int = 0
    blocked: int = 0
    flagged: int = 0
    times_ms: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "kind": self.kind,
            "texts": self.texts,
            "blocked": self.blocked,
            "flagged": self.flagged,
            "blocked_pct": share_pct(self.blocked, self.texts),
            **times(self.times_ms),
        }


def evaluate(path: Path, *, chars: int = 0) -> dict[str, Any]:
    """The figures of one file of JSON Lines with `label` (attack or benign), `kind` and `text`. Raises Invalid.

    chars: look at each text repeated up to this length, to learn of times at it.
    """
    tallies: dict[tuple[str, str], Tally] = {}
    with _silence():
        for label, kind, text in _read(path):
            tally = tallies.setdefault((label, kind), Tally(label=label, kind=kind))
            longer = f"{text}\n" * (chars // (len(text) + 1) + 1)
            started, cpu_started = time.perf_counter(), time.thread_time()
            verdict = guard.screen_input(longer[:chars] if chars else text)
            tally.times_ms.append((time.perf_counter() - started) * 1000)
            tally.cpu_ms.append((time.thread_time() - cpu_started) * 1000)
            tally.texts += 1
            tally.blocked += not verdict.valid
            tally.flagged += verdict.flagged
    rows = sorted(tallies.values(), key=lambda tally: (tally.label, tally.kind))
    return {
        "file": str(path),
        "recall_pct": _blocked_pct(rows, "attack"),
        "false_positive_pct": _blocked_pct(rows, "benign"),
        **times([time_ms for tally in rows for time_ms in tally.times_ms]),
        "cpu_p99_ms": times([cpu_ms for tally in rows for cpu_ms in tally.cpu_ms])["p99_ms"],
        "kinds": [tally.row() for tally in rows],
    }


def share_pct(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def times(times_ms: list[float]) -> dict[str, float]:
    if len(times_ms) < 2:
        return {"p50_ms": round(sum(times_ms), 2), "p99_ms": round(sum(times_ms), 2)}
    cuts = statistics.quantiles(times_ms, n=100, method="inclusive")
    return {"p50_ms": round(cuts[49], 2), "p99_ms": round(cuts[98], 2)}


def _blocked_pct(rows: Iterable[Tally], label: str) -> float | None:
    of_label = [tally for tally in rows if tally.label == label]
    return share_pct(sum(tally.blocked for tally in of_label), sum(tally.texts for tally in of_label))


def _read(path: Path) -> Iterator[tuple[str, str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            label, kind, text = row["label"], str(row.get("kind", "")), row["text"]
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid(f"{path}, line {number}: not a JSON object with `label` and `text`") from error
        if label not in ("attack", "benign") or not isinstance(text, str):
            raise Invalid(f"{path}, line {number}: `label` is attack or benign, `text` a string")
        yield label, kind, text


@contextmanager
def _silence() -> Iterator[None]:
    """Without a warning in the log for each attack: nobody sent these."""
    was = guard.logger.disabled
    guard.logger.disabled = True
    try:
        yield
    finally:
        guard.logger.disabled = was

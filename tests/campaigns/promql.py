"""Our evaluation of PromQL against promtool's, on random series: each value within 1e-9, refused where it refuses.

Counters with resets, gaps of up to ten minutes, stale markers and NaN, histograms whose buckets contradict each other;
all of our rules' expressions with others made of the same parts, at moments on and between the samples.

    python -m tests.campaigns.promql --seeds 300
"""

import argparse
import json
import math
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nextrade.ops.alerting import promql
from nextrade.ops.alerting.series import Labels, Recorded, labels_of
from nextrade.ops.rules import RECORDINGS, RULES

STEP_S = 15
STEPS = 180
TOLERANCE = 1e-9
EDGES = ("0.5", "1", "5", "10", "30", "60", "+Inf")
IMPOSSIBLE = [{"labels": '{never="x"}', "value": 0}]
ANSWER = re.compile(
    r'expr: "(?P<expr>.*)", time: (?P<time>[^,]+),(?: err: (?P<err>.*)|\s*exp:.*\n\s*got:\s?(?P<got>.*))'
)
SAMPLE = re.compile(r"(\{[^}]*\}) ([-+0-9.EInfNa]+)")
OTHERS = (
    "nextrade_requests_total",
    'nextrade_requests_total{status!="error",endpoint=~"/c.*"}',
    "increase(nextrade_requests_total[WINDOW])",
    "rate(nextrade_retries_total[WINDOW])",
    "predict_linear(nextrade_disk_free_bytes[WINDOW], 3600)",
    "sum by (status) (rate(nextrade_requests_total[WINDOW]))",
    "sum without (instance) (nextrade_requests_total)",
    "count by (endpoint) (nextrade_requests_total)",
    "min without (path, instance) (nextrade_disk_free_bytes)",
    "histogram_quantile(QUANTILE, sum by (le) (rate(nextrade_response_seconds_bucket[WINDOW])))",
    "histogram_quantile(QUANTILE, increase(nextrade_response_seconds_bucket[WINDOW]))",
    "histogram_quantile(QUANTILE, nextrade_response_seconds_bucket)",
    "nextrade_disk_free_bytes / nextrade_disk_total_bytes",
    "nextrade_disk_free_bytes > nextrade_disk_total_bytes * 0.5",
    "nextrade_disk_free_bytes > bool nextrade_disk_total_bytes * 0.5",
    "nextrade_disk_free_bytes <= bool 50",
    "50 < nextrade_disk_free_bytes",
    "nextrade_disk_free_bytes and on (path) nextrade_disk_total_bytes > 90",
    "nextrade_disk_free_bytes unless ignoring (instance) nextrade_disk_total_bytes",
    "nextrade_disk_free_bytes or nextrade_circuit_breaker_state",
    "nextrade_disk_free_bytes / on (path) group_left max by (path) (nextrade_disk_total_bytes)",
    "max by (path) (nextrade_disk_total_bytes) - on (path) group_right nextrade_disk_free_bytes",
    "nextrade_circuit_breaker_failures * on (name) group_left (kind) nextrade_circuit_breaker_state",
    "nextrade_requests_total - on (endpoint) nextrade_requests_total",
    "nextrade_requests_total / ignoring (status) nextrade_circuit_breaker_state",
    "sum(nextrade_requests_total) / 0",
    "-nextrade_disk_free_bytes",
    "time() - nextrade_job_last_success_timestamp",
    "time() * 2 - 1 / 3",
    "1 == bool 1",
    "absent(nextrade_circuit_breaker_state)",
    'absent(no_such{a="b",c=~"d",e="f",e!="g"})',
    "absent(sum(no_such))",
    "clamp(nextrade_disk_free_bytes, 20, 60)",
    "clamp_min(nextrade_disk_free_bytes, 40)",
    "clamp_max(nextrade_disk_free_bytes, 40)",
    "round(nextrade_disk_free_bytes / 7, 0.01)",
    "scalar(nextrade_circuit_breaker_state)",
    "vector(scalar(sum(nextrade_requests_total)))",
    "nextrade_disk_free_bytes != nextrade_disk_free_bytes",
)


class Draw:
    """Random series, kept twice: as Samples, and as promtool's input."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.samples = Recorded()
        self.series: list[dict[str, str]] = []
        for instance in ("a:1", "b:1"):
            self._instance(instance)
        self._gauge(
            "nextrade_circuit_breaker_state", {"name": "llm", "kind": "model"}, lambda now: float(self._of(0, 1, 2))
        )
        self._gauge("nextrade_circuit_breaker_failures", {"name": "llm"}, lambda now: float(self._of(0, 5, 9)))
        self._gauge("nextrade_component_up", {"component": "database"}, lambda now: float(self._of(1, 1, 1, 0)))
        self._gauge("nextrade_component_up", {"component": "sealer"}, lambda now: float(self._of(1, 0)))
        self._gauge("probe_success", {"job": "nextrade-health"}, lambda now: float(self._of(1, 0)))
        for job, most_s in (("prune", 600.0), ("backup", 60.0)):
            self._gauge("nextrade_job_last_success_timestamp", {"job": job}, lambda now: now + self._of(0, 0, 50))
            self._gauge("nextrade_job_max_age_seconds", {"job": job}, lambda now, most_s=most_s: most_s)

    def _instance(self, instance: str) -> None:
        labels = {"instance": instance, "endpoint": "/chat"}
        for status in ("started", "success", "error", "rejected"):
            self._counter("nextrade_requests_total", {**labels, "status": status})
        self._counter("nextrade_log_records_total", {"instance": instance, "level": "INFO"}, most=600)
        self._counter("nextrade_retries_total", {"instance": instance, "operation": "llm"})
        self._histogram("nextrade_response_seconds_bucket", labels)
        self._histogram("nextrade_llm_request_seconds_bucket", {"instance": instance, "outcome": "ok"})
        for path in ("/data", "/logs"):
            where = {"instance": instance, "path": path}
            self._gauge("nextrade_disk_free_bytes", where, lambda now: self.chance.uniform(0, 100))
            self._gauge("nextrade_disk_total_bytes", where, lambda now: 100.0)
            self._gauge("nextrade_disk_used_bytes", where, lambda now: self.chance.uniform(0, 100))
        self._gauge("nextrade_process_resident_memory_bytes", labels, lambda now: self.chance.uniform(0, 3e9))
        self._gauge("nextrade_audit_unsealed_seconds", labels, lambda now: self.chance.uniform(0, 900))

    def _of(self, *choices: float) -> float:
        return self.chance.choice(choices)

    def _holes(self) -> Iterator[str]:
        """For each step whether there is a sample: "", "_" for none, "stale"."""
        left, mark = 0, ""
        while True:
            if left == 0:
                what = self.chance.random()
                left, mark = (self.chance.randint(1, 40), "_") if what < 0.02 else (1, "_" if what < 0.05 else "")
                mark = "stale" if 0.05 < what < 0.06 else mark
            left -= 1
            yield mark

    def _emit(self, name: str, labels: Mapping[str, str], values: list[float]) -> None:
        told = []
        for step, (value, hole) in enumerate(zip(values, self._holes(), strict=False)):
            told.append(hole or repr(value))
            if hole != "_":
                self.samples.add(name, labels, float(step * STEP_S), None if hole == "stale" else value)
        pairs = ",".join(f'{key}="{value}"' for key, value in labels.items())
        self.series.append({"series": f"{name}{{{pairs}}}", "values": " ".join(told)})

    def _counts(self, most: float) -> list[float]:
        """A counter, from zero or not, that is reset now and then and stands still at times."""
        now, values, pace = float(self._of(0, 0, 7)), [], self._of(0, 1, most)
        for _ in range(STEPS):
            if self.chance.random() < 0.05:
                pace = self._of(0, 1, most)
            if self.chance.random() < 0.02:
                now = 0.0
            now += self.chance.randint(0, int(pace))
            values.append(now)
        return values

    def _counter(self, name: str, labels: Mapping[str, str], most: float = 20) -> None:
        self._emit(name, labels, self._counts(most))

    def _histogram(self, name: str, labels: Mapping[str, str]) -> None:
        """Cumulative but for what each bucket's own holes and resets make of it."""
        total = [0.0] * STEPS
        for edge in EDGES:
            total = [before + more for before, more in zip(total, self._counts(5), strict=True)]
            self._emit(name, {**labels, "le": edge}, total)

    def _gauge(self, name: str, labels: Mapping[str, str], value: Any) -> None:
        values = [value(float(step * STEP_S)) for step in range(STEPS)]
        self._emit(name, labels, [math.nan if self.chance.random() < 0.005 else each for each in values])


def expressions(chance: random.Random) -> list[str]:
    others = [
        each.replace("WINDOW", chance.choice(("1m", "2m", "5m", "17m"))).replace(
            "QUANTILE", chance.choice(("0", "0.5", "0.95", "1", "2"))
        )
        for each in OTHERS
    ]
    return [rule.expr for rule in RULES] + [each.expr for each in RECORDINGS] + others


def moments(chance: random.Random, count: int) -> list[int]:
    """Milliseconds, on samples and between, to some minutes past the last."""
    on = [chance.randrange(1, STEPS + 30) * STEP_S * 1000 for _ in range(count)]
    return [chance.choice((at, at - 1, at + 1, at - chance.randrange(STEP_S * 1000))) for at in on]


def ask_promtool(draw: Draw, questions: list[tuple[str, int]]) -> dict[tuple[str, int], Any]:
    """promtool's answer to each (expression, milliseconds): {labels: value}, or the text of its refusal."""
    tests = [{"expr": expr, "eval_time": f"{at}ms", "exp_samples": IMPOSSIBLE} for expr, at in questions]
    content = {
        "evaluation_interval": "15s",
        "tests": [{"interval": f"{STEP_S}s", "input_series": draw.series, "promql_expr_test": tests}],
    }
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "t.yml"
        path.write_text(json.dumps(content))
        done = subprocess.run(["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False)
    found = list(ANSWER.finditer(done.stdout + done.stderr))
    assert len(found) == len(questions), f"{len(found)} answers to {len(questions)} questions: {done.stderr[:2000]}"
    assert [json.loads(f'"{answer["expr"]}"') for answer in found] == [expr for expr, _ in questions]
    return {
        question: answer["err"] or _samples(answer["got"]) for question, answer in zip(questions, found, strict=True)
    }


def _samples(text: str) -> dict[Labels, float]:
    read = {}
    for labels, value in SAMPLE.findall(text):
        pairs = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        read[labels_of(pairs)] = float(value)
    return read


def ours(draw: Draw, expr: str, at_ms: int) -> Any:
    try:
        return promql.evaluate(expr, draw.samples, at_ms / 1000)
    except promql.PromqlError as error:
        return str(error)


def agree(mine: Any, theirs: Any) -> bool:
    if isinstance(mine, str) or isinstance(theirs, str):
        return isinstance(mine, str) and isinstance(theirs, str)
    return mine.keys() == theirs.keys() and all(_close(mine[labels], theirs[labels]) for labels in mine)


def _close(mine: float, theirs: float) -> bool:
    if math.isnan(mine) or math.isnan(theirs):
        return math.isnan(mine) and math.isnan(theirs)
    return math.isclose(mine, theirs, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def compare(seed: int, times: int) -> dict[str, Any]:
    """One seed's differences, and how much was compared."""
    draw = Draw(seed)
    asked = [(expr, at) for expr in expressions(draw.chance) for at in moments(draw.chance, times)]
    theirs = ask_promtool(draw, asked)
    different = [
        {"seed": seed, "expr": expr, "at_ms": at, "ours": repr(mine), "promtool": repr(theirs[expr, at])}
        for expr, at in asked
        if not agree(mine := ours(draw, expr, at), theirs[expr, at])
    ]
    return {
        "asked": len(asked),
        "values": sum(len(answer) for answer in theirs.values() if not isinstance(answer, str)),
        "refused": sum(isinstance(answer, str) for answer in theirs.values()),
        "different": different,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--times", type=int, default=12)
    options = parser.parse_args()
    if not shutil.which("promtool"):
        sys.exit("promtool is not installed (Debian: prometheus)")
    found = [compare(seed, options.times) for seed in range(options.first, options.first + options.seeds)]
    different = [each for one in found for each in one["different"]]
    sums = {key: sum(one[key] for one in found) for key in ("asked", "values", "refused")}
    print(json.dumps({"seeds": options.seeds, **sums, "different": len(different), "first": different[:3]}, indent=1))
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())

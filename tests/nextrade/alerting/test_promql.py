"""The evaluator by itself, and against promtool on random series."""

import shutil
from typing import Any

import pytest

from nextrade.ops.alerting import promql
from nextrade.ops.alerting.promql import PromqlError, evaluate
from nextrade.ops.alerting.series import Matcher, Recorded, Selector
from tests.campaigns.promql import compare


def series(values: list[float | None], *, every_s: float = 15, **labels: str) -> Recorded:
    found = Recorded()
    for place, value in enumerate(values):
        found.add("x_total", labels, place * every_s, value)
    return found


@pytest.mark.parametrize("seed", range(1000, 1004))
def test_every_value_is_promtool_s(seed: int) -> None:
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed (Debian: prometheus)")
    found = compare(seed, times=8)
    assert found["different"] == []
    assert found["values"] > 400
    assert found["refused"] > 0


def test_a_counter_that_is_reset_goes_on_gaining() -> None:
    samples = series([0, 10, 20, 5, 15])
    assert evaluate("increase(x_total[1m])", samples, 60) == {(): 35.0}


def test_a_series_is_without_value_after_five_minutes_or_at_once_where_it_ended() -> None:
    assert evaluate("x_total", series([7.0]), 300) == {(("__name__", "x_total"),): 7.0}
    assert evaluate("x_total", series([7.0]), 300.001) == {}
    assert evaluate("x_total", series([7.0, None]), 16) == {}
    assert evaluate("absent(x_total)", series([7.0, None]), 16) == {(): 1.0}


def test_a_counter_needs_two_samples() -> None:
    assert evaluate("increase(x_total[5m])", series([5]), 10) == {}


@pytest.mark.parametrize(
    ("expr", "said"),
    [
        ("nonsense(x_total)", "nonsense"),
        ("deriv(x_total[5m])", "the function deriv is not evaluated here"),
        ("topk(1, x_total)", "the aggregation topk is not evaluated here"),
        ("avg(x_total)", "the aggregation avg is not evaluated here"),
        ("x_total % 2", "the operator % is not evaluated here"),
        ("x_total offset 5m", "offset"),
        ("x_total @ 5", "offset and @"),
        ("x_total[5m:1m]", "SubqueryExpr"),
        ("x_total[5m]", "MatrixSelector"),
        ('"text"', "StringLiteral"),
        ("sum(", "unclosed"),
    ],
)
def test_what_is_not_evaluated_is_refused_by_name(expr: str, said: str) -> None:
    with pytest.raises(PromqlError, match=said):
        evaluate(expr, series([1, 2]), 15)


def test_two_series_that_a_sum_makes_one_are_refused() -> None:
    samples = Recorded()
    for name in ("a", "b"):
        samples.add("x_total", {"name": name}, 0, 1)
    with pytest.raises(PromqlError, match="many-to-many"):
        evaluate("x_total + on () x_total", samples, 0)


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", "a", True),
        ("!=", "a", False),
        ("=~", "a|b", True),
        ("=~", "A", False),
        ("!~", "b.*", True),
        ("=~", "", False),
    ],
)
def test_a_matcher_must_match_all_of_a_value(op: str, value: str, expected: Any) -> None:
    assert Matcher(label="name", op=op, value=value).matches({"name": "a"}) is expected


def test_a_missing_label_is_an_empty_one() -> None:
    assert Matcher(label="name", op="=", value="").matches({})
    assert Matcher(label="name", op="!=", value="a").matches({})


def test_an_expression_tells_what_it_reads() -> None:
    read = promql.selectors('sum(rate(x_total{a="b"}[15m])) / (-y > 2) and on () absent(z)')
    matcher = Matcher(label="a", op="=", value="b")
    assert read == (
        (Selector(name="x_total", matchers=(matcher,)), 900.0),
        (Selector(name="y"), 300.0),
        (Selector(name="z"), 300.0),
    )

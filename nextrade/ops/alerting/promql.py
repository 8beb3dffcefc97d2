"""PromQL, evaluated at one moment over samples of our own: the part of the language that our rules are written in.

Context: the watch must work where no Prometheus runs, and give the same alerts where one does. Choice: the rules are
PromQL; `promql_parser` reads them, and the few operators and functions in use have Prometheus' semantics, held to
promtool by a differential test (tests/campaigns/promql.py). Cost: whatever else PromQL has is refused by name.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import promql_parser as parser

from nextrade.ops.alerting import functions, vectors
from nextrade.ops.alerting.functions import Sample
from nextrade.ops.alerting.series import Labels, Matcher, Point, Samples, Selector, Vector, labels_of
from nextrade.ops.alerting.vectors import Matching, PromqlError

__all__ = ("LOOKBACK_S", "Labels", "Matcher", "PromqlError", "Samples", "Selector", "evaluate", "selectors")

LOOKBACK_S = 300
"""A series whose last sample is older than this has no value."""

Value = float | Vector
MATCH_OPS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
SIDES = {"VectorMatchCardinality.ManyToOne": "left", "VectorMatchCardinality.OneToMany": "right"}
"""The parser's own enumerations cannot be hashed; these are their names."""


def evaluate(expr: str, samples: Samples, at_s: float) -> Vector:
    """The vector that an expression has at a moment; a number is a vector of one, without labels.

    at_s: Unix time in seconds. Raises PromqlError for what cannot be parsed, matched, or is not evaluated here.
    """
    value = _Evaluation(samples, at_s).value(parsed(expr))
    return {(): value} if isinstance(value, float) else value


def selectors(expr: str) -> tuple[tuple[Selector, float], ...]:
    """Every series that an expression reads, with how far back in seconds."""
    found: list[tuple[Selector, float]] = []

    def note(node: Any) -> None:
        if isinstance(node, parser.MatrixSelector):
            found.append((_selector(node.vector_selector), node.range.total_seconds()))
        elif isinstance(node, parser.VectorSelector):
            found.append((_selector(node), float(LOOKBACK_S)))
        else:
            for child in _children(node):
                note(child)

    note(parsed(expr))
    return tuple(found)


@functools.lru_cache(maxsize=512)
def parsed(expr: str) -> Any:
    """Raises PromqlError."""
    try:
        return parser.parse(expr)
    except ValueError as error:
        raise PromqlError(f"{error}: {expr}") from error


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, parser.BinaryExpr):
        yield from (node.lhs, node.rhs)
    elif isinstance(node, parser.Call):
        yield from node.args
    elif isinstance(node, parser.AggregateExpr | parser.ParenExpr | parser.UnaryExpr):
        yield node.expr


class _Evaluation:
    """One expression at one moment."""

    def __init__(self, samples: Samples, at_s: float) -> None:
        self._samples = samples
        self._at_s = at_s
        self._at_ms = round(at_s * 1000)
        self._by_type: dict[type, Callable[[Any], Value]] = {
            parser.NumberLiteral: lambda node: float(node.val),
            parser.ParenExpr: lambda node: self.value(node.expr),
            parser.UnaryExpr: self._negated,
            parser.VectorSelector: self._instant,
            parser.AggregateExpr: self._aggregated,
            parser.BinaryExpr: self._binary,
            parser.Call: self._called,
        }

    def value(self, node: Any) -> Value:
        if type(node) not in self._by_type:
            raise PromqlError(f"{type(node).__name__} is not evaluated here")
        return self._by_type[type(node)](node)

    def _vector(self, node: Any) -> Vector:
        value = self.value(node)
        if isinstance(value, float):
            raise PromqlError("a vector is needed here, not a number")
        return value

    def _number(self, node: Any) -> float:
        value = self.value(node)
        if not isinstance(value, float):
            raise PromqlError("a number is needed here, not a vector")
        return value

    def _negated(self, node: Any) -> Value:
        value = self.value(node.expr)
        if isinstance(value, float):
            return -value
        return vectors.unnamed({labels: -each for labels, each in value.items()})

    def _instant(self, node: Any) -> Value:
        start_ms = self._at_ms - LOOKBACK_S * 1000
        found = {}
        for labels, points in self._select(node, LOOKBACK_S):
            last = next((point for point in reversed(points) if _ms(point) <= self._at_ms), None)
            if last and last[1] is not None and _ms(last) >= start_ms:
                found[labels] = last[1]
        return found

    def _select(self, node: Any, back_s: float) -> Iterator[tuple[Labels, Sequence[Point]]]:
        if node.offset or node.at:
            raise PromqlError("offset and @ are not evaluated here")
        yield from self._samples.select(_selector(node), self._at_s - back_s, self._at_s)

    def _ranged(self, node: Any, compute: Callable[[Sequence[Sample], int, int], float | None]) -> Vector:
        """A function of each series' samples in the window, both edges included, stale markers left out."""
        if not isinstance(node, parser.MatrixSelector):
            raise PromqlError("a range of samples is needed here")
        back_s = node.range.total_seconds()
        start_ms = self._at_ms - round(back_s * 1000)
        found = {}
        for labels, points in self._select(node.vector_selector, back_s):
            window = [
                (_ms(point), point[1])
                for point in points
                if point[1] is not None and start_ms <= _ms(point) <= self._at_ms
            ]
            value = compute(window, start_ms, self._at_ms)
            if value is not None:
                found[labels] = value
        return vectors.unnamed(found)

    def _aggregated(self, node: Any) -> Value:
        if node.param is not None:
            raise PromqlError(f"the aggregation {node.op} is not evaluated here")
        named = frozenset(node.modifier.labels if node.modifier else ())
        if node.modifier and node.modifier.type == parser.AggModifierType.Without:
            matching = Matching(labels=named)
        else:
            matching = Matching(labels=named, is_on=True)
        return vectors.aggregate(str(node.op), self._vector(node.expr), matching.key)

    def _binary(self, node: Any) -> Value:
        op = str(node.op)
        if op in ("and", "or", "unless"):
            return vectors.logical(op, self._vector(node.lhs), self._vector(node.rhs), _matching(node.modifier))
        left, right = self.value(node.lhs), self.value(node.rhs)
        as_bool = bool(node.modifier and node.modifier.return_bool)
        if op not in vectors.ARITHMETIC and op not in vectors.COMPARISON:
            raise PromqlError(f"the operator {op} is not evaluated here")
        if isinstance(left, float) and isinstance(right, float):
            compute = vectors.ARITHMETIC.get(op) or vectors.COMPARISON[op]
            return float(compute(left, right))
        if isinstance(left, float):
            assert not isinstance(right, float)
            return vectors.with_number(op, right, left, is_left=True, as_bool=as_bool)
        if isinstance(right, float):
            return vectors.with_number(op, left, right, is_left=False, as_bool=as_bool)
        return vectors.with_vector(op, left, right, _matching(node.modifier), as_bool=as_bool)

    def _called(self, node: Any) -> Value:
        name, args = node.func.name, node.args
        if name in functions.RANGES:
            return self._ranged(args[0], functions.RANGES[name])
        if name not in _CALLS:
            raise PromqlError(f"the function {name} is not evaluated here")
        return _CALLS[name](self, args)

    def _predicted(self, args: Sequence[Any]) -> Value:
        ahead_s = self._number(args[1])
        return self._ranged(args[0], lambda points, _, end_ms: functions.predict_linear(points, end_ms, ahead_s))

    def _absent(self, args: Sequence[Any]) -> Value:
        if self._vector(args[0]):
            return {}
        if not isinstance(args[0], parser.VectorSelector):
            return {(): 1.0}
        matchers = _selector(args[0]).matchers
        told = [matcher.label for matcher in matchers]
        sure = {each.label: each.value for each in matchers if each.op == "=" and told.count(each.label) == 1}
        return {labels_of(sure): 1.0}

    def _scalar(self, args: Sequence[Any]) -> Value:
        values = list(self._vector(args[0]).values())
        return values[0] if len(values) == 1 else float("nan")

    def _each(self, args: Sequence[Any], compute: Callable[..., float]) -> Value:
        """A function of each value, with numbers after the vector."""
        numbers = [self._number(each) for each in args[1:]]
        vector = self._vector(args[0])
        return vectors.unnamed({labels: compute(value, *numbers) for labels, value in vector.items()})


_CALLS: dict[str, Callable[[_Evaluation, Sequence[Any]], Value]] = {
    "time": lambda at, args: at._at_ms / 1000,
    "vector": lambda at, args: {(): at._number(args[0])},
    "scalar": _Evaluation._scalar,
    "absent": _Evaluation._absent,
    "predict_linear": _Evaluation._predicted,
    "histogram_quantile": lambda at, args: functions.histogram_quantile(at._number(args[0]), at._vector(args[1])),
    "round": lambda at, args: at._each(args, functions.round_to),
    "clamp": lambda at, args: at._each(args, functions.clamp),
    "clamp_min": lambda at, args: at._each(args, lambda value, low: functions.clamp(value, low, float("inf"))),
    "clamp_max": lambda at, args: at._each(args, lambda value, high: functions.clamp(value, float("-inf"), high)),
}


def _ms(point: Point) -> int:
    return round(point[0] * 1000)


def _selector(node: Any) -> Selector:
    if not node.name or node.matchers.or_matchers:
        raise PromqlError("series are selected by the metric's name, and without `or` here")
    matchers = (
        Matcher(label=each.name, op=MATCH_OPS[str(each.op)], value=each.value) for each in node.matchers.matchers
    )
    return Selector(name=node.name, matchers=tuple(matchers))


def _matching(modifier: Any) -> Matching:
    if modifier is None:
        return Matching()
    by = modifier.matching
    return Matching(
        labels=frozenset(by.labels if by else ()),
        is_on=bool(by and by.type == parser.LabelModifierType.Include),
        many=SIDES.get(str(modifier.card), ""),
        include=tuple(modifier.group_labels or ()),
    )

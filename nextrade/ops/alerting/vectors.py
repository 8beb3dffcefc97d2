"""Aggregation and the operators of PromQL, on instant vectors, as Prometheus 2.42 has them (promql/engine.go)."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nextrade.ops.alerting.series import NAME, Labels, Vector


class PromqlError(ValueError):
    """An expression that cannot be evaluated, or not by us."""


@dataclass(frozen=True, kw_only=True)
class Matching:
    """How two vectors are matched. is_on: by the labels alone, else by all but them. many: "", "left" or "right", the
    side of which several may match one; include: labels that those take from the one."""

    labels: frozenset[str] = frozenset()
    is_on: bool = False
    many: str = ""
    include: tuple[str, ...] = ()

    def key(self, labels: Labels) -> Labels:
        if self.is_on:
            return tuple(pair for pair in labels if pair[0] in self.labels)
        return tuple(pair for pair in labels if pair[0] not in self.labels and pair[0] != NAME)


def divide(left: float, right: float) -> float:
    """As IEEE 754 does."""
    if right:
        return left / right
    if not left or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


ARITHMETIC: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": divide}
)
COMPARISON: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {
        "==": operator.eq,
        "!=": operator.ne,
        ">": operator.gt,
        "<": operator.lt,
        ">=": operator.ge,
        "<=": operator.le,
    }
)


def without_name(labels: Labels) -> Labels:
    return tuple(pair for pair in labels if pair[0] != NAME)


def unnamed(vector: Vector) -> Vector:
    """Without the metrics' names. Raises PromqlError when two series then are one."""
    named = [(without_name(labels), value) for labels, value in vector.items()]
    bare = dict(named)
    if len(bare) < len(named):
        raise PromqlError("vector cannot contain metrics with the same labelset")
    return bare


def aggregate(op: str, vector: Vector, group: Callable[[Labels], Labels]) -> Vector:
    """sum, max, min or count of each group. Raises PromqlError for others by name."""
    groups: dict[Labels, list[float]] = {}
    for labels, value in vector.items():
        groups.setdefault(group(labels), []).append(value)
    return {labels: _fold(op, values) for labels, values in groups.items()}


def with_number(op: str, vector: Vector, number: float, *, is_left: bool, as_bool: bool) -> Vector:
    """A vector and a number. is_left: whether the number stands left. A comparison keeps what is true, with the
    vector's value, or tells 1 and 0."""
    if op in ARITHMETIC:
        compute = ARITHMETIC[op]
        return unnamed(
            {labels: compute(number, value) if is_left else compute(value, number) for labels, value in vector.items()}
        )
    holds = COMPARISON[op]
    told = {labels: holds(number, value) if is_left else holds(value, number) for labels, value in vector.items()}
    if as_bool:
        return unnamed({labels: float(is_true) for labels, is_true in told.items()})
    return {labels: vector[labels] for labels, is_true in told.items() if is_true}


def logical(op: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """and, or, unless."""
    lefts, rights = ({matching.key(labels) for labels in side} for side in (left, right))
    if op == "or":
        added = {labels: value for labels, value in right.items() if matching.key(labels) not in lefts}
        return left | added
    return {labels: value for labels, value in left.items() if (matching.key(labels) in rights) is (op == "and")}


def with_vector(op: str, left: Vector, right: Vector, matching: Matching, *, as_bool: bool) -> Vector:
    """Each pair that matches. Raises PromqlError where several match and `many` does not say so."""
    many, one = (right, left) if matching.many == "right" else (left, right)
    ones: dict[Labels, Labels] = {}
    for labels in one:
        if ones.setdefault(matching.key(labels), labels) != labels:
            raise PromqlError("found duplicate series for the match group: many-to-many matching not allowed")
    result: Vector = {}
    matched = set()
    for labels, value in many.items():
        key = matching.key(labels)
        if key not in ones:
            continue
        other = one[ones[key]]
        answer = _pair(op, other, value, as_bool) if matching.many == "right" else _pair(op, value, other, as_bool)
        if answer is None:
            continue
        named = _joined(labels, ones[key], matching, keeps_name=op in COMPARISON and not as_bool)
        if named in result or (not matching.many and key in matched):
            raise PromqlError("multiple matches for labels: many-to-one matching must be explicit")
        matched.add(key)
        result[named] = answer
    return result


def _pair(op: str, left: float, right: float, as_bool: bool) -> float | None:
    """None where a comparison drops the pair."""
    if op in ARITHMETIC:
        return ARITHMETIC[op](left, right)
    holds = COMPARISON[op](left, right)
    if as_bool:
        return float(holds)
    return left if holds else None


def _joined(many: Labels, one: Labels, matching: Matching, *, keeps_name: bool) -> Labels:
    """The labels of a pair: those of the side of many, in a match of one with one those that it went by."""
    kept = dict(many)
    if not keeps_name:
        kept.pop(NAME, None)
    if not matching.many:
        kept = {name: value for name, value in kept.items() if (name in matching.labels) is matching.is_on}
    from_one = dict(one)
    for name in matching.include:
        kept.pop(name, None)
        if name in from_one:
            kept[name] = from_one[name]
    return tuple(sorted(kept.items()))


def _fold(op: str, values: list[float]) -> float:
    numbers = [value for value in values if not math.isnan(value)]
    if op == "sum":
        return sum(values)
    if op == "count":
        return float(len(values))
    if op == "max":
        return max(numbers, default=math.nan)
    if op == "min":
        return min(numbers, default=math.nan)
    raise PromqlError(f"the aggregation {op} is not evaluated here")

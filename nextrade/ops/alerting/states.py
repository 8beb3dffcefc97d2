"""What becomes of an alert from one evaluation to the next.

inactive (no Alert) -> pending -> firing -> resolved, by Prometheus' rules of `for` and `keep_firing_for`; beside them
`stale`: it fired, and what it was seen by tells nothing any more. That resolves nothing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from nextrade.ops.alerting.rule import Rule
from nextrade.ops.alerting.series import Labels, Vector

MOST_OF_A_RULE = 200
"""Alerts of one rule that are followed each; more of them tell people nothing more."""
FLAPS, FLAP_WINDOW_S, FLAP_HOLD_S = 3, 1800, 600
"""An alert that has fired so often in that time must be quiet for so long before it is called resolved."""


class State(StrEnum):
    PENDING = "pending"
    FIRING = "firing"
    STALE = "stale"
    RESOLVED = "resolved"


OPEN = (State.FIRING, State.STALE)


@dataclass(frozen=True, kw_only=True)
class Alert:
    """One thing that is wrong, by its rule and the labels that tell it from the rule's others.

    Moments in seconds of the watch's clock. held_s: when it was last seen to be so. fires: when it began to, lately.
    """

    rule: str
    labels: Labels
    state: State
    value: float
    text: str
    since_s: float
    held_s: float
    fired_s: float = 0
    resolved_s: float = 0
    stale_s: float = 0
    acknowledged_by: str = ""
    acknowledged_s: float = 0
    acknowledged_at: float = 0
    fires: tuple[float, ...] = field(default=())

    @property
    def fingerprint(self) -> str:
        """The same each time that the same thing is wrong."""
        return hashlib.sha256(json.dumps([self.rule, self.labels]).encode()).hexdigest()[:16]

    @property
    def uid(self) -> str:
        """Of this time alone."""
        return f"{self.fingerprint}-{int(self.fired_s)}"

    @property
    def is_closed(self) -> bool:
        """Nothing is known of it any more, and a person has said that this is all right."""
        return self.state == State.STALE and self.acknowledged_s > self.stale_s

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Alert":
        pairs = tuple((name, value) for name, value in facts["labels"])
        return cls(**{**facts, "labels": pairs, "state": State(facts["state"]), "fires": tuple(facts["fires"])})


@dataclass(frozen=True, kw_only=True)
class Transition:
    """before: None where there was no alert, or a resolved one."""

    alert: Alert
    before: State | None


def step(
    rule: Rule, known: Mapping[Labels, Alert], found: Vector, has_data: Callable[[Labels], bool], at_s: float
) -> tuple[dict[Labels, Alert], list[Transition]]:
    """The rule's alerts after an evaluation, and those whose state it changed.

    found: what the rule's expression has a value for. has_data: whether what speaks of these labels has told anything.
    """
    loudest = set(sorted(found, key=lambda labels: (labels not in known, -found[labels]))[:MOST_OF_A_RULE])
    after: dict[Labels, Alert] = {}
    changes: list[Transition] = []
    for labels in sorted({*known, *loudest}):
        old = known.get(labels)
        new = _holds(rule, old, labels, found[labels], at_s) if labels in loudest else _quiet(rule, old, has_data, at_s)
        if new is None:
            continue
        after[labels] = new
        before = old.state if old else None
        if new.state != before:
            changes.append(Transition(alert=new, before=None if before == State.RESOLVED else before))
    return after, changes


def _holds(rule: Rule, old: Alert | None, labels: Labels, value: float, at_s: float) -> Alert:
    text = rule.text(value, dict(labels))
    if old is None or old.state == State.RESOLVED:
        fires = tuple(moment for moment in (old.fires if old else ()) if moment > at_s - FLAP_WINDOW_S)
        pending = Alert(
            rule=rule.name,
            labels=labels,
            state=State.PENDING,
            value=value,
            text=text,
            since_s=at_s,
            held_s=at_s,
            fires=fires,
        )
        return pending if rule.for_s > 0 else _fire(pending, at_s)
    now = replace(old, value=value, text=text, held_s=at_s)
    if old.state == State.PENDING:
        return _fire(now, at_s) if at_s - old.since_s >= rule.for_s else now
    return replace(now, state=State.FIRING)


def _fire(alert: Alert, at_s: float) -> Alert:
    return replace(alert, state=State.FIRING, fired_s=at_s, fires=(*alert.fires, at_s))


def _quiet(rule: Rule, old: Alert | None, has_data: Callable[[Labels], bool], at_s: float) -> Alert | None:
    """What an alert becomes that its expression no longer has a value for."""
    if old is None or old.state == State.PENDING:
        return None
    if old.state == State.RESOLVED:
        return old if at_s - old.resolved_s < FLAP_WINDOW_S else None
    if not has_data(old.labels):
        return old if old.state == State.STALE else replace(old, state=State.STALE, stale_s=at_s)
    hold_s = FLAP_HOLD_S if len(old.fires) >= FLAPS else 0
    if at_s - old.held_s < max(rule.keep_firing_s, hold_s):
        return replace(old, state=State.FIRING)
    return replace(old, state=State.RESOLVED, resolved_s=at_s)

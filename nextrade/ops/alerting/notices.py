"""Who is told of what: alerts of one rule are one group, which is told of at once, again when more of them fire, each
four hours, and when all of them are over. Muted groups wait; a group that was told of is always told to be over.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from nextrade.ops.alerting.rule import P2, Rule
from nextrade.ops.alerting.states import OPEN, Alert, State

GROUP_INTERVAL_S = 60.0
"""What joins a group that was told of is told of no sooner."""
REPEAT_S = 4 * 3600.0
MOST_LISTED = 10


class Kind(StrEnum):
    FIRING = "firing"
    MORE = "more"
    REPEAT = "repeat"
    ESCALATION = "escalation"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    TEST = "test"


@dataclass
class Group:
    """The open alerts of a rule, once somebody was told. episode: when that was. channels: by which, so far."""

    rule: str
    episode: float
    told_s: float
    members: list[str]
    channels: list[str] = field(default_factory=list)
    escalated: bool = False
    acknowledged: bool = False


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One message to people. lines: a sentence an alert, MOST_LISTED at most; count: of all alerts that it tells of.

    key: of the episode, the same from its first notice to the last. details: facts of the first alert.
    """

    rule: str
    kind: Kind
    priority: str
    severity: str
    key: str
    lines: tuple[str, ...]
    count: int
    runbook: str
    at: float
    details: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All of it for a person: what happened, then a line an alert."""
        before = PREFACES.get(self.kind, "")
        more = f"\n... and {self.count - len(self.lines)} more" if self.count > len(self.lines) else ""
        return before + "\n".join(self.lines) + more

    @property
    def subject(self) -> str:
        """One line of it."""
        first = self.lines[0] if self.lines else self.rule
        return PREFACES.get(self.kind, "") + first + (f" (and {self.count - 1} more)" if self.count > 1 else "")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Notice":
        return cls(**{**facts, "kind": Kind(facts["kind"]), "lines": tuple(facts["lines"])})


PREFACES: Mapping[Kind, str] = {
    Kind.REPEAT: "Still: ",
    Kind.ESCALATION: "Nobody has acknowledged: ",
    Kind.ACKNOWLEDGED: "Acknowledged: ",
    Kind.RESOLVED: "Resolved: ",
    Kind.TEST: "TEST, nothing is wrong: ",
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """A notice and the channels it goes to."""

    notice: Notice
    channels: tuple[str, ...]


def decide(
    rule: Rule,
    alerts: Iterable[Alert],
    group: Group | None,
    is_muted: Callable[[Alert], bool],
    *,
    at_s: float,
    at: float,
) -> tuple[Group | None, list[Told]]:
    """The group after this moment, and what is to be told of it. at_s: by the watch's clock; at: Unix time to show."""
    of_rule = list(alerts)
    still = [alert for alert in of_rule if alert.state in OPEN]
    audible = [alert for alert in still if not is_muted(alert)]
    if group is None:
        if not audible:
            return None, []
        group = Group(rule=rule.name, episode=at, told_s=at_s, members=[alert.uid for alert in audible])
        return group, [_told(rule, Kind.FIRING, audible, group, rule.channels, at)]
    if not still:
        ended = [alert for alert in of_rule if alert.uid in group.members]
        return None, [_told(rule, Kind.RESOLVED, ended, group, tuple(group.channels), at)]
    return group, _more(rule, still, audible, group, at_s=at_s, at=at)


def _more(rule: Rule, still: list[Alert], audible: list[Alert], group: Group, *, at_s: float, at: float) -> list[Told]:
    told = []
    is_acknowledged = all(alert.acknowledged_by for alert in still)
    fresh = [alert for alert in audible if alert.uid not in group.members]
    waits_s = rule.priority.acknowledge_within_s
    oldest_s = min(alert.fired_s for alert in still)
    if fresh and at_s - group.told_s >= GROUP_INTERVAL_S:
        told.append(_told(rule, Kind.MORE, fresh, group, rule.channels, at))
        group.members += [alert.uid for alert in fresh]
        group.told_s = at_s
    elif audible and not is_acknowledged and at_s - group.told_s >= REPEAT_S:
        told.append(_told(rule, Kind.REPEAT, audible, group, rule.channels, at))
        group.told_s = at_s
    if is_acknowledged and not group.acknowledged and "pagerduty" in group.channels:
        told.append(_told(rule, Kind.ACKNOWLEDGED, still, group, ("pagerduty",), at))
    group.acknowledged = is_acknowledged
    is_late = rule.priority.name == P2.name and waits_s is not None and at_s - oldest_s >= waits_s
    if audible and is_late and not (is_acknowledged or group.escalated):
        group.escalated = True
        told.append(_told(rule, Kind.ESCALATION, audible, group, ("pagerduty",), at))
    return told


def _told(rule: Rule, kind: Kind, alerts: list[Alert], group: Group, channels: tuple[str, ...], at: float) -> Told:
    group.channels = list(dict.fromkeys([*group.channels, *channels]))
    return Told(
        notice=Notice(
            rule=rule.name,
            kind=kind,
            priority=rule.priority.name,
            severity=rule.priority.severity,
            key=f"nextrade/{rule.name}/{int(group.episode)}",
            lines=tuple(dict.fromkeys(_line(alert) for alert in alerts))[:MOST_LISTED] or (rule.what,),
            count=max(1, len(alerts)),
            runbook=rule.runbook,
            at=at,
            details=_details(rule, alerts),
        ),
        channels=channels,
    )


def _line(alert: Alert) -> str:
    return alert.text + (" (no data since; it may go on)" if alert.state == State.STALE else "")


def _details(rule: Rule, alerts: list[Alert]) -> dict[str, str]:
    if not alerts:  # all that anybody was told of ended long ago, and what came after was muted
        return {"alert": rule.name, "priority": rule.priority.name}
    first = alerts[0]
    labels = {name: value[:200] for name, value in first.labels}
    who = {"acknowledged_by": first.acknowledged_by} if first.acknowledged_by else {}
    return {**labels, "alert": rule.name, "priority": rule.priority.name, "value": f"{first.value:g}", **who}

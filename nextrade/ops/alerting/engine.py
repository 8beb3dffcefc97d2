"""The watch itself: samples in, alerts on, notices out. One owner, one thread, no network and no disk in here."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nextrade.ops.alerting import notices, promql, raised, states
from nextrade.ops.alerting.notices import Group, Notice
from nextrade.ops.alerting.outbox import Health, Outbox, Result
from nextrade.ops.alerting.rule import HEARTBEAT, Inhibition, Rule
from nextrade.ops.alerting.samples import Memory, reach_of
from nextrade.ops.alerting.scrape import Reading, Scrape
from nextrade.ops.alerting.series import Labels, Vector
from nextrade.ops.alerting.states import OPEN, Alert, State, Transition

log = logging.getLogger(__name__)
SEEN_HERE = ("nextrade_component_up", "nextrade_alert_deliveries_failing")
"""Beginnings of metrics that the watch knows at first hand; what a web process tells of them is left out."""
JOB = "nextrade-health"


@dataclass(frozen=True, kw_only=True)
class Silence:
    """rule: its name, or "*" for all: a maintenance window. labels: that an alert must carry. Unix times."""

    id: int
    rule: str
    labels: Mapping[str, str]
    from_s: float
    until_s: float

    def covers(self, alert: Alert, at: float) -> bool:
        held = dict(alert.labels)
        is_named = self.rule in ("*", alert.rule)
        return is_named and self.from_s <= at < self.until_s and self.labels.items() <= held.items()


@dataclass
class Engine:
    """rules: of the catalogue. known: each rule's alerts by their labels. journal: what the trail has yet to hear."""

    rules: tuple[Rule, ...]
    inhibitions: tuple[Inhibition, ...]
    outbox: Outbox
    extra: tuple[str, ...] = ()
    memory: Memory = field(init=False)
    known: dict[str, dict[Labels, Alert]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    occurrences: dict[str, raised.Occurrence] = field(default_factory=dict)
    journal: list[dict[str, Any]] = field(default_factory=list)
    next_seq: int = 1
    is_beating: bool = False

    def __post_init__(self) -> None:
        self.memory = Memory(reach_of([*(rule.expr for rule in self.rules), *self.extra]))

    def take(self, scrape: Scrape, own: Iterable[Reading], at_s: float) -> list[Labels]:
        """The samples of a look, and of what the watch knows of itself; the series that they went to."""
        components = [
            ("nextrade_component_up", {"component": name}, float(up)) for name, up in scrape.components.items()
        ]
        probe = [
            ("probe_success", {"job": JOB}, float(scrape.answers)),
            ("up", {"job": "nextrade"}, float(scrape.readings is not None)),
        ]
        theirs = [each for each in scrape.readings or () if not each[0].startswith(SEEN_HERE)]
        return [
            *self.memory.take("probe", probe, at_s),
            *self.memory.take("health", components, at_s),
            *self.memory.take("metrics", theirs, at_s),
            *self.memory.take("own", own, at_s),
        ]

    def evaluate(self, *, at_s: float, at: float) -> list[Transition]:
        """All rules once; alerts move, people are told by way of the outbox. at: Unix time, to show."""
        changes = [change for rule in self.rules_in_force() for change in self._tried(rule, at_s)]
        return self._followed(changes, at_s=at_s, at=at)

    def copy(self, found: Mapping[str, Vector] | None, *, at_s: float, at: float) -> list[Transition]:
        """What another engine found, by rule; None when it did not answer."""
        changes = []
        for rule in self.rules:
            at_once, known = replace(rule, for_s=0, keep_firing_s=0), self.known.get(rule.name, {})
            vector = (found or {}).get(rule.name, {})
            if rule.priority == HEARTBEAT:
                self.is_beating = bool(vector)
                continue
            self.known[rule.name], changed = states.step(at_once, known, vector, lambda _: found is not None, at_s)
            changes += changed
        return self._followed(changes, at_s=at_s, at=at)

    def _followed(self, changes: list[Transition], *, at_s: float, at: float) -> list[Transition]:
        """What follows from alerts having moved: the journal, notices, and what may be forgotten."""
        self._note(changes, at)
        for rule in (*self.rules, *(each.rule for each in self.occurrences.values())):
            self._tell(rule, at_s=at_s, at=at)
        for name in [name for name in self.groups if name not in self._names()]:
            self._end(self.groups.pop(name), at_s=at_s, at=at)
        self.occurrences = {
            name: each
            for name, each in self.occurrences.items()
            if self._is_open(each.rule.name) or each.last_s == at_s
        }
        self.known = {name: alerts for name, alerts in self.known.items() if alerts and name in self._names()}
        self.memory.forget(at_s)
        return changes

    def raise_(self, event: raised.Event, at_s: float) -> None:
        """Take an alarm from the trail, unless a rule whose series are there sees the same."""
        covering = next((rule for rule in self.rules if rule.name == raised.COVERED_BY.get(event.name)), None)
        if covering is None or not self._has_data(covering, {}, at_s):
            raised.note(self.occurrences, event, at_s)

    def acknowledge(self, uid: str, by: str, *, at_s: float, at: float) -> bool:
        """Somebody has taken it up; whether that was news. Ends what only a person can end: an alarm, or an alert that
        had no data when they did. at: Unix time of their deed, which tells it from an earlier one."""
        for alerts in self.known.values():
            for labels, alert in alerts.items():
                if alert.uid == uid and alert.state in OPEN and alert.acknowledged_at != at:
                    alerts[labels] = replace(alert, acknowledged_by=by, acknowledged_at=at, acknowledged_s=at_s)
                    return True
        return False

    def settle(self, result: Result, *, at_s: float) -> None:
        """What became of a delivery; who hears of a group by another way hears the rest of it there too."""
        for notice, channel in self.outbox.settle(result, at_s=at_s):
            group = self.groups.get(notice.rule)
            if group and channel not in group.channels:
                group.channels.append(channel)

    def open_alerts(self) -> list[Alert]:
        return [alert for alerts in self.known.values() for alert in alerts.values() if alert.state in OPEN]

    def rules_in_force(self) -> list[Rule]:
        named = {raised.rule_name(name): each.rule for name, each in self.occurrences.items()}
        return [*self.rules, *named.values()]

    def _tried(self, rule: Rule, at_s: float) -> list[Transition]:
        """A rule that breaks must not silence the others."""
        try:
            return self._step(rule, at_s)
        except Exception:
            log.exception("The rule %s cannot be evaluated", rule.name)
            return []

    def _step(self, rule: Rule, at_s: float) -> list[Transition]:
        known = self.known.get(rule.name, {})
        found = self._found(rule, known, at_s)
        if rule.priority == HEARTBEAT:
            self.is_beating = bool(found)
            return []

        def has_data(labels: Labels) -> bool:
            return not rule.template or known[labels].is_closed or self._has_data(rule, dict(labels), at_s)

        self.known[rule.name], changes = states.step(rule, known, found, has_data, at_s)
        return changes

    def _found(self, rule: Rule, known: Mapping[Labels, Alert], at_s: float) -> Vector:
        if not rule.template:
            occurrence = next(each for each in self.occurrences.values() if each.rule.name == rule.name)
            is_taken = any(alert.acknowledged_by for alert in known.values() if alert.state in OPEN)
            return {} if is_taken or occurrence.is_over(at_s) else {(): float(occurrence.count)}
        values = promql.evaluate(rule.expr, self.memory, at_s)
        return {labels: value for labels, value in values.items() if value == value}

    def _has_data(self, rule: Rule, labels: Mapping[str, str], at_s: float) -> bool:
        selectors = promql.selectors(rule.expr)
        return all(self.memory.has_told(selector, labels, at_s) for selector, _ in selectors)

    def _tell(self, rule: Rule, *, at_s: float, at: float) -> None:
        if rule.priority == HEARTBEAT:
            return
        alerts = list(self.known.get(rule.name, {}).values())
        before = self.groups.get(rule.name)
        group, told = notices.decide(rule, alerts, before, lambda alert: self._is_muted(alert, at), at_s=at_s, at=at)
        for each in told:
            used = self.outbox.put(each.notice, each.channels, at_s=at_s)
            if group:
                group.channels = list(
                    dict.fromkeys([*(name for name in group.channels if name in self.outbox.configured), *used])
                )
            if each.notice.kind == notices.Kind.ESCALATION:
                self._write("escalated", rule, [alert for alert in alerts if alert.state in OPEN], at)
        if group:
            self.groups[rule.name] = group
        else:
            self.groups.pop(rule.name, None)

    def _end(self, group: Group, *, at_s: float, at: float) -> None:
        """A group whose rule is no more: nobody would ever be told that it is over."""
        log.warning("The rule %s is gone; its alerts end with it", group.rule)
        notice = Notice(
            rule=group.rule,
            kind=notices.Kind.RESOLVED,
            priority="P3",
            severity="warning",
            key=f"nextrade/{group.rule}/{int(group.episode)}",
            lines=("The rule is gone.",),
            count=1,
            runbook="",
            at=at,
        )
        self.outbox.put(notice, group.channels, at_s=at_s)
        self.known.pop(group.rule, None)

    def _is_muted(self, alert: Alert, at: float) -> bool:
        firing = {name for name, alerts in self.known.items() if any(each.state in OPEN for each in alerts.values())}
        inhibited = any(each.source in firing and alert.rule in each.mutes for each in self.inhibitions)
        return inhibited or any(silence.covers(alert, at) for silence in self.silences)

    def _is_open(self, rule: str) -> bool:
        return any(alert.state in OPEN for alert in self.known.get(rule, {}).values())

    def _names(self) -> set[str]:
        return {rule.name for rule in self.rules} | {each.rule.name for each in self.occurrences.values()}

    def _note(self, changes: Iterable[Transition], at: float) -> None:
        """What the trail is to hear: one entry for all alerts of a rule that became the same. Pending is not one."""
        grouped: dict[tuple[str, State], list[Alert]] = {}
        for change in changes:
            if change.alert.state != State.PENDING:
                grouped.setdefault((change.alert.rule, change.alert.state), []).append(change.alert)
        by_name = {rule.name: rule for rule in self.rules_in_force()}
        for (name, state), alerts in grouped.items():
            self._write(state.value, by_name[name], alerts, at)

    def _write(self, what: str, rule: Rule, alerts: list[Alert], at: float) -> None:
        entry = {
            "seq": self.next_seq,
            "at": at,
            "what": what,
            "rule": rule.name,
            "priority": rule.priority.name,
            "alerts": [{**alert.to_json(), "uid": alert.uid} for alert in alerts],
        }
        self.journal.append(entry)
        self.next_seq += 1

    def to_json(self) -> dict[str, Any]:
        """All that the next start must know, but samples, deliveries and the journal."""
        return {
            "known": [alert.to_json() for alerts in self.known.values() for alert in alerts.values()],
            "groups": [asdict(group) for group in self.groups.values()],
            "silences": [asdict(silence) for silence in self.silences],
            "occurrences": [asdict(each) for each in self.occurrences.values()],
            "health": {name: asdict(each) for name, each in self.outbox.health.items()},
            "next_id": self.outbox.next_id,
            "next_seq": self.next_seq,
        }

    def load(self, facts: Mapping[str, Any]) -> None:
        """Go on where `to_json` was."""
        for told in facts["known"]:
            alert = Alert.from_json(told)
            self.known.setdefault(alert.rule, {})[alert.labels] = alert
        self.groups = {each["rule"]: Group(**each) for each in facts["groups"]}
        self.silences = tuple(Silence(**each) for each in facts["silences"])
        self.occurrences = {each["name"]: raised.Occurrence(**each) for each in facts["occurrences"]}
        self.outbox.health = {name: Health(**each) for name, each in facts["health"].items()}
        self.outbox.next_id, self.next_seq = facts["next_id"], facts["next_seq"]

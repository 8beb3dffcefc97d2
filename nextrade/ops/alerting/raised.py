"""Alarms that code raised (`compliance.alerts.raise_alert`), as alerts.

Context: such an alarm is an ALERT event in the trail. Choice: alertd reads the events, each once by its id, rather than
a counter: an event keeps its facts, is committed with its cause and survives the process that raised it. Cost: it needs
the main database, whose loss is an alert of its own, and without which nothing could have been raised.

An event happened; it cannot un-happen. Its alert ends when a person acknowledges it; one that pages nobody, also a day
after the last such event.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nextrade.ops.alerting.rule import P1, P2, P3, P4, Priority, Rule

ENDS_BY_ITSELF_S = 24 * 3600.0
KNOWN: Mapping[str, tuple[Priority, str]] = {
    "trail_broken": (P1, "The audit trail does not verify"),
    "event_not_ours": (P1, "An event in the trail was not written by us"),
    "late_fill": (P2, "An order was filled after it was over"),
    "reconciliation_break": (P2, "Our books and the broker's differ"),
    "breaker_tripped": (P2, "An account lost too much and may only reduce"),
    "halt_drill_failed": (P2, "The drill of the halt failed"),
    "circuit_breaker_opened": (P2, "A circuit breaker opened"),
    "model_budget": (P3, "A budget for models is nearly spent"),
    "clock_stepped": (P3, "The clock of the machine that watches was set"),
    "retention_waits": (P4, "Retention waits for who holds the key"),
}
COVERED_BY: Mapping[str, str] = {
    "circuit_breaker_opened": "CircuitBreakerOpened",
    "reconciliation_break": "ReconciliationBreak",
    "trail_broken": "AuditVerificationFailed",
    "model_budget": "LlmBudgetNearlySpent",
}
"""Names whose trouble a rule of the catalogue sees too, and sees the end of: where its series are there, it tells."""
WORD = re.compile(r"[a-z][a-z0-9_]{0,60}")


@dataclass(frozen=True, kw_only=True)
class Event:
    """One ALERT event of the trail. details: facts, without its name."""

    id: int
    name: str
    details: Mapping[str, Any]


@dataclass
class Occurrence:
    """All events of a name since it was last acknowledged. last_s: of the watch's clock."""

    name: str
    count: int
    last_s: float
    details: dict[str, str] = field(default_factory=dict)

    @property
    def rule(self) -> Rule:
        priority, words = KNOWN.get(self.name, (P2, f"Alarm '{self.name}'"))
        facts = ", ".join(f"{name}: {value}" for name, value in self.details.items())
        times = f" ({self.count} times)" if self.count > 1 else ""
        message = f"{words}{times}. {facts}".strip().replace("{", "{{").replace("}", "}}")
        return Rule(
            name=rule_name(self.name), priority=priority, component="trading", template="", message=message, what=words
        )

    def is_over(self, at_s: float) -> bool:
        return self.rule.priority not in (P1, P2) and at_s - self.last_s > ENDS_BY_ITSELF_S


def rule_name(name: str) -> str:
    """late_fill: LateFill. One that a rule sees too is told from that rule, whose alerts come and go by themselves:
    circuit_breaker_opened: CircuitBreakerOpenedAlarm."""
    return "".join(word.capitalize() for word in name.split("_")) + ("Alarm" if name in COVERED_BY else "")


def note(occurrences: dict[str, Occurrence], event: Event, at_s: float) -> None:
    """Count an event in; ten thousand of a name are one alert."""
    name = event.name if WORD.fullmatch(event.name) else "unnamed"
    known = occurrences.setdefault(name, Occurrence(name=name, count=0, last_s=at_s))
    known.count += 1
    known.last_s = at_s
    known.details = {
        str(key)[:40]: str(value)[:100] for key, value in list(event.details.items())[:6] if key != "alert"
    }

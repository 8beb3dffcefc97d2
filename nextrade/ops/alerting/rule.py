"""What an alert is: its expression, its priority, its words. The catalogue of them is `nextrade.ops.rules`."""

import string
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Priority:
    """How soon somebody must have taken an alert up, and by which channels they hear of it (the guide's table).

    severity: PagerDuty's word. acknowledge_within_s: None where nobody needs to. ends_next_business_day: whether the
    ticket is due then. Channels: "pagerduty", "email", "slack", "ticket", and "heartbeat", which is sent again and
    again to who rings when it stops.
    """

    name: str
    severity: str
    acknowledge_within_s: int | None
    channels: tuple[str, ...]


P1 = Priority(name="P1", severity="critical", acknowledge_within_s=0, channels=("pagerduty",))
P2 = Priority(name="P2", severity="error", acknowledge_within_s=15 * 60, channels=("email", "slack"))
P3 = Priority(name="P3", severity="warning", acknowledge_within_s=60 * 60, channels=("slack",))
P4 = Priority(name="P4", severity="info", acknowledge_within_s=None, channels=("ticket",))
HEARTBEAT = Priority(name="none", severity="none", acknowledge_within_s=None, channels=("heartbeat",))
PRIORITIES = (P1, P2, P3, P4, HEARTBEAT)
SLACK_COLOURS: Mapping[str, str] = MappingProxyType(
    {"critical": "#FF0000", "error": "#FF4500", "warning": "#FFA500", "info": "#0000FF"}
)
"""The guide's, by severity; `error` would be grey there."""

SLACK_COLOUR_ELSE = "#808080"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One alert.

    template: of `expr`, the PromQL that has a value exactly while something is wrong; in it {threshold} and {minimum}
    stand to be filled in. unit: of the threshold, for people. minimum: the volume below which a ratio tells nothing.
    for_s: how long it must hold before it fires. keep_firing_s: how long it goes on firing after. component: what it
    is about; empty where the series tells. message: the alert's words, a format of {value}, printed as {value:.1f} or
    the like, and {labels[name]}.
    """

    name: str
    priority: Priority
    component: str
    template: str
    message: str
    what: str
    threshold: float | None = None
    unit: str = ""
    minimum: float = 0
    for_s: int = 0
    keep_firing_s: int = 0
    own_channels: tuple[str, ...] = field(default=())

    @property
    def expr(self) -> str:
        return self.template.replace("{threshold}", number(self.threshold)).replace("{minimum}", number(self.minimum))

    @property
    def channels(self) -> tuple[str, ...]:
        """The rule's own where it names some, else its priority's."""
        return self.own_channels or self.priority.channels

    @property
    def labels(self) -> dict[str, str]:
        """What every alert of this rule carries; they win over the labels of its series."""
        own = {
            "severity": self.priority.severity,
            "priority": self.priority.name,
            "component": self.component,
            "channel": ",".join(self.own_channels),
        }
        return {name: value for name, value in own.items() if value}

    def alert_labels(self, series: Mapping[str, str]) -> dict[str, str]:
        """The identity of one alert, as Prometheus makes it of the labels of the series that the expression gave."""
        kept = {name: value for name, value in series.items() if name != "__name__"}
        return {**kept, **self.labels, "alertname": self.name}

    @property
    def runbook(self) -> str:
        """Path of its page, from the root of the repository. What code raised has one page for all."""
        return f"docs/runbooks/{self.name if self.template else 'Alarms'}.md"

    def text(self, value: float, labels: Mapping[str, str]) -> str:
        """The message of an alert; a label that it lacks is empty."""
        return self.message.format(value=value, labels=defaultdict(str, labels))

    def go_template(self) -> str:
        """The same message, for Prometheus."""
        parts = string.Formatter().parse(self.message)
        return "".join(before + _go(name, spec or "") for before, name, spec, _ in parts)

    def with_threshold(self, threshold: float) -> "Rule":
        return replace(self, threshold=threshold)


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A series that Prometheus keeps of an expression, for dashboards."""

    name: str
    expr: str


@dataclass(frozen=True, kw_only=True)
class Inhibition:
    """While the source fires, nobody is told of the muted, which it explains."""

    source: str
    mutes: tuple[str, ...]


def number(value: float | None) -> str:
    """As PromQL reads it: 50, 0.25."""
    return "" if value is None else f"{value:.12g}"


def _go(name: str | None, spec: str) -> str:
    if name is None:
        return ""
    if name == "value":
        return f'{{{{ printf "%{spec}" $value }}}}'
    return f"{{{{ $labels.{name.removeprefix('labels[').removesuffix(']')} }}}}"

"""What waits to be sent, and how a channel fares: attempts, waits, giving up, and the way around a dead channel.

At least once: a notice is marked as sent after the other side took it. In order for each channel and rule, so that no
"resolved" overtakes its alert. What a channel does not take after FALLBACK_AFTER attempts goes to another one too.
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from nextrade.ops.alerting.notices import Kind, Notice

FIRST_WAIT_S, LONGEST_WAIT_S = 2.0, 300.0
FALLBACK_AFTER = 3
GIVE_UP_S = OFF_S = 24 * 3600.0
MOST_WAITING = 500
FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "pagerduty": ("slack", "email", "ticket"),
    "slack": ("email", "pagerduty", "ticket"),
    "email": ("slack", "pagerduty", "ticket"),
    "ticket": ("email", "slack"),
}
ABOUT_CHANNELS = "AlertDeliveryFailing"
PAGES = ("P1", "P2")
"""For others nobody is woken up, not even instead of a message."""


class Status(StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


@dataclass
class Delivery:
    """One notice for one channel. next_s, created_s: the watch's clock. instead_of: the channel that failed."""

    id: int
    channel: str
    notice: Notice
    created_s: float
    next_s: float
    attempts: int = 0
    status: Status = Status.WAITING
    code: str = ""
    error: str = ""
    instead_of: str = ""
    is_under_way: bool = False

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "is_under_way": False}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> "Delivery":
        told = {"notice": Notice.from_json(facts["notice"]), "status": Status(facts["status"])}
        return cls(**{**facts, **told})


@dataclass
class Health:
    """How a channel fares. failing: deliveries it has not taken. off: why nothing is sent to it any more, or "", and
    off_s since when: for a day."""

    failing: int = 0
    off: str = ""
    off_s: float = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one attempt. wait_s: what the other side asked to be waited. is_final: never again.
    turns_off: the whole channel."""

    delivery_id: int
    is_sent: bool
    code: str = ""
    error: str = ""
    wait_s: float = 0
    is_final: bool = False
    turns_off: bool = False


@dataclass
class Outbox:
    """configured: the channels that have an address, the only ones that anything goes to."""

    configured: tuple[str, ...]
    deliveries: dict[int, Delivery] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    changed: list[Delivery] = field(default_factory=list)
    next_id: int = 1

    def put(self, notice: Notice, channels: Collection[str], *, at_s: float) -> list[str]:
        """Queue a notice for its channels, and for another where one is missing or down; by which it goes."""
        used: list[str] = []
        for channel in channels:
            if self._may_take(channel, notice, at_s):
                self._add(channel, notice, at_s=at_s)
                used.append(channel)
        for channel in channels:
            if not self.is_well(channel):
                used += self._around(channel, notice, {*used, *channels}, at_s=at_s)
        return used

    def due(self, at_s: float) -> list[Delivery]:
        """What may be sent now: the first of each channel and rule."""
        first: dict[tuple[str, str], Delivery] = {}
        for delivery in sorted(self.deliveries.values(), key=lambda each: each.id):
            first.setdefault((delivery.channel, delivery.notice.rule), delivery)
        return [each for each in first.values() if each.next_s <= at_s and not each.is_under_way]

    def settle(self, result: Result, *, at_s: float) -> list[tuple[Notice, str]]:
        """Write down what became of an attempt; what goes by which channel instead."""
        delivery = self.deliveries.get(result.delivery_id)
        if delivery is None:
            return []
        delivery.is_under_way = False
        delivery.attempts += 1
        delivery.code, delivery.error = result.code[:20], result.error[:200]
        if result.is_sent:
            self.health[delivery.channel] = Health()
            self._end(delivery, Status.SENT)
            return []
        if result.turns_off:
            return self._turn_off(delivery, at_s=at_s)
        is_over = result.is_final or at_s - delivery.created_s > GIVE_UP_S
        if is_over:
            self._end(delivery, Status.FAILED)
        else:
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (delivery.attempts - 1)) * random.uniform(0.8, 1.2)  # noqa: S311
            delivery.next_s = at_s + max(wait_s, min(result.wait_s, 3600.0))
            self.changed.append(delivery)
        if delivery.attempts == FALLBACK_AFTER or (is_over and delivery.attempts < FALLBACK_AFTER):
            self.health.setdefault(delivery.channel, Health()).failing += 1
            return self._replaced(delivery, at_s=at_s)
        return []

    def _turn_off(self, delivery: Delivery, *, at_s: float) -> list[tuple[Notice, str]]:
        """Nothing more goes there; what waits for it goes elsewhere."""
        self.health[delivery.channel] = Health(failing=1, off=delivery.error or "refused", off_s=at_s)
        waiting = [each for each in self.deliveries.values() if each.channel == delivery.channel]
        for each in waiting:
            self._end(each, Status.FAILED)
        return [moved for each in waiting for moved in self._replaced(each, at_s=at_s)]

    def _replaced(self, delivery: Delivery, *, at_s: float) -> list[tuple[Notice, str]]:
        others = self._around(delivery.channel, delivery.notice, {delivery.channel}, at_s=at_s)
        return [(delivery.notice, other) for other in others]

    def is_well(self, channel: str) -> bool:
        health = self.health.get(channel, Health())
        return channel in self.configured and not health.off and not health.failing

    def failing(self) -> dict[str, float]:
        """How many deliveries each configured channel has not taken since it last took one; 1 when it is off."""
        known = {channel: self.health.get(channel, Health()) for channel in self.configured}
        return {channel: float(health.failing or bool(health.off)) for channel, health in known.items()}

    def _may_take(self, channel: str, notice: Notice, at_s: float) -> bool:
        """An alert about a channel does not go there; what waits is not asked to wait twice."""
        health = self.health.get(channel, Health())
        is_off = bool(health.off) and at_s - health.off_s < OFF_S
        is_about_it = notice.rule == ABOUT_CHANNELS and not self.is_well(channel)
        return channel in self.configured and not is_off and not is_about_it and not self._waits(channel, notice)

    def _waits(self, channel: str, notice: Notice) -> bool:
        waiting = [each for each in self.deliveries.values() if each.channel == channel]
        is_again = notice.kind in (Kind.REPEAT, Kind.MORE)
        return len(waiting) >= MOST_WAITING or (is_again and any(each.notice.rule == notice.rule for each in waiting))

    def _around(self, channel: str, notice: Notice, tried: Collection[str], *, at_s: float) -> list[str]:
        """Send it by the next channel that is well, unless one that is well has it already; at last by any."""
        has_it = {each.channel for each in self.deliveries.values() if each.notice == notice} | set(tried)
        if notice.kind == Kind.ACKNOWLEDGED or any(self.is_well(each) for each in has_it if each != channel):
            return []
        ways = [each for each in FALLBACKS.get(channel, ()) if each != "pagerduty" or notice.priority in PAGES]
        open_ways = [each for each in ways if each in self.configured and each not in has_it]
        for other in (*filter(self.is_well, open_ways), *open_ways[-1:]):
            self._add(other, notice, at_s=at_s, instead_of=channel)
            return [other]
        return []

    def _add(self, channel: str, notice: Notice, *, at_s: float, instead_of: str = "") -> None:
        delivery = Delivery(
            id=self.next_id, channel=channel, notice=notice, created_s=at_s, next_s=at_s, instead_of=instead_of
        )
        self.next_id += 1
        self.deliveries[delivery.id] = delivery
        self.changed.append(delivery)

    def _end(self, delivery: Delivery, status: Status) -> None:
        delivery.status = status
        del self.deliveries[delivery.id]
        self.changed.append(delivery)

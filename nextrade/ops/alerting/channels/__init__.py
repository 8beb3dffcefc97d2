"""The ways to people: one file each, one table."""

from collections.abc import Mapping
from types import MappingProxyType

from nextrade.ops.alerting.channels.base import Channel, Undelivered
from nextrade.ops.alerting.channels.email import Email
from nextrade.ops.alerting.channels.pagerduty import PagerDuty
from nextrade.ops.alerting.channels.slack import Slack
from nextrade.ops.alerting.channels.ticket import TicketDesk

__all__ = ("CHANNELS", "Channel", "Undelivered", "configured")

CHANNELS: Mapping[str, Channel] = MappingProxyType(
    {channel.name: channel for channel in (PagerDuty(), Slack(), Email(), TicketDesk())}
)


def configured() -> tuple[str, ...]:
    return tuple(name for name, channel in CHANNELS.items() if channel.is_configured())

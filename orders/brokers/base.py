"""What a broker promises. To add one, copy paper.py and name it in `orders.brokers`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from nextrade.errors import Refused, Unavailable


class InDoubt(Unavailable):
    """The call ended without an answer: the order may or may not be at the broker, which must be asked."""

    code = "broker_in_doubt"


class DuplicateClientOrderId(Refused):
    """The broker has this client order id already: what happened to it must be asked."""

    code = "duplicate_client_order_id"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """What is sent, and nothing else is."""

    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    time_in_force: str
    stop_price: Decimal | None = None
    good_until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Fill:
    """One execution. exec_id: unique for the broker, for ever."""

    exec_id: str
    quantity: Decimal
    price_usd: Decimal
    commission_usd: Decimal
    executed_at: datetime


@dataclass(frozen=True, kw_only=True)
class Report:
    """The broker's view of an order. status: new, partially_filled, filled, canceled, expired or rejected."""

    client_order_id: str
    broker_order_id: str
    status: str
    raw_status: str
    fills: tuple[Fill, ...] = ()
    reason: str = ""


class Broker(Protocol):
    """mode: whose money it is. supports: (order type, time in force) that it takes."""

    name: str
    mode: Literal["paper", "live"]
    supports: frozenset[tuple[str, str]]

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        """Hand over an order. Raises InDoubt, DuplicateClientOrderId."""

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        """What became of an order, None if it never arrived. Raises Unavailable."""

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        """Ask for the end of an order; the report says whether it was in time. Raises InDoubt."""

    def positions(self) -> Mapping[str, Decimal]:
        """Shares by symbol that the broker holds for the firm. Raises Unavailable."""

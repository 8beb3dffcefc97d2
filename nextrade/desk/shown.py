"""Orders and amounts as the desk's pages show them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from orders.codes import MEANING, Code
from orders.models import OPEN, Order, Status
from orders.payload import plain

NAMES = MappingProxyType(
    {
        Status.PENDING_APPROVAL: "Awaiting approval",
        Status.APPROVED: "Approved",
        Status.PENDING_NEW: "Being sent",
        Status.NEW: "Working at the broker",
        Status.PARTIALLY_FILLED: "Partly filled",
        Status.PENDING_CANCEL: "Being cancelled",
        Status.CANCELED: "Cancelled",
        Status.DENIED: "Denied by the rules",
        Status.REJECTED: "Rejected by the broker",
    }
)
COLOURS = MappingProxyType(
    {
        Status.PENDING_APPROVAL: "waits",
        **dict.fromkeys((Status.APPROVED, Status.PENDING_NEW, Status.NEW), "goes"),
        **dict.fromkeys((Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), "goes"),
        Status.FILLED: "good",
        **dict.fromkeys((Status.DENIED, Status.DECLINED, Status.REJECTED), "bad"),
    }
)
WAY = ("Proposed", "Approved", "At the broker", "Filled")
DONE = MappingProxyType(
    {
        Status.PENDING_APPROVAL: 1,
        Status.APPROVED: 2,
        **dict.fromkeys((Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), 3),
        Status.FILLED: 4,
    }
)
"""How many steps of WAY an order has behind it."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """state: "done", "now", "next" or "end" (here it ended before its time)."""

    name: str
    state: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """An order as a page shows it. detail: who decided, at what price, or why not."""

    order_id: uuid.UUID
    version: int
    what: str
    price: str
    estimate: str
    status: str
    colour: str
    detail: str
    is_open: bool
    way: Sequence[Step]


def card(order: Order) -> Card:
    """Reads the approvals, which a list of orders fetches with `approvals__checker`."""
    return Card(
        order_id=order.pk,
        version=order.version,
        what=f"{order.side.capitalize()} {plain(order.quantity)} {order.symbol}",
        price=_price(order),
        estimate=f"about {usd(order.notional_usd)}" if order.notional_usd else "",
        status=name(order.status),
        colour=COLOURS.get(Status(order.status), "over"),
        detail=_detail(order),
        is_open=order.status in OPEN,
        way=_way(order),
    )


def name(status: str) -> str:
    known = Status(status)
    return NAMES.get(known, str(known.label))


def usd(amount: Decimal | None) -> str:
    return f"${amount:,.2f}" if amount is not None else ""


def gain(amount: Decimal | None) -> str:
    """With its sign; a true minus."""
    return "" if amount is None else f"{'−' if amount < 0 else '+'}{usd(abs(amount))}"


def tone(amount: Decimal | None) -> str:
    """The colour of a gain."""
    return "" if not amount else "loss" if amount < 0 else "gain"


def share(part: Decimal, whole: Decimal) -> str:
    return f"{part / whole:.1%}" if whole else ""


def _price(order: Order) -> str:
    kind = str(order.get_order_type_display()).lower()
    stop = f" {usd(order.stop_price)}" if order.stop_price else ""
    limit = f"limit {usd(order.limit_price)}" if order.limit_price else ""
    return " ".join(part for part in ("stop" + stop if stop else "", limit) if part) or kind


def _detail(order: Order) -> str:
    checkers = ", ".join(approval.checker.username for approval in order.approvals.all())
    if order.cum_qty and order.avg_px:
        return f"{plain(order.cum_qty)} at {usd(order.avg_px)}, approved by {checkers}"
    if order.status == Status.PENDING_APPROVAL:
        given = f"approved by {checkers}, one more to come; " if checkers else ""
        return f"{given}until {order.expires_at:%H:%M} UTC"
    if order.status == Status.DENIED:
        return "; ".join(MEANING[Code(check["code"])] for check in order.checks if not check["passed"])
    return f"approved by {checkers}" if checkers else ""


def _way(order: Order) -> Sequence[Step]:
    done = DONE.get(Status(order.status))
    if done is None:
        behind = WAY[:3] if order.broker_order_id else WAY[:2] if order.approvals.all() else WAY[:1]
        return (*(Step(name=step, state="done") for step in behind), Step(name=name(order.status), state="end"))
    states = ["done"] * done + ["now"] + ["next"] * len(WAY)
    return tuple(Step(name=step, state=state) for step, state in zip(WAY, states, strict=False))

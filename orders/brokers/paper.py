"""The paper broker: a small exchange of our own, with its own book, so that two books can be compared.

Deterministic: what it does follows from the quotes, the clock and its settings. Orders are matched when they arrive
and each time they are asked about. Faults are switched on by tests, and used up one a call.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import product
from typing import Literal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Sum

from orders import quotes
from orders.brokers.base import DuplicateClientOrderId, Fill, InDoubt, Report, Ticket
from orders.models import WITH_STOP, OrderType, PaperFill, PaperOrder, Side, TimeInForce

CENT = Decimal("0.01")
WORKING = ("new", "partially_filled")
MOVING = ("status", "reason", "cum_qty", "is_triggered")
"""What of an order's row changes after it has arrived."""


class Fault(StrEnum):
    LOST = "the order never arrives, and no answer comes"
    TIMEOUT = "the order is taken, but no answer comes"
    SERVER_ERROR = "the order is taken, but the answer is a 5xx"
    REJECT = "the order is refused"


@dataclass
class PaperBroker:
    """Settings: PAPER_SLIPPAGE_BPS, hundredths of a percent against the trader; PAPER_COMMISSION_USD, per share;
    PAPER_MAX_FILL, shares filled at once, 0 for all."""

    name: str = "paper"
    mode: Literal["paper", "live"] = "paper"
    supports: frozenset[tuple[str, str]] = frozenset(product(OrderType.values, TimeInForce.values))
    faults: list[Fault] = field(default_factory=list)

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        fault = self.faults.pop(0) if self.faults else None
        if fault is Fault.LOST:
            raise InDoubt("timed out")
        price = quotes.provider().latest(ticket.symbol, at=at).price_usd  # before the transaction: it may be slow
        paper = _received(ticket, fault, at=at)
        fills = _match(paper, price, at=at)
        try:
            with transaction.atomic():
                paper.save(force_insert=True)
                PaperFill.objects.bulk_create(fills)
        except IntegrityError as error:
            raise DuplicateClientOrderId(f"{ticket.client_order_id} is known already") from error
        if fault in (Fault.TIMEOUT, Fault.SERVER_ERROR):
            raise InDoubt(fault)
        return _report(paper, fills)

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        symbol = PaperOrder.objects.filter(client_order_id=client_order_id).values_list("symbol", flat=True).first()
        if symbol is None:
            return None
        price = quotes.provider().latest(symbol, at=at).price_usd
        with transaction.atomic():
            paper = PaperOrder.objects.select_for_update().get(client_order_id=client_order_id)
            if paper.status in WORKING:
                fills = _match(paper, price, at=at)
                paper.save(update_fields=MOVING)
                PaperFill.objects.bulk_create(fills)
        return _report(paper, paper.fills.order_by("pk"))

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        with transaction.atomic():
            paper = PaperOrder.objects.select_for_update().filter(client_order_id=client_order_id).first()
            if paper is None:
                return None
            if paper.status in WORKING:
                _end(paper, "canceled", "asked for")
                paper.save(update_fields=MOVING)
        return _report(paper, paper.fills.order_by("pk"))

    def positions(self) -> Mapping[str, Decimal]:
        signs = {Side.BUY: 1, Side.SELL: -1}
        held: dict[str, Decimal] = {}
        for side, sign in signs.items():
            rows = (
                PaperFill.objects.filter(order__side=side).values_list("order__symbol").annotate(total=Sum("quantity"))
            )
            for symbol, total in rows:
                held[symbol] = held.get(symbol, Decimal(0)) + sign * total
        return {symbol: quantity for symbol, quantity in held.items() if quantity}

    def fill_late(self, client_order_id: str, *, quantity: Decimal, price_usd: Decimal, at: datetime) -> None:
        """Fill an order that is over, as exchanges sometimes do."""
        paper = PaperOrder.objects.get(client_order_id=client_order_id)
        _filled(paper, quantity, price_usd, at=at).save()
        paper.save(update_fields=MOVING)


def _received(ticket: Ticket, fault: Fault | None, *, at: datetime) -> PaperOrder:
    is_refused = fault is Fault.REJECT
    return PaperOrder(
        client_order_id=ticket.client_order_id,
        symbol=ticket.symbol,
        side=ticket.side,
        quantity=ticket.quantity,
        order_type=ticket.order_type,
        limit_price=ticket.limit_price,
        stop_price=ticket.stop_price,
        time_in_force=ticket.time_in_force,
        good_until=ticket.good_until,
        status="rejected" if is_refused else "new",
        reason="refused by the exchange" if is_refused else "",
        received_at=at,
    )


def _match(paper: PaperOrder, price: Decimal, *, at: datetime) -> list[PaperFill]:
    """Do with a working order what the market and the clock ask for; its new fills. Saves nothing."""
    if paper.status not in WORKING:
        return []
    if paper.good_until is not None and at >= paper.good_until:
        _end(paper, "expired", "the day is over")
        return []
    fills = []
    if _is_triggered(paper, price) and _is_marketable(paper, price):
        left = paper.quantity - paper.cum_qty
        most = Decimal(settings.PAPER_MAX_FILL) or left
        if paper.time_in_force == TimeInForce.FOK and most < left:
            _end(paper, "canceled", "not all of it could be filled at once")
            return []
        fills.append(_filled(paper, min(left, most), _slipped(paper, price), at=at))
    if paper.status in WORKING and paper.time_in_force in (TimeInForce.IOC, TimeInForce.FOK):
        _end(paper, "canceled", "could not be filled at once")
    return fills


def _is_triggered(paper: PaperOrder, price: Decimal) -> bool:
    """Whether a stop's price has been reached, now or before; an order without one always is."""
    if paper.order_type not in WITH_STOP or paper.is_triggered or paper.stop_price is None:
        return True
    paper.is_triggered = price >= paper.stop_price if paper.side == Side.BUY else price <= paper.stop_price
    return paper.is_triggered


def _is_marketable(paper: PaperOrder, price: Decimal) -> bool:
    if paper.limit_price is None:
        return True
    return price <= paper.limit_price if paper.side == Side.BUY else price >= paper.limit_price


def _slipped(paper: PaperOrder, price: Decimal) -> Decimal:
    """The price a fill gets: worse than the quote by the slippage, never worse than the limit."""
    slip = price * Decimal(settings.PAPER_SLIPPAGE_BPS) / 10_000
    got = (price + slip if paper.side == Side.BUY else price - slip).quantize(CENT)
    if paper.limit_price is None:
        return max(got, CENT)
    return min(got, paper.limit_price) if paper.side == Side.BUY else max(got, paper.limit_price)


def _filled(paper: PaperOrder, quantity: Decimal, price_usd: Decimal, *, at: datetime) -> PaperFill:
    commission = (quantity * Decimal(settings.PAPER_COMMISSION_USD)).quantize(CENT)
    paper.cum_qty += quantity
    paper.status = "filled" if paper.cum_qty >= paper.quantity else "partially_filled"
    return PaperFill(order=paper, quantity=quantity, price_usd=price_usd, commission_usd=commission, at=at)


def _end(paper: PaperOrder, status: str, reason: str) -> None:
    paper.status, paper.reason = status, reason


def _report(paper: PaperOrder, fills: Iterable[PaperFill]) -> Report:
    told = tuple(
        Fill(
            exec_id=f"paper-{fill.pk}",
            quantity=fill.quantity,
            price_usd=fill.price_usd,
            commission_usd=fill.commission_usd,
            executed_at=fill.at,
        )
        for fill in fills
    )
    return Report(
        client_order_id=paper.client_order_id,
        broker_order_id=f"paper-{paper.pk}",
        status=paper.status,
        raw_status=paper.status,
        fills=told,
        reason=paper.reason,
    )

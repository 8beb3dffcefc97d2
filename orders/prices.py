"""What a symbol cost before an order and since, for a picture: closes of the days before, and the prices that are on
record with the order, each with what it was asked for."""

from datetime import datetime, time
from typing import Any

from django.utils import timezone

from nextrade.errors import Unavailable
from orders import queries, quotes
from orders.models import Order, Status

DAYS = 20
STEPS = 24


def of_order(order: Order, *, at: datetime) -> dict[str, Any]:
    """{"source", "closes": [[t, usd]], "since": [[t, usd]], "marks": [[t, usd, what]], "limit", "stop"}; t in
    milliseconds since 1970. Empty lists where nobody knows."""
    provider = quotes.provider()
    return {
        "source": provider.name,
        "symbol": order.symbol,
        "closes": _closes(order),
        "since": _since(order, at=at),
        "marks": [[_ms(when), float(usd), what] for when, usd, what in _marks(order, at=at)],
        "limit": _float(order.limit_price),
        "stop": _float(order.stop_price),
    }


def _closes(order: Order) -> list[list[float]]:
    try:
        bars = quotes.provider().history(order.symbol, days=DAYS, at=order.created_at)
    except Unavailable:
        return []
    return [[_ms(datetime.combine(bar.day, time(21), order.created_at.tzinfo)), float(bar.close_usd)] for bar in bars]


def _since(order: Order, *, at: datetime) -> list[list[float]]:
    """Prices between the proposal and now, of providers that can still say them: one that answers a question about
    then with a price of later is not listened to."""
    if order.status != Status.PENDING_APPROVAL:
        return []
    step = (at - order.created_at) / STEPS
    seen = [queries.quote(order.symbol, at=order.created_at + step * number) for number in range(STEPS + 1)]
    known = {
        quote.as_of: quote.price_usd
        for number, quote in enumerate(seen)
        if quote and quote.as_of <= order.created_at + step * number
    }
    return [[_ms(when), float(usd)] for when, usd in sorted(known.items())]


def _marks(order: Order, *, at: datetime) -> list[tuple[datetime, Any, str]]:
    """What is on record, oldest first, and the price of now while there is something to decide."""
    found: list[tuple[datetime, Any, str]] = []
    if order.quote_usd is not None:
        found.append((order.created_at, order.quote_usd, "proposed"))
    found += [(row.at, row.quote_usd, "approved") for row in order.approvals.order_by("id")]
    found += [(fill.executed_at, fill.price_usd, "filled") for fill in order.executions.order_by("id")[:STEPS]]
    if order.status == Status.PENDING_APPROVAL:
        seen = queries.quote(order.symbol, at=at)
        found += [(seen.as_of, seen.price_usd, "now")] if seen else []
    return found


def _float(price: Any) -> float | None:
    """A point of a picture; nothing is reckoned with it."""
    return None if price is None else float(price)


def _ms(moment: datetime) -> float:
    return timezone.localtime(moment).timestamp() * 1000 // 1

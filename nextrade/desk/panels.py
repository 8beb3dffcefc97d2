"""What stands beside a conversation, and the figures' data.

A figure's data is a mapping that `desk/figure.html` shows: kind ("line", "bar", "doughnut"), title, says (the figure in
words), labels and values (numbers as text, in the order of labels), unit ("$" or "").
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from agents import costs
from nextrade.desk import shown
from nextrade.desk.shown import gain, share, tone, usd
from orders import queries
from orders.models import Account, EquityDay, Order
from orders.payload import plain
from orders.queries import Portfolio

MOST_ORDERS = 8
CASH = "Cash"
ZERO = Decimal(0)
CENT = Decimal("0.01")


def side(user: User, *, at: datetime) -> dict[str, Any]:
    account = Account.objects.filter(owner=user).first()
    recent = Order.objects.filter(maker=user).prefetch_related("approvals__checker").order_by("-created_at")
    return {
        "orders": [shown.card(order) for order in recent[:MOST_ORDERS]],
        "books": books(account, at=at) if account else None,
        "usage": costs.total(costs.today(at).filter(user=user)),
        "budgets": costs.budgets(user, at=at),
    }


def books(account: Account, *, at: datetime) -> dict[str, Any]:
    """Amounts as text; a missing price is said, not left out."""
    found = queries.portfolio(account, at=at)
    equity = found.equity_usd
    last = EquityDay.objects.filter(account=account, day__lt=at.date()).order_by("-day").first()
    today = None if equity is None or last is None else equity - last.equity_usd
    paper = [holding.unrealized_pnl_usd for holding in found.holdings]
    unrealized = None if None in paper else sum((value for value in paper if value is not None), ZERO)
    return {
        "cash": usd(found.cash_usd),
        "reserved": usd(found.reserved_usd) if found.reserved_usd else "",
        "equity": usd(equity) if equity is not None else "unknown: a price is missing",
        "today": gain(today),
        "today_tone": tone(today),
        "unrealized": gain(unrealized),
        "unrealized_tone": tone(unrealized),
        "positions": _positions(found),
        "allocation": allocation(found),
    }


def allocation(found: Portfolio) -> dict[str, Any]:
    """Where the money is, the largest first."""
    worth = {holding.symbol: holding.market_value_usd or ZERO for holding in found.holdings}
    parts = [(CASH, found.cash_usd), *sorted(worth.items(), key=lambda part: -part[1])]
    parts = [(name, amount) for name, amount in parts if amount > 0]
    whole = sum((amount for _, amount in parts), ZERO)
    return figure("doughnut", "Allocation", parts, says=[f"{name} {share(amount, whole)}" for name, amount in parts])


def equity_chart(user: User, *, days: int) -> dict[str, Any] | None:
    """Each day's end of the last so many days; None while there are fewer than two."""
    since = timezone.now().date() - timedelta(days=days)
    rows = (
        EquityDay.objects.filter(account__owner=user, day__gte=since).order_by("day").values_list("day", "equity_usd")
    )
    points = [(f"{day:%-d %b}", amount) for day, amount in rows]
    if len(points) < 2:
        return None
    (first, start), (last, end) = points[0], points[-1]
    low, high = min(amount for _, amount in points), max(amount for _, amount in points)
    says = [f"From {usd(start)} on {first} to {usd(end)} on {last}", f"lowest {usd(low)}", f"highest {usd(high)}"]
    return figure("line", f"Equity, {len(points)} days", points, says=says)


def figure(
    kind: str, title: str, parts: Sequence[tuple[str, Decimal]], *, says: Sequence[str], unit: str = "$"
) -> dict[str, Any]:
    labels, values = [label for label, _ in parts], [str(value.quantize(CENT)) for _, value in parts]
    drawn = {"kind": kind, "labels": labels, "values": values, "unit": unit}
    rows = [(label, usd(value) if unit == "$" else plain(value)) for label, value in parts]
    return {"title": title, "says": ", ".join(says), "rows": rows, "drawn": drawn}


def _positions(found: Portfolio) -> list[dict[str, str]]:
    whole = found.equity_usd or ZERO
    return [
        {
            "symbol": held.symbol,
            "quantity": plain(held.quantity),
            "cost": usd(held.avg_cost_usd),
            "price": usd(held.quote.price_usd) if held.quote else "no price",
            "value": usd(held.market_value_usd) if held.market_value_usd is not None else "no price",
            "share": share(held.market_value_usd or ZERO, whole),
            "gain": gain(held.unrealized_pnl_usd),
            "tone": tone(held.unrealized_pnl_usd),
            "realized": gain(held.realized_pnl_usd),
            "realized_tone": tone(held.realized_pnl_usd),
            "source": held.quote.source if held.quote else "",
            "as_of": f"{held.quote.as_of:%H:%M} UTC" if held.quote else "",
        }
        for held in found.holdings
        if held.quantity
    ]

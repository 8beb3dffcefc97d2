"""A trader's week: what it brought, what was ordered, what it cost. Weeks are those of ISO 8601, in UTC."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from agents import costs
from agents.models import ModelCall
from compliance.review import Week
from nextrade.desk import panels, shown
from nextrade.desk.access import trader, trader_page
from nextrade.desk.books import fills_shown
from nextrade.desk.shown import gain, tone, usd
from orders import books
from orders.books import Holding
from orders.models import Account, EquityDay, Execution, Order

WEEK = timedelta(days=7)
ZERO = Decimal(0)


@trader_page
def report(request: HttpRequest, week: str = "") -> HttpResponse:
    """A week by its name ("2026-W48"); without one, the week that runs."""
    now = timezone.now()
    running = Week(Week.before(now).start + WEEK)
    try:
        wanted = Week.of(week) if week else running
        before = Week(wanted.start - WEEK)
    except (ValueError, OverflowError) as error:
        raise Http404 from error
    if wanted.start > now:
        raise Http404
    context = {
        "page": "report",
        "week": str(wanted),
        "first": wanted.start,
        "last": wanted.end - timedelta(days=1),
        "before": str(before),
        "after": str(Week(wanted.end)) if wanted.end <= now else "",
        "is_running": wanted.end > now,
    }
    account = Account.objects.filter(owner=trader(request)).first()
    if account:
        context |= {"has_account": True, **_of(account, wanted), **_equity(account, wanted)}
    return render(request, "desk/report.html", context)


def realized_usd(account: Account, week: Week) -> Decimal:
    """What the week's sales brought beyond their average cost, commissions off. Plays all fills until its end again."""
    holdings: dict[str, Holding] = defaultdict(Holding)
    before = ZERO
    for fill in account.executions.filter(executed_at__lt=week.end).order_by("id"):
        then = holdings[fill.symbol]
        now = books.after(
            then,
            side=fill.side,
            quantity=fill.quantity,
            price_usd=fill.price_usd,
            commission_usd=fill.commission_usd,
        )
        holdings[fill.symbol] = now
        if fill.executed_at < week.start:
            before += now.realized_pnl_usd - then.realized_pnl_usd
    return sum((held.realized_pnl_usd for held in holdings.values()), ZERO) - before


def _of(account: Account, week: Week) -> dict[str, Any]:
    fills = list(account.executions.filter(executed_at__gte=week.start, executed_at__lt=week.end).order_by("id"))
    orders = Order.objects.filter(account=account, created_at__gte=week.start, created_at__lt=week.end)
    outcomes = Counter(shown.name(status) for status in orders.values_list("status", flat=True))
    calls = ModelCall.objects.filter(user=account.owner, at__gte=week.start, at__lt=week.end)
    traded = sum((fill.quantity * fill.price_usd for fill in fills), ZERO)
    realized = realized_usd(account, week)
    return {
        "orders": sum(outcomes.values()),
        "fills": fills_shown(fills),
        "traded": usd(traded),
        "commissions": usd(sum((fill.commission_usd for fill in fills), ZERO)),
        "realized": gain(realized),
        "realized_tone": tone(realized),
        "usage": costs.total(calls),
        "outcomes": _outcomes(outcomes),
        "by_symbol": _by_symbol(fills),
    }


def _equity(account: Account, week: Week) -> dict[str, Any]:
    """The change is from the last day's end before the week."""
    rows = EquityDay.objects.filter(account=account, day__lt=week.end.date()).order_by("-day")
    before = rows.filter(day__lt=week.start.date()).first()
    days = list(rows.filter(day__gte=week.start.date()))[::-1]
    if not days:
        return {}
    change = days[-1].equity_usd - before.equity_usd if before else None
    points = [(f"{day.day:%a %-d %b}", day.equity_usd) for day in ([before] if before else []) + days]
    says = [f"{label} {usd(value)}" for label, value in points]
    chart = panels.figure("line", "Equity at each day’s end", points, says=says) if len(points) > 1 else None
    return {"equity": usd(days[-1].equity_usd), "change": gain(change), "change_tone": tone(change), "chart": chart}


def _outcomes(outcomes: Counter[str]) -> dict[str, Any] | None:
    parts = [(name, Decimal(number)) for name, number in outcomes.most_common()]
    says = [f"{name} {number}" for name, number in outcomes.most_common()]
    return panels.figure("doughnut", "What became of the orders", parts, says=says, unit="") if parts else None


def _by_symbol(fills: Iterable[Execution]) -> dict[str, Any] | None:
    traded: dict[str, Decimal] = defaultdict(Decimal)
    for fill in fills:
        traded[fill.symbol] += fill.quantity * fill.price_usd
    parts = sorted(traded.items(), key=lambda part: -part[1])
    says = [f"{symbol} {usd(amount)}" for symbol, amount in parts]
    return panels.figure("bar", "Traded by symbol", parts, says=says) if parts else None

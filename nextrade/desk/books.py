"""A trader's books: what is held, what was ordered, what was filled."""

import csv
import uuid
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from compliance import audit
from compliance.projection import name as username
from compliance.spreadsheet import safe
from nextrade.desk import panels, shown
from nextrade.desk.access import trader, trader_page
from nextrade.desk.shown import gain, tone, usd
from orders.models import OPEN, Account, Execution, Order, Position, Status
from orders.payload import plain

RANGES = (30, 90, 365)
PAGE = 25
KINDS = (("", "all"), ("open", "open"), ("filled", "filled"), ("ended", "ended without a fill"))
WHEN = {"P": "proposal", "A": "approval", "X": "sending"}
COLUMNS = ("executed_at", "exec_id", "order_id", "symbol", "side", "quantity", "price_usd", "commission_usd", "broker")


@trader_page
def portfolio(request: HttpRequest) -> HttpResponse:
    user, at = trader(request), timezone.now()
    account = Account.objects.filter(owner=user).first()
    wanted = request.GET.get("days", "")
    days = int(wanted) if wanted in map(str, RANGES) else RANGES[1]
    context = {"days": days, "ranges": RANGES, "chart": panels.equity_chart(user, days=days), "page": "portfolio"}
    if account:
        context |= {"books": panels.books(account, at=at), **_earned(account)}
    return render(request, "desk/portfolio.html", context)


@trader_page
def orders(request: HttpRequest) -> HttpResponse:
    """A person's orders, newest first, a page at a time."""
    kind, symbol = request.GET.get("kind", ""), request.GET.get("symbol", "").strip().upper()[:12]
    rows = Order.objects.filter(account__owner=trader(request)).prefetch_related("approvals__checker")
    rows = _of_kind(rows, kind)
    rows = rows.filter(symbol=symbol) if symbol else rows
    page, older = _page(rows.order_by("-created_at", "-id"), "created_at", request.GET.get("before", ""))
    cards = [(shown.card(order), order) for order in page]
    context = {"cards": cards, "older": older, "kind": kind, "symbol": symbol, "kinds": KINDS, "page": "orders"}
    return render(request, "desk/orders.html", context)


@trader_page
def order(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """One order with its checks, decisions, fills and moves."""
    rows = Order.objects.prefetch_related("approvals__checker", "executions")
    found = get_object_or_404(rows, pk=order_id, maker=trader(request))
    history = [
        {**move, "who": username(move["actor"]), "what": _plain(move["action"])} for move in audit.history(found.pk)
    ]
    checks = [{**check, "words": _plain(check["code"]), "when": WHEN[check["phase"]]} for check in found.checks]
    fills = fills_shown(found.executions.all())
    context = {"card": shown.card(found), "order": found, "history": history, "checks": checks, "fills": fills}
    context |= {"failed": [check for check in checks if not check["passed"]]}
    context |= {"filled": f"{plain(found.cum_qty)} of {plain(found.quantity)}", "page": "orders"}
    return render(request, "desk/order.html", context)


@trader_page
def executions(request: HttpRequest) -> HttpResponse:
    symbol = request.GET.get("symbol", "").strip().upper()[:12]
    rows, older = _page(_fills(request, symbol), "executed_at", request.GET.get("before", ""))
    context = {"fills": fills_shown(rows), "older": older, "symbol": symbol, "page": "executions"}
    return render(request, "desk/executions.html", context)


@trader_page
def executions_csv(request: HttpRequest) -> HttpResponse:
    """All of a person's fills, newest first (RFC 4180), with nothing in it that a spreadsheet would run."""
    rows = _fills(request, request.GET.get("symbol", "").strip().upper()[:12])
    response = StreamingHttpResponse(_csv(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="executions-{timezone.now():%Y-%m-%d}.csv"'
    return response  # type: ignore[return-value]  # every middleware knows what streams


def fills_shown(rows: Iterable[Execution]) -> list[dict[str, Any]]:
    return [
        {
            "row": row,
            "quantity": plain(row.quantity),
            "price": usd(row.price_usd),
            "total": usd(row.quantity * row.price_usd),
            "commission": usd(row.commission_usd),
        }
        for row in rows
    ]


class _Line:
    """A file for csv.writer that gives each line back."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: QuerySet[Execution]) -> Iterator[str]:
    table = csv.writer(_Line(), quoting=csv.QUOTE_ALL)  # a locale that splits at ; too
    yield table.writerow(COLUMNS)
    for row in rows.iterator(chunk_size=1000):
        cells = (row.executed_at.isoformat(), row.exec_id, str(row.order_id), row.symbol, row.side)
        numbers = (plain(row.quantity), plain(row.price_usd), plain(row.commission_usd))
        yield table.writerow([safe(cell) for cell in (*cells, *numbers, row.broker)])


def _fills(request: HttpRequest, symbol: str) -> QuerySet[Execution]:
    rows = Execution.objects.filter(account__owner=trader(request))
    rows = rows.filter(symbol=symbol) if symbol else rows
    return rows.order_by("-executed_at", "-id")


def _page(rows: QuerySet[Any], moment: str, before: str) -> tuple[list[Any], Any]:
    """So many rows older than the one of that id, and the id to go on from; an id that is not there begins anew."""
    last = rows.filter(pk=before).first() if _is_id(before, rows) else None
    if last is not None:
        then = getattr(last, moment)
        rows = rows.filter(Q(**{f"{moment}__lt": then}) | Q(**{moment: then, "pk__lt": last.pk}))
    found = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].pk if len(found) > PAGE else None


def _is_id(text: str, rows: QuerySet[Any]) -> bool:
    try:
        rows.model._meta.pk.to_python(text)
    except ValidationError:
        return False
    return bool(text)


def _of_kind(rows: QuerySet[Order], kind: str) -> QuerySet[Order]:
    match kind:
        case "open":
            return rows.filter(status__in=OPEN)
        case "filled":
            return rows.filter(status=Status.FILLED)
        case "ended":
            return rows.exclude(status__in=(*OPEN, Status.FILLED))
    return rows


def _earned(account: Account) -> dict[str, str]:
    """Since the account was opened: by sales beyond their cost, and what was paid in and in commissions."""
    realized = Position.objects.filter(account=account).aggregate(total=Sum("realized_pnl_usd"))["total"] or Decimal(0)
    paid_in = account.transfers.aggregate(total=Sum("amount_usd"))["total"] or Decimal(0)
    commissions = account.executions.aggregate(total=Sum("commission_usd"))["total"] or Decimal(0)
    return {
        "realized": gain(realized),
        "realized_tone": tone(realized),
        "paid_in": usd(paid_in),
        "commissions": usd(commissions),
    }


def _plain(word: str) -> str:
    """A code as words."""
    return word.replace("_", " ").capitalize()

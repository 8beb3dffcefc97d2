"""All that a model may call: reads, a proposal, and taking a proposal back. Nothing here approves, sends or moves
money.

Who asks comes from the run's context and is no argument; amounts come as text and are read by `orders`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from django.utils import timezone
from langchain.tools import ToolRuntime
from pydantic import BeforeValidator

from agents import extraction, followups, grounding, sources
from agents.indicators import MOST_BARS, PERIODS, indicators
from agents.models import Message
from agents.sources.base import Source
from agents.turn import Turn, prompts_sha256
from nextrade.errors import Invalid, Missing
from orders import codes, instruments, queries, quotes, services
from orders.models import AT_BROKER, COMMITTED, OPEN, Account, Execution, Order, Side, Status
from orders.payload import plain
from orders.services import Request

Row = TypeVar("Row", bound=Model)
Runtime = ToolRuntime[Turn, Any]
Text = Annotated[str, BeforeValidator(str)]
"""A string even where a model sends a number."""
MAX_ROWS, MOST_HELD = 25, 30
"""What fits into `limits.MAX_RESULT`."""
MAX_DAYS, MAX_DAYS_BACK = 365, 3_660
WEEKDAYS = 262
"""The most that MAX_DAYS and the day before them may have."""
MAX_QUERY = 200
BOOKS = "books"
ASKED_STATUS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        **{status: (status,) for status in Status.values},
        "open": OPEN,
        "approved": (*COMMITTED, Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.REJECTED),
        "submitted": AT_BROKER,
        "canceled": (Status.CANCELED, Status.WITHDRAWN),
        "rejected": (Status.REJECTED, Status.DENIED, Status.DECLINED),
        "expired": (Status.EXPIRED, Status.LAPSED),
    }
)
"""What a person who names a status means by it."""


def lookup_symbol(company: str) -> str:
    """Find the ticker symbol of a company by its name or symbol. Exact names only: it never guesses."""
    found = instruments.resolve(company)
    if found is None:
        raise Missing(f"no instrument is known as {company[:60]!r}", code="instrument_not_found")
    return _json({"symbol": found.symbol, "name": found.name, "sector": found.sector})


def get_quote(symbol: str) -> str:
    """The latest price of a symbol in USD, with its source and time."""
    instrument = _instrument(symbol)
    quote = quotes.provider().latest(instrument.symbol, at=timezone.now())
    return _json(
        {
            "symbol": quote.symbol,
            "name": instrument.name,
            "price_usd": plain(quote.price_usd),
            "as_of": quote.as_of,
            "source": quote.source,
        }
    )


def get_price_history(symbol: str, days: int = 30) -> str:
    """Closing prices of the last calendar days (1 to 365), oldest first, with change, high, low, and indicators: moving
    averages (SMA, EMA), RSI, MACD, volatility and draw-down."""
    instrument = _instrument(symbol)
    provider = quotes.provider()
    now = timezone.now()
    all_bars = provider.history(instrument.symbol, days=WEEKDAYS, at=now)
    asked = max(1, min(days, MAX_DAYS))
    bars = [bar for bar in all_bars if bar.day >= now.date() - timedelta(days=asked)]
    bars = bars if len(bars) > 1 else list(all_bars[-2:])
    closes = [bar.close_usd for bar in bars]
    settled = indicators([bar.close_usd for bar in all_bars[-MOST_BARS:]])
    settled["drawdown_pct"] = indicators(closes)["drawdown_pct"]
    return _json(
        {
            "symbol": instrument.symbol,
            "name": instrument.name,
            "days": asked,
            "from": bars[0].day,
            "to": bars[-1].day,
            "first_usd": plain(closes[0]),
            "last_usd": plain(closes[-1]),
            "change_pct": plain(((closes[-1] / closes[0] - 1) * 100).quantize(Decimal("0.01"))),
            "high_usd": plain(max(closes)),
            "low_usd": plain(min(closes)),
            "indicators": settled,
            "indicator_days": PERIODS,
            "closes_usd": [plain(close) for close in closes[-10:]],
            "as_of": bars[-1].day,
            "source": provider.name,
        }
    )


def get_company_profile(symbol: str) -> str:
    """A company's name, sector and currency from the instrument reference."""
    instrument = _instrument(symbol)
    facts = {"symbol": instrument.symbol, "name": instrument.name, "sector": instrument.sector}
    return _json({**facts, "currency": instrument.currency, "source": "instrument reference"})


def search_news(query: str, runtime: Runtime) -> str:
    """Search recent news. Gives each article's number for a citation ([1]), sentiment, tickers and figures; the person
    sees title and link beside the answer."""
    return _search(sources.news(), query, runtime.context)


def search_web(query: str, runtime: Runtime) -> str:
    """Search the web. Gives the same of each page as search_news does of an article."""
    return _search(sources.web(), query, runtime.context)


def get_portfolio(runtime: Runtime, symbol: str = "") -> str:
    """The person's cash, reserved cash, equity and positions with profit and loss, in USD, the largest positions first;
    also what closed positions have made. symbol: of this ticker alone."""
    account, now = _account(runtime), timezone.now()
    books = queries.portfolio(account, at=now)
    wanted = _instrument(symbol).symbol if symbol else ""
    held = [holding for holding in books.holdings if wanted in ("", holding.symbol)]
    closed = _narrowed(account.positions.filter(quantity=0), wanted, "")
    return _json(
        {
            "cash_usd": books.cash_usd,
            "reserved_usd": books.reserved_usd,
            "free_usd": books.cash_usd - books.reserved_usd,
            "equity_usd": books.equity_usd,
            "pnl_usd": sum((_pnl(holding) for holding in held), Decimal(0)),
            "closed_pnl_usd": sum(closed.values_list("realized_pnl_usd", flat=True), Decimal(0)),
            **_largest(held),
            "source": BOOKS,
            "as_of": now,
        }
    )


def get_positions(runtime: Runtime) -> str:
    """The person's positions alone, from the books, the largest first."""
    now = timezone.now()
    return _json({**_largest(queries.holdings(_account(runtime), at=now)), "source": BOOKS, "as_of": now})


def get_performance(runtime: Runtime, days: int = 30) -> str:
    """What the person's account has gained or lost in the last calendar days: its equity at the end of the day before
    them and now, and what was paid in meanwhile, in USD. days: 1 for today alone."""
    now = timezone.now()
    change = queries.equity_change(_account(runtime), days=max(1, min(days, MAX_DAYS)), at=now)
    return _json(
        {
            "since": change.since,
            "equity_then_usd": change.then_usd,
            "paid_in_usd": change.paid_in_usd,
            "equity_usd": change.now_usd,
            "gain_usd": change.gain_usd,
            "gain_pct": change.gain_pct,
            "source": BOOKS,
            "as_of": now,
        }
    )


def propose_order(
    symbol: str,
    side: str,
    quantity: Text,
    runtime: Runtime,
    order_type: str = "market",
    limit_price: Text = "",
    stop_price: Text = "",
    time_in_force: str = "day",
    rationale: str = "",
) -> str:
    """Propose an order. It is not sent: a second person must approve it first. One call is one order.

    side: buy or sell. quantity: shares, as the person said. order_type: market, limit, stop or stop_limit, with
    limit_price and stop_price in USD where it has them. time_in_force: day, gtc, ioc or fok. rationale: one sentence
    on why the person wants it.
    """
    turn = runtime.context
    arguments = json.dumps([symbol, side, quantity, order_type, limit_price, stop_price, time_in_force])
    is_grounded = any(
        grounding.is_grounded(
            words,
            facts=turn.facts,
            symbol=symbol,
            side=side,
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
        )
        for words in _own_words(turn)
    )
    order = services.propose(
        Request(
            key=_key(turn, runtime.tool_call_id, arguments),
            symbol=symbol,
            side=side,
            quantity=quantity,
            order_type=order_type,
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=time_in_force,
            is_tainted=not is_grounded or turn.evidence.has_outside,
            rationale=rationale,
            words=turn.words,
            model=turn.model,
            thread_id=turn.thread_id,
            turn_id=turn.turn_id,
            grounds={"prompts_sha256": prompts_sha256(), "tool_results": list(turn.results)},
        ),
        owner=turn.owner,
        by="agent:portfolio",
        at=timezone.now(),
    )
    turn.tell("order", {"order_id": order.pk, "status": order.status, "symbol": order.symbol, "side": order.side})
    return _json(_order(order))


def withdraw_order(order_id: str, runtime: Runtime) -> str:
    """Take an order of this person back: withdrawn when it was not sent yet, else the broker is asked to cancel it."""
    try:
        wanted = UUID(order_id)
    except ValueError as error:
        raise Invalid("that is not an order id", code="order_not_found") from error
    return _json(_order(services.cancel(wanted, owner=runtime.context.owner, by="agent:portfolio", at=timezone.now())))


def list_orders(
    runtime: Runtime, status: str = "", symbol: str = "", side: str = "", days: int = 0, limit: int = 10
) -> str:
    """The person's orders, newest first.

    status: a status; "open" for all that are not over, "approved" for all that were, "submitted" for those at the
    broker, "canceled" for withdrawn ones too, "rejected" for denied and declined ones too, "expired" for lapsed ones
    too. symbol: a ticker. side: buy or sell. days: proposed in the last so many days (UTC), of which today is one; 0
    for all.
    """
    now = timezone.now()
    orders = _narrowed(_mine(runtime), symbol, side).order_by("-created_at", "-id")
    if status and status not in ASKED_STATUS:
        raise Invalid(f"a status is one of {', '.join(ASKED_STATUS)}")
    if status:
        orders = orders.filter(status__in=ASKED_STATUS[status])
    if since := _since(days, now):
        orders = orders.filter(created_at__gte=since)
    rows, has_more = _newest(orders, limit)
    about = {"has_more": has_more, "since": since and since.date(), "source": BOOKS, "as_of": now}
    return _json({**about, "orders": [_decided(order) for order in rows]})


def get_order(order_id: str, runtime: Runtime) -> str:
    """One order of this person with its fills."""
    try:
        order = _mine(runtime).get(pk=UUID(order_id))
    except (ValueError, Order.DoesNotExist) as error:
        raise Missing("there is no such order", code="order_not_found") from error
    fills = [_execution(fill) for fill in order.executions.order_by("id")]
    return _json({**_decided(order), "executions": fills, "source": BOOKS, "as_of": timezone.now()})


def list_executions(runtime: Runtime, symbol: str = "", side: str = "", days: int = 0, limit: int = 10) -> str:
    """The person's fills, newest first. symbol: a ticker. side: buy or sell. days: of the last so many days (UTC), of
    which today is one; 0 for all."""
    now = timezone.now()
    mine = Execution.objects.filter(account__owner=runtime.context.owner)
    fills = _narrowed(mine, symbol, side).order_by("-executed_at", "-id")
    if since := _since(days, now):
        fills = fills.filter(executed_at__gte=since)
    rows, has_more = _newest(fills, limit)
    about = {"has_more": has_more, "since": since and since.date(), "source": BOOKS, "as_of": now}
    return _json({**about, "executions": [_execution(fill) for fill in rows]})


def _search(source: Source, query: str, turn: Turn) -> str:
    """What the quarantine lets through of a source's articles."""
    found = []
    for article in source.search(" ".join(query.split())[:MAX_QUERY]):
        extract = extraction.extract(article)
        found.append(
            {
                "n": turn.evidence.cite(article, source=source.name, about=query),
                "published": article.published_at,
                "sentiment": extract.sentiment,
                "tickers": extract.tickers,
                "figures": extract.numbers,
            }
        )
    return _json({"source": source.name, "as_of": timezone.now(), "articles": found})


def _key(turn: Turn, tool_call_id: str | None, arguments: str) -> str:
    """Names one tool call of one turn. The arguments are part of it, since some providers use an id for two calls."""
    digest = UUID(bytes=hashlib.sha256(arguments.encode()).digest()[:16])
    return f"{turn.thread_id}:{turn.turn_id}:{(tool_call_id or '')[:64]}:{digest}"


def _own_words(turn: Turn) -> Iterator[str]:
    """What the person said in this turn, and what it completes of what they said before ("buy KO", "10")."""
    yield turn.words
    if len(turn.words.split()) <= followups.MOST_WORDS:
        said = Message.objects.filter(thread_id=turn.thread_id, role=Message.Role.USER).exclude(turn_id=turn.turn_id)
        before = said.order_by("-id").values_list("content", flat=True).first()
        if both := followups.completed(before or "", turn.words):
            yield both


def _instrument(symbol: str) -> instruments.Instrument:
    found = instruments.find(symbol)
    if found is None:
        raise Missing(f"no instrument has the symbol {symbol[:20]!r}", code="instrument_not_found")
    return found


def _account(runtime: Runtime) -> Account:
    account = Account.objects.filter(owner=runtime.context.owner).first()
    if account is None:
        raise Missing("this person has no trading account", code="account_not_authorized")
    return account


def _order(order: Order) -> dict[str, Any]:
    hard = codes.Severity.HARD.value
    failed = [check for check in order.checks if not check["passed"] and check["severity"] == hard]
    return {
        "order_id": order.pk,
        "status": order.status,
        "side": order.side,
        "quantity": plain(order.quantity),
        "symbol": order.symbol,
        "order_type": order.order_type,
        "limit_price": order.limit_price and plain(order.limit_price),
        "time_in_force": order.time_in_force,
        "estimated_usd": order.notional_usd and plain(order.notional_usd),
        "filled": plain(order.cum_qty),
        "avg_px": order.avg_px and plain(order.avg_px),
        "created_at": order.created_at,
        "denied": [{"code": check["code"], "why": _why(check)} for check in failed],
    }


def _narrowed(rows: QuerySet[Row], symbol: str, side: str) -> QuerySet[Row]:
    """Those of a symbol and a side; "" for any."""
    if side and side.lower() not in Side.values:
        raise Invalid(f"a side is one of {', '.join(Side.values)}", code="invalid_side")
    wanted = {"symbol": _instrument(symbol).symbol if symbol else "", "side": side.lower()}
    return rows.filter(**{name: value for name, value in wanted.items() if value})


def _since(days: int, now: datetime) -> datetime | None:
    """When the first of the last so many days began, of which today is one; None for 0."""
    if days < 1:
        return None
    return datetime.combine(now.date() - timedelta(days=min(days, MAX_DAYS_BACK) - 1), time(0), now.tzinfo)


def _newest(rows: QuerySet[Row], limit: int) -> tuple[list[Row], bool]:
    """The first rows, as many as may be shown, and whether there are more."""
    most = max(1, min(limit, MAX_ROWS))
    found = list(rows[: most + 1])
    return found[:most], len(found) > most


def _mine(runtime: Runtime) -> QuerySet[Order]:
    return Order.objects.filter(maker=runtime.context.owner).prefetch_related("approvals__checker")


def _decided(order: Order) -> dict[str, Any]:
    return {**_order(order), "approved_by": [approval.checker.username for approval in order.approvals.all()]}


def _why(check: dict[str, Any]) -> str:
    meaning = codes.MEANING[codes.Code(check["code"])]
    return f"{meaning} (allowed: {check['limit']}; this: {check['actual']})"


def _pnl(holding: queries.Holding) -> Decimal:
    """Realized, and unrealized where there is a price."""
    return holding.realized_pnl_usd + (holding.unrealized_pnl_usd or 0)


def _largest(held: Sequence[queries.Holding]) -> dict[str, Any]:
    """As many positions as fit into a result, and whether there are more."""
    ordered = sorted(held, key=lambda holding: -(holding.market_value_usd or 0))
    return {"has_more": len(held) > MOST_HELD, "positions": [_holding(holding) for holding in ordered[:MOST_HELD]]}


def _holding(holding: queries.Holding) -> dict[str, Any]:
    quote = holding.quote
    return {
        "symbol": holding.symbol,
        "quantity": plain(holding.quantity),
        "avg_cost_usd": holding.avg_cost_usd,
        "price_usd": quote and plain(quote.price_usd),
        "market_value_usd": holding.market_value_usd,
        "unrealized_pnl_usd": holding.unrealized_pnl_usd,
        "realized_pnl_usd": holding.realized_pnl_usd,
        "pnl_usd": _pnl(holding),
        "as_of": quote and quote.as_of,
        "source": quote and quote.source,
    }


def _execution(fill: Execution) -> dict[str, Any]:
    return {
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": plain(fill.quantity),
        "price_usd": plain(fill.price_usd),
        "executed_at": fill.executed_at,
        "order_id": fill.order_id,
    }


def _json(value: dict[str, Any]) -> str:
    """Decimals, dates and ids as strings, amounts to the cent."""
    return json.dumps(value, default=_plain)


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)

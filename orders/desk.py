"""What the checks ask of the small tables: halts, the restricted list, breaks, the firm's open buys, the equity's past.

Context: nine questions before each proposal, approval and send, of which none brings back more than a number; the ORM
takes six times as long to write one as the database to answer it. Choice: one statement by hand, for both databases.
Cost: SQL that must follow the models; `tests/orders/test_cost.py` holds it to what the ORM says.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, models

from compliance import policy
from orders.load import IN_OPEN
from orders.models import Side, TradingState

BREAKER = "system:breaker"
DAY = timedelta(days=1)
MILLIONTH = Decimal("0.000001")
NO_ORDER = uuid.UUID(int=0)
_HERE = """lifted_at IS NULL AND (until IS NULL OR until > %(at)s)
AND (symbol = '' AND (account_id IS NULL OR account_id = %(account)s) OR symbol = %(symbol)s AND account_id IS NULL)"""
_DAYS = "FROM orders_equityday WHERE account_id = %(account)s AND day < %(day)s"
_LIFTED = (
    f"SELECT date(MAX(lifted_at)) FROM orders_tradingstate WHERE account_id = %(account)s AND set_by = '{BREAKER}'"
)


def _reason(state: TradingState.State) -> str:
    return f"(SELECT reason FROM orders_tradingstate WHERE state = '{state}' AND {_HERE} ORDER BY id LIMIT 1)"


ASK = f"""
SELECT {_reason(TradingState.State.HALTED)}, {_reason(TradingState.State.REDUCING)}, {policy.IS_RESTRICTED},
(SELECT COUNT(*) FROM orders_break WHERE resolved_at IS NULL AND (account_id = %(account)s OR account_id IS NULL)),
(SELECT SUM((quantity - cum_qty) * reserve_price_usd) FROM orders_order
    WHERE {IN_OPEN} AND side = '{Side.BUY}' AND id <> %(order)s),
(SELECT COUNT(*) FROM orders_order
    WHERE account_id = %(account)s AND id <> %(order)s AND created_at > %(day_ago)s AND created_at <= %(at)s),
(SELECT SUM(amount_usd) FROM orders_cashtransfer WHERE account_id = %(account)s),
(SELECT equity_usd {_DAYS} ORDER BY day DESC LIMIT 1),
(SELECT MAX(equity_usd) {_DAYS} AND day >= COALESCE(({_LIFTED}), '0001-01-01'))"""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Around an order, at one moment. *_reason: of the oldest state that holds, empty where there is none.

    firm_open_usd: reckoned for the open buys of all accounts but this one order. last_day: other orders of the account
    in the 24 hours before. start_usd: equity at the last day's end, peak_usd: the most since a breaker was last lifted;
    before the first day's end both are what was paid in.
    """

    halt_reason: str
    reducing_reason: str
    is_restricted: bool
    open_breaks: int
    firm_open_usd: Decimal
    last_day: int
    start_usd: Decimal
    peak_usd: Decimal


def read(account_id: int, *, symbol: str = "", but: uuid.UUID | None = None, at: datetime) -> Desk:
    """The desk as a symbol and an account find it. but: the order that is not to count."""
    given = {
        "account": account_id,
        "symbol": symbol,
        "order": _stored(models.UUIDField(), but or NO_ORDER),
        "at": _stored(models.DateTimeField(), at),
        "day_ago": _stored(models.DateTimeField(), at - DAY),
        "day": _stored(models.DateField(), at.date()),
    }
    with connection.cursor() as cursor:
        cursor.execute(ASK, given)
        halted, reducing, is_restricted, breaks, firm_open, last_day, paid_in, last, peak = cursor.fetchone()
    start_usd = _usd(paid_in if last is None else last)
    return Desk(
        halt_reason=halted or "",
        reducing_reason=reducing or "",
        is_restricted=bool(is_restricted),
        open_breaks=breaks,
        firm_open_usd=_usd(firm_open),
        last_day=last_day,
        start_usd=start_usd,
        peak_usd=start_usd if peak is None else _usd(peak),
    )


def _stored(field: "models.Field[Any, Any]", value: Any) -> Any:
    return field.get_db_prep_value(value, connection)


def _usd(amount: Decimal | float | None) -> Decimal:
    """SQLite gives sums and decimals as floats."""
    if amount is None:
        return Decimal(0)
    return amount if isinstance(amount, Decimal) else Decimal(str(amount)).quantize(MILLIONTH)

"""What an account's other orders weigh on a new one.

Context: six checks look at an account's open orders and at those of its last minute. Choice: read these rows once and
reckon in Python. Cost: as many rows as the account has orders open, or placed just before, which limits bound.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db.models import BooleanField
from django.db.models.expressions import RawSQL

from orders.models import COMMITTED, OPEN, Order, Side, Status

DEAD = (
    Status.DENIED,
    Status.DECLINED,
    Status.WITHDRAWN,
    Status.LAPSED,
    Status.CANCELED,
    Status.EXPIRED,
    Status.REJECTED,
)
MINUTE = timedelta(minutes=1)
IN_OPEN = f"status IN ({', '.join(repr(str(status)) for status in OPEN)})"
IS_OPEN = RawSQL(IN_OPEN, (), output_field=BooleanField())
"""In letters, and asked unsorted and apart from the rest: with parameters, ORDER BY or OR, SQLite leaves the index of
open orders alone and reads all that the account ever placed."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """committed_usd, waiting_usd: reckoned for open buys, approved and not. selling: shares of the symbol on sale.
    last_minute: orders placed before this one. duplicate_id: one alike; opposite_id: one on the other side."""

    committed_usd: Decimal
    waiting_usd: Decimal
    selling: Decimal
    last_minute: int
    duplicate_id: str
    opposite_id: str


class Row(NamedTuple):
    id: uuid.UUID
    status: str
    symbol: str
    side: str
    quantity: Decimal
    order_type: str
    limit_price: Decimal | None
    stop_price: Decimal | None
    created_at: datetime
    cum_qty: Decimal
    reserve_price_usd: Decimal | None

    @property
    def left(self) -> Decimal:
        return self.quantity - self.cum_qty

    @property
    def reserved_usd(self) -> Decimal:
        return self.left * (self.reserve_price_usd or 0)


def of_account(order: Order, *, duplicate_window: timedelta) -> Load:
    """Weigh the other orders of `order`'s account; those placed after it count only while they are open."""
    placed = order.created_at
    others = Order.objects.filter(account=order.account_id).exclude(pk=order.pk).values_list(*Row._fields)
    recent = others.filter(created_at__gt=placed - max(MINUTE, duplicate_window), created_at__lte=placed)
    found = map(Row._make, others.filter(IS_OPEN).union(recent))
    rows = sorted(found, key=lambda row: (row.created_at, row.id))
    open_rows = [row for row in rows if row.status in OPEN]
    buys = [row for row in open_rows if row.side == Side.BUY]

    def since(age: timedelta) -> list[Row]:
        return [row for row in rows if placed - age < row.created_at <= placed]

    return Load(
        committed_usd=sum((row.reserved_usd for row in buys if row.status in COMMITTED), Decimal(0)),
        waiting_usd=sum((row.reserved_usd for row in buys if row.status == Status.PENDING_APPROVAL), Decimal(0)),
        selling=sum(
            (row.left for row in open_rows if row.side == Side.SELL and row.symbol == order.symbol), Decimal(0)
        ),
        last_minute=len(since(MINUTE)),
        duplicate_id=_first(since(duplicate_window), lambda row: row.status not in DEAD and _is_alike(row, order)),
        opposite_id=_first(open_rows, lambda row: row.symbol == order.symbol and row.side != order.side),
    )


def _is_alike(row: Row, order: Order) -> bool:
    alike = ("symbol", "side", "quantity", "order_type", "limit_price", "stop_price")
    return all(getattr(row, field) == getattr(order, field) for field in alike)


def _first(rows: Sequence[Row], is_meant: Callable[[Row], bool]) -> str:
    return next((str(row.id) for row in rows if is_meant(row)), "")

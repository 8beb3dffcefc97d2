"""The canonical order: the bytes that are shown, approved and sent, and their SHA-256."""

import hashlib
from decimal import Decimal

import rfc8785

from orders.models import Order


def sha256(order: Order) -> str:
    """SHA-256 of the canonical order, 64 hexadecimal digits. Source: RFC 8785 for the bytes."""
    return hashlib.sha256(canonical(order)).hexdigest()


def canonical(order: Order) -> bytes:
    """What the broker would be told, as RFC 8785 JSON; numbers as strings of decimals without trailing zeros."""
    return rfc8785.dumps(
        {
            "client_order_id": order.client_order_id,
            "account": order.account_id,
            "symbol": order.symbol,
            "side": str(order.side),
            "quantity": plain(order.quantity),
            "order_type": str(order.order_type),
            "limit_price": None if order.limit_price is None else plain(order.limit_price),
            "stop_price": None if order.stop_price is None else plain(order.stop_price),
            "time_in_force": str(order.time_in_force),
            "currency": "USD",
        }
    )


def plain(number: Decimal) -> str:
    """A decimal as people write it: no exponent, no trailing zeros."""
    return f"{number.normalize():f}"

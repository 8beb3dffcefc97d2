"""What a quote provider promises. To add one, copy simulated.py and name it in `orders.quotes.PROVIDERS`."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from nextrade.errors import Unavailable


class QuoteMissing(Unavailable):
    code = "no_market_data"


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The last known price. as_of: when it was true (aware UTC), source: who said so."""

    symbol: str
    price_usd: Decimal
    as_of: datetime
    source: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One trading day's closing price."""

    day: date
    close_usd: Decimal


class QuoteProvider(Protocol):
    name: str

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        """The newest quote at a moment. Raises QuoteMissing for a symbol that the provider does not know."""

    def several(self, symbols: Sequence[str], *, at: datetime) -> Mapping[str, Quote]:
        """Those of the symbols that have a quote; one question where the source answers several at once. Raises
        QuoteMissing where it cannot be asked."""

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        """Closing prices of the last `days` trading days before a moment, oldest first. Raises QuoteMissing."""


def one_by_one(provider: QuoteProvider, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
    """`several` of a source that is asked for one at a time."""
    found = {}
    for symbol in symbols:
        with contextlib.suppress(QuoteMissing):
            found[symbol] = provider.latest(symbol, at=at)
    return found

"""Made-up prices that look like a market's: the same for everyone, fixed by symbol and minute, no network.

A price is the reference price times a sum of slow and fast waves whose phases come from the symbol's hash, so any
moment can be computed without the ones before it.
"""

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal

from orders import instruments
from orders.quotes.base import Bar, Quote, QuoteMissing, one_by_one

CENT = Decimal("0.01")
WAVES = ((0.11, 97.0), (0.06, 41.0), (0.03, 13.0), (0.012, 3.7), (0.004, 0.9), (0.0012, 0.13), (0.0004, 0.021))
"""(amplitude as a share of the price, period in days)"""
CLOSE = time(21, 0)


class SimulatedQuotes:
    name = "simulated"

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        minute = at.replace(second=0, microsecond=0)
        return Quote(symbol=symbol, price_usd=_price(symbol, minute), as_of=minute, source=self.name)

    def several(self, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
        return one_by_one(self, symbols, at=at)

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        bars: list[Bar] = []
        day = at.date()
        while len(bars) < days:
            day -= timedelta(days=1)
            if day.weekday() < 5:
                bars.append(Bar(day=day, close_usd=_price(symbol, datetime.combine(day, CLOSE, at.tzinfo))))
        return tuple(reversed(bars))


def _price(symbol: str, at: datetime) -> Decimal:
    instrument = instruments.find(symbol)
    if instrument is None:
        raise QuoteMissing(f"there is no quote for {symbol}")
    days = at.timestamp() / 86_400
    seed = hashlib.sha256(instrument.symbol.encode()).digest()
    level = sum(
        amplitude * math.sin(math.tau * (days / period + seed[number] / 256))
        for number, (amplitude, period) in enumerate(WAVES)
    )
    return (instrument.reference_price_usd * Decimal(repr(math.exp(level)))).quantize(CENT)

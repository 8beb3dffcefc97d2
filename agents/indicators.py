"""What a row of closing prices says, by TA-Lib. numpy comes with it, so both are imported at first use."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

MOST_BARS = 250
"""Enough for every indicator here to have settled; more than that changes no digit."""
TRADING_DAYS = 252
PERIODS = "averages 20 and 50, RSI 14, MACD 12, 26 and 9, volatility 20"
CENT = Decimal("0.01")


def indicators(closes_usd: Sequence[Decimal]) -> dict[str, str]:
    """Indicators at the last close, rounded to the cent or to the hundredth of a percent. What needs more closes than
    there are is left out.

    closes_usd: oldest first, one for each trading day. sma, ema and macd in dollars, rsi from 0 to 100, volatility_pct:
    the standard deviation of 20 daily returns, for a year. drawdown_pct: the deepest fall from a high, below zero.
    """
    import numpy
    import talib

    closes = numpy.array([float(close) for close in closes_usd])
    returns = closes[1:] / closes[:-1] - 1
    macd, signal, _ = talib.MACD(closes, 12, 26, 9)
    found = {
        "sma_20_usd": _last(talib.SMA(closes, 20)),
        "sma_50_usd": _last(talib.SMA(closes, 50)),
        "ema_20_usd": _last(talib.EMA(closes, 20)),
        "rsi_14": _last(talib.RSI(closes, 14)),
        "macd_usd": _last(macd),
        "macd_signal_usd": _last(signal),
        "volatility_pct": numpy.std(returns[-20:], ddof=1) * TRADING_DAYS**0.5 * 100 if len(returns) >= 20 else None,
        "drawdown_pct": float((closes / numpy.maximum.accumulate(closes) - 1).min()) * 100,
    }
    return {name: str(Decimal(repr(float(value))).quantize(CENT)) for name, value in found.items() if value is not None}


def _last(values: Any) -> float | None:
    """The newest value; None where the row is too short (TA-Lib says NaN)."""
    last = float(values[-1]) if len(values) else float("nan")
    return last if last == last else None

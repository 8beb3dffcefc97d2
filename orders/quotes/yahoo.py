"""Yahoo's prices, by yfinance: no key, no promise, for research and demonstrations.

Context: yfinance asks up to seven pages for one price (cookie, consent, crumb, twice the chart), each with a timeout of
its own, up to 30 s. Choice: a session of ours that shares DEADLINE_S among all pages of one call. Cost: a session class
that follows curl_cffi's. pandas comes with it and takes a second, so everything is imported at the first quote.
"""

import functools
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from orders import instruments
from orders.quotes.base import Bar, Quote, QuoteMissing, one_by_one

DEADLINE_S = 12.0
PAGE_S = 5.0
ABOUT = ("currency", "regularMarketPrice", "regularMarketTime")
MILLIONTH = Decimal("0.000001")
_call = threading.local()


class YahooQuotes:
    name = "yahoo"

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        _, about = _chart(symbol, period="1d")
        moment = about.get("regularMarketTime")
        if moment is None:
            raise QuoteMissing(f"Yahoo does not say when {symbol} was traded")
        as_of = datetime.fromtimestamp(int(moment if isinstance(moment, int) else moment.timestamp()), UTC)
        return Quote(symbol=symbol, price_usd=_price(about.get("regularMarketPrice")), as_of=as_of, source=self.name)

    def several(self, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
        return one_by_one(self, symbols, at=at)

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        today = at.astimezone(UTC).date()
        start = today - timedelta(days=days * 3 // 2 + 14)  # weekends and holidays
        closes, _ = _chart(symbol, start=start, end=today)
        bars = [Bar(day=moment.date(), close_usd=_price(close)) for moment, close in closes.items()]
        if not bars:
            raise QuoteMissing(f"Yahoo has no history of {symbol}")
        return tuple(bar for bar in bars if bar.day < today)[-days:]


def _chart(symbol: str, **wanted: Any) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Daily closes by their moment, and what Yahoo says about the symbol. Raises QuoteMissing."""
    instrument = instruments.find(symbol)
    if instrument is None:
        raise QuoteMissing(f"there is no quote for {symbol}")
    yfinance = _yfinance()
    with _bounded():
        try:
            ticker = yfinance.Ticker(instrument.symbol.replace(".", "-"), session=_session())
            rows = ticker.history(interval="1d", auto_adjust=False, actions=False, **wanted)
            about = {field: ticker.history_metadata.get(field) for field in ABOUT}  # all of it costs another page
        except Exception as error:  # yfinance promises nothing: its own, curl's, KeyError, TypeError
            raise QuoteMissing(f"Yahoo has no quote for {symbol}: {type(error).__name__}") from error
    if about.get("currency") != "USD":
        raise QuoteMissing(f"Yahoo does not give {symbol} in dollars")
    return rows["Close"].dropna().to_dict(), about


def _price(number: Any) -> Decimal:
    """Yahoo sends binary fractions; beyond the millionth there is nothing but their noise."""
    price = Decimal(repr(float(number))) if number is not None else Decimal(0)
    if not price.is_finite() or price <= 0:
        raise QuoteMissing("Yahoo's quote has no price")
    return price.quantize(MILLIONTH).normalize()


@contextmanager
def asking() -> Iterator[tuple[Any, Any]]:
    """yfinance and a session for it; all pages asked for inside share one deadline."""
    with _bounded():
        yield _yfinance(), _session()


@contextmanager
def _bounded() -> Iterator[None]:
    """All pages that this thread asks for within share one deadline."""
    _call.end = time.monotonic() + DEADLINE_S
    try:
        yield
    finally:
        del _call.end


@functools.cache
def _yfinance() -> Any:
    import yfinance

    yfinance.config.debug.hide_exceptions = False
    yfinance.set_tz_cache_location(str(settings.DATA_DIR / "yfinance"))
    return yfinance


@functools.cache
def _session() -> Any:
    from curl_cffi.requests import Session

    class BoundedSession(Session):  # type: ignore[type-arg]
        def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> Any:
            left_s = getattr(_call, "end", math.inf) - time.monotonic()
            if left_s <= 0:
                raise TimeoutError("Yahoo takes too long")
            asked_s = kwargs.get("timeout")
            bound_s = min(PAGE_S, left_s, asked_s if isinstance(asked_s, int | float) else PAGE_S)
            return super().request(method, url, *args, **{**kwargs, "timeout": bound_s})

    return BoundedSession(impersonate="chrome")

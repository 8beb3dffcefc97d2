"""Alpaca's market data, version 2: the last trade, and daily bars. Source: https://docs.alpaca.markets/docs/about-market-data-api

Without a feed asked for, Alpaca gives the best one that the key's subscription has: IEX alone, or all exchanges.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from orders import instruments
from orders.quotes.base import Bar, Quote, QuoteMissing

CONNECT_S, READ_S = 5.0, 10.0
MOST_BARS = 10_000


class AlpacaQuotes:
    name = "alpaca"

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        listed = _listed(symbol)
        trade = _get(f"/v2/stocks/{listed}/trades/latest", {}).get("trade")
        if not isinstance(trade, dict):
            raise QuoteMissing(f"Alpaca knows no trade of {listed}")
        return self._quote(symbol, trade)

    def several(self, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
        listed = {symbol: known.symbol for symbol in symbols if (known := instruments.find(symbol))}
        trades = _get("/v2/stocks/trades/latest", {"symbols": ",".join(listed.values())}).get("trades")
        if not isinstance(trades, dict):
            raise QuoteMissing("Alpaca's quotes cannot be read")
        found = {}
        for symbol, name in listed.items():
            with contextlib.suppress(QuoteMissing):
                found[symbol] = self._quote(symbol, trades.get(name))
        return found

    def _quote(self, symbol: str, trade: Any) -> Quote:
        return Quote(symbol=symbol, price_usd=_price(trade, "p"), as_of=_moment(trade), source=self.name)

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        listed, today = _listed(symbol), at.astimezone(UTC).date()
        wanted = {
            "timeframe": "1Day",
            "start": str(today - timedelta(days=days * 3 // 2 + 14)),  # weekends and holidays
            "end": f"{datetime.combine(today, time(), UTC):%Y-%m-%dT%H:%M:%SZ}",  # today's bar begins after it
            "limit": str(MOST_BARS),
            "adjustment": "split",
        }
        rows = _get(f"/v2/stocks/{listed}/bars", wanted).get("bars")
        if not isinstance(rows, list) or not rows:
            raise QuoteMissing(f"Alpaca has no history of {listed}")
        bars = [Bar(day=_moment(row).date(), close_usd=_price(row, "c")) for row in rows]
        return tuple(sorted((bar for bar in bars if bar.day < today), key=lambda bar: bar.day)[-days:])


def _listed(symbol: str) -> str:
    """Our symbol, which is Alpaca's too (BRK.B); nothing else comes into a path."""
    instrument = instruments.find(symbol)
    if instrument is None:
        raise QuoteMissing(f"there is no quote for {symbol}")
    return instrument.symbol


def _get(path: str, params: Mapping[str, str]) -> dict[str, Any]:
    """What Alpaca says, numbers as decimals of their own digits. Raises QuoteMissing, without a key in it."""
    import httpx  # a tenth of a second that only who asks for it pays

    url = settings.ALPACA_DATA_URL.rstrip("/") + path
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise QuoteMissing("ALPACA_DATA_URL must begin with https://")
    headers = {
        "APCA-API-KEY-ID": settings.ALPACA_KEY_ID.strip(),
        "APCA-API-SECRET-KEY": settings.ALPACA_SECRET_KEY.strip(),
    }
    timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
    try:
        answer = httpx.get(url, params=params, headers=headers, timeout=timeout)
    except httpx.HTTPError as error:
        trouble = type(error).__name__
    else:
        return _read(answer.status_code, answer.content)
    raise QuoteMissing(f"Alpaca cannot be asked for quotes: {trouble}")


def _read(status: int, content: bytes) -> dict[str, Any]:
    if status != 200:
        raise QuoteMissing(f"Alpaca gives no quote: status {status}")
    try:
        body = json.loads(content, parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise QuoteMissing("Alpaca's quote cannot be read") from error
    if not isinstance(body, dict):
        raise QuoteMissing("Alpaca's quote cannot be read")
    return body


def _price(row: Any, field: str) -> Decimal:
    price = row.get(field) if isinstance(row, dict) else None
    if not isinstance(price, Decimal) or price <= 0:
        raise QuoteMissing("Alpaca's quote has no price")
    return price


def _moment(row: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(row["t"])
    except (KeyError, TypeError, ValueError) as error:
        raise QuoteMissing("Alpaca's quote has no time") from error
    if moment.tzinfo is None:
        raise QuoteMissing("Alpaca's quote has no time zone")
    return moment.astimezone(UTC)

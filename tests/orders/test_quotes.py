"""Prices: made up, from Alpaca, from Yahoo, and kept for a moment.

Yahoo is asked through the real yfinance; its pages come from a server on loopback, by a session that turns every
address at yahoo.com into the server's.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.cache.backends.locmem import LocMemCache
from django.core.management import call_command

from orders import queries, quotes
from orders.models import Position
from orders.quotes import cached, yahoo
from orders.quotes.alpaca import AlpacaQuotes
from orders.quotes.base import Bar, Quote, QuoteMissing
from orders.quotes.cached import CachedQuotes
from orders.quotes.simulated import SimulatedQuotes
from orders.quotes.yahoo import YahooQuotes
from tests.alpaca_server import KEY, SECRET, AlpacaServer, alpaca_server
from tests.conftest import NOON


class CountedQuotes:
    """Answers after a while, and counts."""

    name = "counted"

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.asked: list[str] = []
        self.error: Exception | None = None

    def latest(self, symbol: str, *, at: datetime) -> Quote:
        self._answer(symbol)
        as_of = at - timedelta(seconds=100)
        return Quote(symbol=symbol, price_usd=Decimal(len(self.asked)), as_of=as_of, source=self.name)

    def several(self, symbols: Sequence[str], *, at: datetime) -> dict[str, Quote]:
        self._answer(" ".join(symbols))
        return {each: Quote(symbol=each, price_usd=Decimal(7), as_of=at, source=self.name) for each in symbols}

    def history(self, symbol: str, *, days: int, at: datetime) -> tuple[Bar, ...]:
        self._answer(symbol)
        return tuple(Bar(day=at.date() - timedelta(days=day), close_usd=Decimal(1)) for day in range(days, 0, -1))

    def _answer(self, symbol: str) -> None:
        self.asked.append(symbol)
        time.sleep(self.takes_s)
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def memory(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "quotes"}}
    cache.clear()


def together(count: int, action: Callable[[], Any]) -> list[Any]:
    """What `count` threads get, errors too."""
    outcomes: list[Any] = []
    start = threading.Barrier(count)

    def one() -> None:
        start.wait()
        try:
            outcomes.append(action())
        except QuoteMissing as error:
            outcomes.append(error)

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


# --- simulated


def test_a_simulated_price_is_fixed_by_symbol_and_minute() -> None:
    one, other = SimulatedQuotes(), SimulatedQuotes()
    for symbol in ("AAPL", "BRK.B"):
        quote = one.latest(symbol, at=NOON)
        assert quote == other.latest(symbol, at=NOON + timedelta(seconds=29))
        assert quote.as_of == NOON.replace(second=0)
    assert one.latest("AAPL", at=NOON) != one.latest("MSFT", at=NOON)
    assert len({one.latest("AAPL", at=NOON + timedelta(minutes=minute)).price_usd for minute in range(60)}) > 30
    assert one.history("AAPL", days=30, at=NOON) == other.history("AAPL", days=30, at=NOON)


def test_the_simulation_is_not_cached_and_the_others_are() -> None:
    assert isinstance(quotes.provider(), SimulatedQuotes)
    assert [isinstance(provider, CachedQuotes) for provider in quotes.PROVIDERS.values()] == [False, True, True]
    assert all(provider.name == name for name, provider in quotes.PROVIDERS.items())


def test_a_provider_costs_nothing_until_it_is_asked() -> None:
    code = (
        "import django, sys; django.setup(); import orders.quotes, orders.brokers;"
        "print([name for name in ('yfinance', 'pandas', 'curl_cffi', 'orders.brokers.alpaca') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == "[]"


def _environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}


# --- cached


def test_twenty_at_once_are_one_question() -> None:
    provider = CountedQuotes(takes_s=0.2)
    found = together(20, lambda: CachedQuotes(provider).latest("AAPL", at=NOON))
    assert provider.asked == ["AAPL"]
    assert {quote.price_usd for quote in found} == {Decimal(1)}
    assert len(found) == 20


def test_many_prices_are_one_question_for_all_who_ask_and_each_is_kept() -> None:
    provider = CountedQuotes(takes_s=0.2)
    wrapped = CachedQuotes(provider)
    wrapped.latest("AAPL", at=NOON)
    found = together(5, lambda: wrapped.several(["MSFT", "AAPL", "KO", "NOSUCH"], at=NOON))
    assert provider.asked == ["AAPL", "KO MSFT"]
    assert [set(told) for told in found] == [{"AAPL", "KO", "MSFT"}] * 5
    assert wrapped.latest("KO", at=NOON).price_usd == 7
    assert len(provider.asked) == 2


def test_who_gets_the_lock_just_after_the_answer_takes_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = CountedQuotes()
    answer = Quote(symbol="AAPL", price_usd=Decimal(7), as_of=NOON, source="counted")
    take = LocMemCache.add

    def take_late(self: LocMemCache, key: str, *args: Any, **kwargs: Any) -> bool:
        self.set("quotes:counted:AAPL", answer)
        return take(self, key, *args, **kwargs)

    monkeypatch.setattr(LocMemCache, "add", take_late)
    assert CachedQuotes(provider).latest("AAPL", at=NOON) == answer
    assert provider.asked == []


def test_a_quote_keeps_the_provider_s_time() -> None:
    wrapped = CachedQuotes(CountedQuotes())
    first = wrapped.latest("AAPL", at=NOON)
    again = wrapped.latest("aapl", at=NOON + timedelta(seconds=14))
    assert again == first
    assert again.as_of == NOON - timedelta(seconds=100)
    assert wrapped.name == again.source == "counted"


def test_a_quote_is_kept_for_its_time_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    provider = CountedQuotes()
    wrapped = CachedQuotes(provider)
    now = time.time()
    monkeypatch.setattr("django.core.cache.backends.locmem.time.time", lambda: now)
    monkeypatch.setattr("django.core.cache.backends.base.time.time", lambda: now)
    wrapped.latest("AAPL", at=NOON)
    wrapped.history("AAPL", days=5, at=NOON)
    now += 14
    wrapped.latest("AAPL", at=NOON)
    assert len(provider.asked) == 2
    now += 2
    wrapped.latest("AAPL", at=NOON)
    wrapped.history("AAPL", days=5, at=NOON)
    assert len(provider.asked) == 3
    now += 3600
    wrapped.history("AAPL", days=5, at=NOON)
    assert len(provider.asked) == 4


def test_a_history_is_kept_by_length_and_day() -> None:
    provider = CountedQuotes()
    wrapped = CachedQuotes(provider)
    assert len(wrapped.history("AAPL", days=5, at=NOON)) == 5
    assert len(wrapped.history("AAPL", days=7, at=NOON)) == 7
    wrapped.history("AAPL", days=5, at=NOON + timedelta(days=1))
    assert len(provider.asked) == 3


def test_an_error_is_everybody_s_own_and_is_not_kept() -> None:
    provider = CountedQuotes(takes_s=0.01)
    provider.error = QuoteMissing("closed")
    wrapped = CachedQuotes(provider)
    assert {str(outcome) for outcome in together(3, lambda: wrapped.latest("AAPL", at=NOON))} == {"closed"}
    provider.error = None
    start = time.monotonic()
    assert wrapped.latest("AAPL", at=NOON).symbol == "AAPL"
    assert time.monotonic() - start < cached.WAIT_S, "the lock is let go"


def test_who_has_waited_long_enough_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "WAIT_S", 0.1)
    cache.add("quotes:counted:AAPL:lock", 1, 60)  # somebody who will not come back
    provider = CountedQuotes()
    assert CachedQuotes(provider).latest("AAPL", at=NOON).price_usd == 1


@pytest.mark.parametrize("operation", ["get", "add", "set", "delete"])
def test_a_cache_that_is_away_fails_no_quote(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError("the cache is away")

    monkeypatch.setattr(f"django.core.cache.backends.locmem.LocMemCache.{operation}", away)
    provider = CountedQuotes()
    wrapped = CachedQuotes(provider)
    start = time.monotonic()
    assert wrapped.latest("AAPL", at=NOON).symbol == "AAPL"
    assert wrapped.history("AAPL", days=1, at=NOON)
    assert time.monotonic() - start < cached.WAIT_S


def test_a_cache_that_cannot_be_reached_at_all_fails_no_quote(settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    assert CachedQuotes(CountedQuotes()).latest("AAPL", at=NOON).price_usd == 1


@pytest.mark.django_db(transaction=True)
def test_the_table_that_is_the_cache_without_redis_keeps_quotes_too(settings: Any) -> None:
    call_command("createcachetable", "nextrade_cache", verbosity=0)  # `migrate` makes none where Redis is the cache
    settings.CACHES = {"default": {"BACKEND": "nextrade.caches.TableCache", "LOCATION": "nextrade_cache"}}
    provider = CountedQuotes()
    wrapped = CachedQuotes(provider)
    cache.clear()
    first = wrapped.latest("AAPL", at=NOON)
    assert wrapped.latest("AAPL", at=NOON) == first
    assert wrapped.history("AAPL", days=3, at=NOON) == wrapped.history("AAPL", days=3, at=NOON)
    assert len(provider.asked) == 2


def test_a_symbol_that_is_not_listed_goes_to_no_cache() -> None:
    provider = CountedQuotes()
    provider.error = QuoteMissing("unknown")
    for symbol in ("../v2/orders", "x" * 500, "no such"):
        with pytest.raises(QuoteMissing):
            CachedQuotes(provider).latest(symbol, at=NOON)
        with pytest.raises(QuoteMissing):
            CachedQuotes(provider).history(symbol, days=3, at=NOON)


# --- Alpaca


@pytest.fixture
def market(settings: Any) -> Iterator[AlpacaServer]:
    with alpaca_server() as server:
        settings.QUOTES, settings.ALPACA_DATA_URL = "alpaca", server.url
        settings.ALPACA_KEY_ID, settings.ALPACA_SECRET_KEY = KEY, SECRET
        server.prices |= {"AAPL": "231.1", "BRK.B": "480.25"}
        yield server


def test_alpaca_s_last_trade_is_the_quote_to_the_digit(market: AlpacaServer) -> None:
    for symbol, price in (("AAPL", "231.1"), ("BRK.B", "480.25"), ("BRK-B", "480.25")):
        quote = AlpacaQuotes().latest(symbol, at=NOON)
        assert (quote.price_usd, quote.source) == (Decimal(price), "alpaca")
        assert quote.as_of == datetime(2026, 11, 23, 12, 0, 12, 334320, UTC)


def test_alpaca_s_bars_are_the_days_before_today_oldest_first(market: AlpacaServer) -> None:
    days = [date(2026, 11, 23) - timedelta(days=back) for back in range(20, -1, -1)]
    market.bars = [{"t": f"{day}T05:00:00Z", "o": 1, "c": 100 + number} for number, day in enumerate(days)]
    bars = AlpacaQuotes().history("AAPL", days=5, at=NOON)
    assert [bar.day for bar in bars] == days[-6:-1]
    assert [bar.close_usd for bar in bars] == [Decimal(115), Decimal(116), Decimal(117), Decimal(118), Decimal(119)]
    assert market.queries[-1]["adjustment"] == "split"


@pytest.mark.parametrize("symbol", ["../v2/orders", "NOPE", "MSFT", ""])
def test_a_symbol_that_alpaca_or_we_do_not_know_has_no_quote(market: AlpacaServer, symbol: str) -> None:
    with pytest.raises(QuoteMissing):
        AlpacaQuotes().latest(symbol, at=NOON)
    with pytest.raises(QuoteMissing):
        AlpacaQuotes().history(symbol, days=5, at=NOON)
    assert len(market.calls) == (2 if symbol == "MSFT" else 0)


@pytest.mark.parametrize("fault", ["500", "429", "401", "forbidden", "html", "drop", "cut_json", "cut_body", "timeout"])
def test_trouble_at_alpaca_is_a_missing_quote_with_its_cause(
    market: AlpacaServer, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    monkeypatch.setattr("orders.quotes.alpaca.READ_S", 0.3)
    market.faults["data"] = [fault]
    with pytest.raises(QuoteMissing, match="Alpaca") as missing:
        AlpacaQuotes().latest("AAPL", at=NOON)
    assert SECRET not in repr(missing.value)
    assert len(market.calls) == 1


def test_the_desk_asks_alpaca_once_for_many(market: AlpacaServer) -> None:
    assert {quotes.provider().latest("AAPL", at=NOON).source for _ in range(5)} == {"alpaca"}
    assert market.calls == ["data"]


@pytest.mark.django_db
def test_a_portfolio_of_five_is_one_question(market: AlpacaServer, ann: User) -> None:
    account = ann.account
    market.prices |= dict.fromkeys(("MSFT", "KO", "PEP"), "100.5")
    for symbol in ("AAPL", "BRK.B", "KO", "MSFT", "PEP", "JPM"):
        Position.objects.create(account=account, symbol=symbol, quantity=1, avg_cost_usd=1, realized_pnl_usd=0)
    held = queries.holdings(account, at=NOON)
    assert market.calls == ["data"]
    priced = {each.symbol: each.quote and each.quote.price_usd for each in held}
    assert priced == {
        "AAPL": Decimal("231.1"),
        "BRK.B": Decimal("480.25"),
        "JPM": None,
        **dict.fromkeys(("KO", "MSFT", "PEP"), Decimal("100.5")),
    }
    cache.clear()
    market.faults["data"] = ["500"]
    assert {each.quote for each in queries.holdings(account, at=NOON)} == {None}


# --- Yahoo


class Pages:
    """What Yahoo's pages say. delay_s: before each."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.status = 200
        self.delay_s = 0.0
        self.currency = "USD"
        self.price: float | None = 231.10000610351562

    def chart(self, symbol: str, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if symbol not in ("AAPL", "BRK-B"):
            description = "No data found, symbol may be delisted"
            return 404, {"chart": {"result": None, "error": {"code": "Not Found", "description": description}}}
        last = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
        days = [last - timedelta(days=back) for back in range(30, -1, -1)]
        days = [day for day in days if day.weekday() < 5]
        if "period1" in query:
            days = [day for day in days if int(query["period1"]) <= day.timestamp() < int(query["period2"])]
        else:
            days = days[-1:]
        closes = [100.0 + day.day for day in days]
        about = {
            "currency": self.currency,
            "symbol": symbol,
            "instrumentType": "EQUITY",
            "regularMarketTime": int(last.timestamp()) + 600,
            "regularMarketPrice": self.price,
            "gmtoffset": -18000,
            "timezone": "EST",
            "exchangeTimezoneName": "America/New_York",
            "priceHint": 2,
            "dataGranularity": "1d",
            "range": query.get("range", ""),
            "validRanges": ["1d", "5d", "1mo", "max"],
        }
        columns = dict.fromkeys(("open", "high", "low", "close"), closes)
        result = {
            "meta": about,
            "timestamp": [int(day.timestamp()) for day in days],
            "indicators": {"quote": [{**columns, "volume": [1] * len(days)}], "adjclose": [{"adjclose": closes}]},
        }
        return 200, {"chart": {"result": [result], "error": None}}


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pages]:
    """The real yfinance, sent to a server of ours."""
    pages = Pages()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            pages.asked.append(url.path)
            time.sleep(pages.delay_s)
            query = {name: values[-1] for name, values in parse_qs(url.query).items()}
            if pages.status != 200:
                status, body = pages.status, b"Too Many Requests" if pages.status == 429 else b"{}"
            elif "/chart/" in url.path:
                status, said = pages.chart(url.path.rsplit("/", 1)[1], query)
                body = json.dumps(said).encode()
            else:
                status, body = 200, b"crumb"
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(BrokenPipeError):
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    pages.url = f"http://127.0.0.1:{server.server_port}"
    session = yahoo._session()
    bounded = type(session).request

    def diverted(self: Any, method: Any, url: str, *args: Any, **kwargs: Any) -> Any:
        assert urlsplit(url).hostname.endswith("yahoo.com")  # type: ignore[union-attr]
        return bounded(self, method, pages.url + urlsplit(url).path, *args, **kwargs)

    monkeypatch.setattr(type(session), "request", diverted)
    _forget(session)
    yield pages
    _forget(session)
    server.shutdown()
    server.server_close()
    thread.join()


def _forget(session: Any) -> None:
    """yfinance keeps one client for the process, with its answers."""
    yfinance = yahoo._yfinance()
    client = yfinance.data.YfData(session=session)
    client._cookie = client._crumb = None
    client._cookie_strategy = "basic"
    type(client).cache_get.cache_clear()
    for symbol in ("AAPL", "BRK-B", "MSFT"):
        yfinance.cache.get_tz_cache().store(symbol, None)


def test_yahoo_s_price_comes_with_yahoo_s_time(pages: Pages) -> None:
    for symbol in ("AAPL", "BRK.B"):
        quote = YahooQuotes().latest(symbol, at=NOON)
        assert quote == Quote(
            symbol=symbol,
            price_usd=Decimal("231.100006"),
            as_of=datetime(2026, 11, 23, 14, 40, tzinfo=UTC),
            source="yahoo",
        )
    assert any(path.endswith("/BRK-B") for path in pages.asked)


def test_yahoo_s_history_is_the_days_before_today_oldest_first(pages: Pages) -> None:
    bars = YahooQuotes().history("AAPL", days=5, at=NOON)
    assert [bar.day.isoformat() for bar in bars] == [f"2026-11-{day}" for day in (16, 17, 18, 19, 20)]
    assert [bar.close_usd for bar in bars] == [Decimal(116), Decimal(117), Decimal(118), Decimal(119), Decimal(120)]


@pytest.mark.parametrize("symbol", ["MSFT", "../v7/quote", "NOPE"])
def test_a_symbol_that_yahoo_or_we_do_not_know_has_no_quote(pages: Pages, symbol: str) -> None:
    with pytest.raises(QuoteMissing):
        YahooQuotes().latest(symbol, at=NOON)
    with pytest.raises(QuoteMissing):
        YahooQuotes().history(symbol, days=5, at=NOON)


@pytest.mark.parametrize("status", [429, 500])
def test_trouble_at_yahoo_is_a_missing_quote_with_its_cause(pages: Pages, status: int) -> None:
    pages.status = status
    with pytest.raises(QuoteMissing) as missing:
        YahooQuotes().latest("AAPL", at=NOON)
    assert missing.value.__cause__ is not None


def test_a_price_that_is_none_or_not_in_dollars_is_no_quote(pages: Pages) -> None:
    pages.price = None
    with pytest.raises(QuoteMissing):
        YahooQuotes().latest("AAPL", at=NOON)
    pages.price, pages.currency = 231.1, "EUR"
    with pytest.raises(QuoteMissing, match="dollars"):
        YahooQuotes().latest("AAPL", at=NOON)


def test_all_of_yahoo_s_pages_share_one_deadline(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yahoo, "DEADLINE_S", 0.5)
    pages.delay_s = 8.0
    start = time.monotonic()
    with pytest.raises(QuoteMissing):
        YahooQuotes().latest("AAPL", at=NOON)
    assert time.monotonic() - start < pages.delay_s
    assert len(pages.asked) <= 2

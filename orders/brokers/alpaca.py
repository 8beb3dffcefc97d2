"""Alpaca's Trading API v2, over plain HTTP: https://docs.alpaca.markets/reference

Context: alpaca-py (0.44) sends each request without a timeout and repeats 429 and 504 by itself, POSTs too; a 504 is no
answer, the order may be there. Choice: httpx, one connection a call, every call bounded, nothing ever repeated here:
`orders.services` asks the broker before it sends anything again. A connection is not kept, because one that Alpaca has
closed meanwhile would put an order in doubt, and because the worker forks. Cost: a TLS handshake a call, and the
fields of Alpaca's orders are ours to follow.

A report is made only when Alpaca's executions add up to what its order says was filled; until then there is no answer.
"""

import functools
import json
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import product
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import httpx
from django.conf import settings

from nextrade.errors import Unavailable
from orders.brokers.base import DuplicateClientOrderId, Fill, InDoubt, Report, Ticket
from orders.payload import plain

PAPER_HOST = "paper-api.alpaca.markets"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONNECT_S, READ_S, TOTAL_S = 5.0, 10.0, 15.0
"""to connect; of silence; for the whole answer, so that one sent drop by drop ends before the work's lease does"""
PAUSES_S = (0.0, 0.2, 0.3, 0.5)
"""how long a cancel waits for Alpaca to act on it"""
PAGE, MOST_PAGES = 100, 20
MILLIONTH = Decimal("0.000001")
NO_COMMISSION = Decimal(0)
NOT_FOUND = 40410000
DUPLICATE = re.compile(r"client.?order.?id", re.IGNORECASE)
"""Any refusal that speaks of our id: to ask what became of it is safe, to call the order rejected may not be."""
ENDED = frozenset(("filled", "canceled", "expired", "rejected"))
OPEN = frozenset(
    (
        *("new", "pending_new", "accepted", "accepted_for_bidding", "pending_review", "held", "stopped", "suspended"),
        *("partially_filled", "pending_cancel", "pending_replace", "done_for_day", "calculated"),
    )
)


SUPPORTS = frozenset(
    [
        *product(("market", "limit"), ("day", "gtc", "ioc", "fok")),
        *product(("stop", "stop_limit"), ("day", "gtc")),
    ]
)


class NoAnswer(Unavailable):
    """Alpaca did not answer, or not in words that we understand."""

    code = "broker_unavailable"


class Unauthorized(Unavailable):
    """Alpaca does not know the key. Nothing was done."""

    code = "broker_unauthorized"


class Busy(Unavailable):
    """Too many requests. Nothing was done. retry_after_s: when to come back, None when Alpaca does not say."""

    code = "broker_busy"

    def __init__(self, retry_after_s: int | None) -> None:
        when = "later" if retry_after_s is None else f"in {retry_after_s} s"
        super().__init__(f"Alpaca has had too many requests: come back {when}")
        self.retry_after_s = retry_after_s


class LiveTradingOff(Unavailable):
    code = "live_trading_off"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What Alpaca said, to be trusted as far as it is JSON. body: None when it is empty."""

    status: int
    body: Any

    @property
    def code(self) -> int | None:
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return code if isinstance(code, int) else None

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))[:200] if isinstance(self.body, dict) else ""


def mode_of(base_url: str) -> Literal["paper", "live"]:
    """Which money an address moves: whatever is not known to be paper is live."""
    return "paper" if urlsplit(base_url).hostname in (PAPER_HOST, *LOOPBACK) else "live"


class AlpacaBroker:
    """One of these lives as long as a call or two. mode: which money it moves.

    Raises LiveTradingOff for a live address while NEXTRADE_LIVE_TRADING is not "yes", Unavailable (not_configured)
    without keys.
    """

    name = "alpaca"
    supports = SUPPORTS

    def __init__(self) -> None:
        self.base_url = settings.ALPACA_BASE_URL.strip().rstrip("/").removesuffix("/v2")
        self.mode: Literal["paper", "live"] = mode_of(self.base_url)
        if self.mode == "live" and settings.LIVE_TRADING != "yes":
            raise LiveTradingOff("ALPACA_BASE_URL is for real money and NEXTRADE_LIVE_TRADING is not yes")
        address = urlsplit(self.base_url)
        if address.scheme != "https" and address.hostname not in LOOPBACK:
            raise Unavailable("ALPACA_BASE_URL must begin with https://", code="not_configured")
        self._headers = credentials()

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        wanted = _wanted(ticket)
        try:
            answer = self._call("POST", "/v2/orders", body=wanted)
        except NoAnswer as error:
            raise InDoubt(f"the order may have reached Alpaca: {error}") from error
        if answer.status in (400, 403, 422) and answer.message:
            if DUPLICATE.search(answer.message):
                raise DuplicateClientOrderId(f"{ticket.client_order_id}: {answer.message}")
            return _refusal(ticket, answer)
        try:
            return self._report(_order(answer, ticket.client_order_id))
        except Unavailable as error:
            raise InDoubt(f"Alpaca has answered, and not said what it did: {error}") from error

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        order = self._find(client_order_id)
        return None if order is None else self._report(order)

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        try:
            order = self._find(client_order_id)
            if order is None:
                return None
            if order["status"] not in ENDED:
                # 204 says that the request is taken, 422 that it is too late; only the order tells what became of it
                self._call("DELETE", f"/v2/orders/{quote(order['id'], safe='')}")
                order = self._ended(client_order_id)
            return self._report(order)
        except NoAnswer as error:
            raise InDoubt(f"the cancel may have reached Alpaca: {error}") from error

    def positions(self) -> Mapping[str, Decimal]:
        answer = self._call("GET", "/v2/positions")
        if answer.status != 200 or not isinstance(answer.body, list):
            raise NoAnswer(f"no list of positions: status {answer.status} {answer.message}")
        return {_text(row, "symbol"): _number(row, "qty") for row in answer.body}

    def _ended(self, client_order_id: str) -> dict[str, Any]:
        """The order once it has ended, waited for a little. Raises InDoubt when Alpaca takes longer."""
        for pause_s in PAUSES_S:
            time.sleep(pause_s)
            order = self._find(client_order_id)
            if order is not None and order["status"] in ENDED:
                return order
        raise InDoubt("Alpaca has the request to cancel and has not acted on it yet")

    def _find(self, client_order_id: str) -> dict[str, Any] | None:
        answer = self._call("GET", "/v2/orders:by_client_order_id", params={"client_order_id": client_order_id})
        if answer.status == 404 and answer.code == NOT_FOUND and "endpoint" not in answer.message:
            return None
        return _order(answer, client_order_id)

    def _report(self, order: dict[str, Any]) -> Report:
        filled = _number(order, "filled_qty")
        fills = self._fills(order, filled) if filled else ()
        if sum((fill.quantity for fill in fills), Decimal(0)) != filled:
            raise NoAnswer(f"the executions of order {order['id']} do not add up to {plain(filled)} yet")
        status = _status(order, filled)
        return Report(
            client_order_id=order["client_order_id"],
            broker_order_id=order["id"],
            status=status,
            raw_status=order["status"],
            fills=fills,
            reason="rejected by Alpaca after it was accepted" if status == "rejected" else "",
        )

    def _fills(self, order: dict[str, Any], filled: Decimal) -> tuple[Fill, ...]:
        """The order's executions in the order of their times, at most `filled` of them.

        Where Alpaca does not offer its activities, an order that is filled counts as one execution at its average
        price. One that is not: none, since a later total would count the same shares twice.
        """
        rows = self._activities(order)
        if rows is None:
            return (_whole(order, filled),) if order["status"] == "filled" else ()
        fills: list[Fill] = []
        for fill in sorted((_fill(row) for row in rows), key=lambda fill: (fill.executed_at, fill.exec_id)):
            if sum((known.quantity for known in fills), fill.quantity) > filled:
                break  # newer than the order as it was read: the next report's
            fills.append(fill)
        return tuple(fills)

    def _activities(self, order: dict[str, Any]) -> list[dict[str, Any]] | None:
        """Rows of kind FILL of one order, each once; None when Alpaca does not offer them."""
        since = _moment(order, "created_at") - timedelta(days=1)
        wanted = {"order_id": order["id"], "after": f"{since:%Y-%m-%dT%H:%M:%SZ}", "direction": "asc"}
        rows: dict[str, dict[str, Any]] = {}
        page_token: dict[str, str] = {}
        for _ in range(MOST_PAGES):
            answer = self._call(
                "GET", "/v2/account/activities/FILL", params={**wanted, "page_size": str(PAGE), **page_token}
            )
            if answer.status in (403, 404):
                return None
            if answer.status != 200 or not isinstance(answer.body, list):
                raise NoAnswer(f"no list of executions: status {answer.status} {answer.message}")
            page = {_text(row, "id"): row for row in answer.body}
            # the filter is younger than the endpoint, and a server that does not know it gives everybody's
            rows |= {number: row for number, row in page.items() if row.get("order_id") == order["id"]}
            if len(answer.body) < PAGE:
                return list(rows.values())
            page_token = {"page_token": list(page)[-1]}
        raise NoAnswer("too many executions to read")

    def _call(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: Mapping[str, str] | None = None
    ) -> Answer:
        """One request, once. Raises NoAnswer, Unauthorized, Busy; none of them holds a key, not even as a cause."""
        try:
            response, data = self._exchange(method, path, params, body)
        except httpx.HTTPError as error:
            failure = type(error).__name__
        else:
            return _answer(response, data)
        raise NoAnswer(f"{method} {path}: {failure}")

    def _exchange(
        self, method: str, path: str, params: Mapping[str, str] | None, body: Mapping[str, str] | None
    ) -> tuple[httpx.Response, bytes]:
        end = time.monotonic() + TOTAL_S
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S)
        data = bytearray()
        with (
            httpx.Client(timeout=timeout, headers=self._headers, verify=trusted()) as client,
            client.stream(method, self.base_url + path, params=params, json=body) as response,
        ):
            for chunk in response.iter_bytes():
                data += chunk
                if time.monotonic() > end:
                    raise httpx.ReadTimeout("the answer takes too long")
        return response, bytes(data)


@functools.cache
def trusted() -> ssl.SSLContext:
    """The certificates that we believe, read once a process: 27 ms of the processor, more than the rest of a call."""
    return httpx.create_ssl_context()


def credentials() -> dict[str, str]:
    """The headers that say who we are. Raises Unavailable (not_configured)."""
    key, secret = settings.ALPACA_KEY_ID.strip(), settings.ALPACA_SECRET_KEY.strip()
    if not (key and secret and (key + secret).isascii() and (key + secret).isprintable()):
        raise Unavailable("ALPACA_KEY_ID and ALPACA_SECRET_KEY are not set", code="not_configured")
    return {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}


def _answer(response: httpx.Response, data: bytes) -> Answer:
    status = response.status_code
    if status == 429:
        after = response.headers.get("Retry-After", "")
        raise Busy(int(after) if after.isascii() and after.isdecimal() else None)
    if status == 401:
        raise Unauthorized("Alpaca does not accept the key")
    if status >= 500:
        raise NoAnswer(f"status {status}")
    try:
        answer = Answer(status=status, body=json.loads(data) if data else None)
    except ValueError as error:
        raise NoAnswer(f"status {status}, and an answer that cannot be read") from error
    if status == 403 and (answer.code is None or str(answer.code).startswith("401")):
        raise Unauthorized("Alpaca does not accept the key for this account")  # its refusals of orders have a code
    return answer


def _wanted(ticket: Ticket) -> dict[str, str]:
    """The order as Alpaca's JSON, amounts as text."""
    prices = {"limit_price": ticket.limit_price, "stop_price": getattr(ticket, "stop_price", None)}
    return {
        "client_order_id": ticket.client_order_id,
        "symbol": ticket.symbol,
        "side": str(ticket.side),
        "qty": _amount(ticket.quantity),
        "type": str(ticket.order_type),
        "time_in_force": str(ticket.time_in_force),
        **{name: _amount(price) for name, price in prices.items() if price is not None},
    }


def _amount(number: Decimal) -> str:
    if not isinstance(number, Decimal) or not number.is_finite():
        raise TypeError(f"money and quantities are finite decimals, not {type(number).__name__} {number}")
    return plain(number)


def _refusal(ticket: Ticket, answer: Answer) -> Report:
    return Report(
        client_order_id=ticket.client_order_id,
        broker_order_id="",
        status="rejected",
        raw_status=f"refused with {answer.status}",
        reason=answer.message,
    )


def _order(answer: Answer, client_order_id: str) -> dict[str, Any]:
    """The order in an answer, ours and readable. Raises NoAnswer."""
    if answer.status not in (200, 201) or not isinstance(answer.body, dict):
        raise NoAnswer(f"status {answer.status} {answer.message}".rstrip())
    if _text(answer.body, "client_order_id") != client_order_id:
        raise NoAnswer("the answer is about another order")
    if _text(answer.body, "status") not in ENDED | OPEN:
        raise NoAnswer(f"the order is {answer.body['status']} at Alpaca, which takes a person to sort out")
    _text(answer.body, "id")
    return answer.body


def _status(order: dict[str, Any], filled: Decimal) -> str:
    """Our word for an order's state; of one that is open it depends on how much is filled."""
    quantity, raw = _number(order, "qty"), order["status"]
    if filled > quantity or (raw == "filled" and filled != quantity):
        raise NoAnswer(f"order {order['id']} is {raw} with {plain(filled)} of {plain(quantity)}")
    if filled == quantity:
        return "filled"
    if raw in ENDED:
        return str(raw)
    return "partially_filled" if filled else "new"


def _fill(row: dict[str, Any]) -> Fill:
    return Fill(
        exec_id=_text(row, "id"),
        quantity=_number(row, "qty"),
        price_usd=_number(row, "price"),
        commission_usd=NO_COMMISSION,
        executed_at=_moment(row, "transaction_time"),
    )


def _whole(order: dict[str, Any], filled: Decimal) -> Fill:
    return Fill(
        exec_id=f"alpaca-{order['id']}-{plain(filled)}",
        quantity=filled,
        price_usd=_number(order, "filled_avg_price").quantize(MILLIONTH),
        commission_usd=NO_COMMISSION,
        executed_at=_moment(order, "filled_at"),
    )


def _number(row: dict[str, Any], field: str) -> Decimal:
    """A decimal from its text. A JSON number has been a float on somebody's way and is refused."""
    try:
        number = Decimal(_text(row, field))
    except InvalidOperation as error:
        raise NoAnswer(f"{field} is not a number") from error
    if not number.is_finite() or number < 0:
        raise NoAnswer(f"{field} is not an amount")
    return number


def _moment(row: dict[str, Any], field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(row, field))
    except ValueError as error:
        raise NoAnswer(f"{field} is not a time") from error
    if moment.tzinfo is None:
        raise NoAnswer(f"{field} has no time zone")
    return moment


def _text(row: Any, field: str) -> str:
    value = row.get(field) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value:
        raise NoAnswer(f"{field} is missing or not text")
    return value

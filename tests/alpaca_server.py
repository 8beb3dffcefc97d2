"""A server on loopback that speaks the part of Alpaca's HTTP that NexTrade uses, with a book of its own.

Documented at https://docs.alpaca.markets/reference: orders, activities of kind FILL, the last trade and daily bars.
As there, a new order is answered before it is filled, and amounts of the trading API are text.
"""

import json
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

KEY, SECRET = "PKTESTKEY", "s3cr3t-of-the-tests"
Reply = tuple[int, Any]
NOT_FOUND: Reply = (404, {"code": 40410000, "message": "order not found"})
OPEN = ("pending_new", "accepted", "new", "partially_filled", "pending_cancel")
START = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """Alpaca writes nanoseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}123Z"


@dataclass
class AlpacaServer:
    """What is at Alpaca, and what goes wrong on the way.

    faults: by route (submit, find, cancel, activities, data), each used up by one call:
      before the call is obeyed: "500", "429", "401", "forbidden", "insufficient", "not_tradable", "html", "drop",
        "redirect", "endpoint", "mute";
      after it is: "timeout", "500_after", "drop_after", "cut_json", "cut_body", "drip", "float", "stale".
    slices: how a marketable order is filled, one slice each time that it is looked at; empty: in full.
    """

    prices: dict[str, str] = field(default_factory=lambda: defaultdict(lambda: "100.05"))
    slices: list[str] = field(default_factory=list)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    activities: list[dict[str, Any]] = field(default_factory=list)
    bars: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    hidden_activities: int = 0
    has_activities: bool = True
    filters_activities: bool = True
    cancels_at_once: bool = True
    hang_s: float = 1.0
    lock: threading.RLock = field(default_factory=threading.RLock)
    url: str = ""

    def order(self, client_order_id: str) -> dict[str, Any]:
        return next(order for order in self.orders.values() if order["client_order_id"] == client_order_id)

    def fill(self, client_order_id: str, quantity: str, price: str = "100.05") -> None:
        """Execute some of an order, whatever state it is in: the market may be quicker than a cancel."""
        with self.lock:
            order = self.order(client_order_id)
            before = Decimal(order["filled_qty"])
            total = before + Decimal(quantity)
            paid = before * Decimal(order["filled_avg_price"] or 0) + Decimal(quantity) * Decimal(price)
            is_full = total == Decimal(order["qty"])
            moment = START + timedelta(milliseconds=len(self.activities))
            order |= {"filled_qty": str(total), "filled_avg_price": str(paid / total), "filled_at": stamp(moment)}
            if is_full:
                order["status"] = "filled"
            elif order["status"] in OPEN:
                order["status"] = "partially_filled"
            self.activities.append(
                {
                    "id": f"{moment:%Y%m%d%H%M%S%f}"[:17] + f"::{uuid.uuid4()}",
                    "activity_type": "FILL",
                    "transaction_time": stamp(moment),
                    "type": "fill" if is_full else "partial_fill",
                    "price": price,
                    "qty": quantity,
                    "side": order["side"],
                    "symbol": order["symbol"],
                    "leaves_qty": str(Decimal(order["qty"]) - total),
                    "order_id": order["id"],
                    "cum_qty": str(total),
                    "order_status": order["status"],
                }
            )

    def answer(self, route: str, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> Reply:
        with self.lock:
            if route == "submit":
                return self._submit(body)
            if route == "find":
                return self._find(query["client_order_id"])
            if route == "cancel":
                return self._cancel(path.rsplit("/", 1)[1])
            if route == "activities":
                return self._activities(query)
            if route == "positions":
                return self._positions()
            return self._data(path, query)

    def _submit(self, body: dict[str, Any]) -> Reply:
        if any(order["client_order_id"] == body["client_order_id"] for order in self.orders.values()):
            return 422, {"code": 40010001, "message": "client_order_id must be unique"}
        now = stamp(START)
        order = {
            "id": str(uuid.uuid4()),
            "client_order_id": body["client_order_id"],
            "created_at": now,
            "updated_at": now,
            "submitted_at": now,
            **dict.fromkeys(("filled_at", "expired_at", "canceled_at", "failed_at", "replaced_at")),
            "asset_class": "us_equity",
            "symbol": body["symbol"],
            "qty": body["qty"],
            "filled_qty": "0",
            "filled_avg_price": None,
            "order_class": "",
            "order_type": body["type"],
            "type": body["type"],
            "side": body["side"],
            "time_in_force": body["time_in_force"],
            "limit_price": body.get("limit_price"),
            "stop_price": body.get("stop_price"),
            "status": "pending_new",
            "extended_hours": False,
            "legs": None,
        }
        self.orders[order["id"]] = order
        return 200, dict(order)

    def _find(self, client_order_id: str) -> Reply:
        order = next((order for order in self.orders.values() if order["client_order_id"] == client_order_id), None)
        if order is None:
            return NOT_FOUND
        self._trade(order)
        return 200, dict(order)

    def _trade(self, order: dict[str, Any]) -> None:
        if order["status"] in ("pending_new", "accepted"):
            order["status"] = "new"
        if order["status"] in ("new", "partially_filled") and self._is_marketable(order):
            left = str(Decimal(order["qty"]) - Decimal(order["filled_qty"]))
            self.fill(order["client_order_id"], self.slices.pop(0) if self.slices else left, self._price(order))

    def _price(self, order: dict[str, Any]) -> str:
        return self.prices[order["symbol"]]

    def _is_marketable(self, order: dict[str, Any]) -> bool:
        if order["type"] != "limit":
            return bool(order["type"] == "market")  # a stop rests until a test fills it
        price, limit = Decimal(self._price(order)), Decimal(order["limit_price"])
        return price <= limit if order["side"] == "buy" else price >= limit

    def _cancel(self, number: str) -> Reply:
        order = self.orders.get(number)
        if order is None:
            return NOT_FOUND
        if order["status"] not in OPEN:
            return 422, {"code": 42210000, "message": f'order is already in "{order["status"]}" state'}
        order["status"] = "canceled" if self.cancels_at_once else "pending_cancel"
        return 204, None

    def _positions(self) -> Reply:
        held: dict[str, Decimal] = {}
        for row in self.activities:
            sign = 1 if row["side"] == "buy" else -1
            held[row["symbol"]] = held.get(row["symbol"], Decimal(0)) + sign * Decimal(row["qty"])
        return 200, [{"symbol": symbol, "qty": str(quantity)} for symbol, quantity in held.items() if quantity]

    def _activities(self, query: dict[str, str]) -> Reply:
        if not self.has_activities:
            return NOT_FOUND
        rows = self.activities[: len(self.activities) - self.hidden_activities]
        if self.filters_activities:
            rows = [row for row in rows if row["order_id"] == query["order_id"]]
        ids = [row["id"] for row in rows]
        start = ids.index(query["page_token"]) + 1 if "page_token" in query else 0
        return 200, rows[start : start + int(query["page_size"])]

    def _data(self, path: str, query: dict[str, str]) -> Reply:
        if path == "/v2/stocks/trades/latest":
            known = [symbol for symbol in query["symbols"].split(",") if symbol in self.prices]
            return 200, {"trades": {symbol: self._last_trade(symbol) for symbol in known}}
        symbol = unquote(path.split("/")[3])
        if symbol not in self.prices:
            return 404, {"code": 40410000, "message": "not found"}
        if path.endswith("/bars"):
            rows = [bar for bar in self.bars if query["start"] <= bar["t"][:10] and bar["t"] <= query["end"]]
            return 200, {"bars": rows, "symbol": symbol, "next_page_token": None}
        return 200, {"symbol": symbol, "trade": self._last_trade(symbol)}

    def _last_trade(self, symbol: str) -> dict[str, Any]:
        return {"t": "2026-11-23T12:00:12.334320128Z", "x": "V", "p": float(self.prices[symbol]), "s": 100, "z": "C"}


@contextmanager
def alpaca_server(*, host: str = "127.0.0.1", port: int = 0) -> Iterator[AlpacaServer]:
    alpaca = AlpacaServer()

    class Handler(_Handler):
        server_state = alpaca

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    alpaca.url = f"http://{host}:{server.server_port}"
    try:
        yield alpaca
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


REFUSALS: dict[str, Reply] = {
    "500": (500, {"code": 50010000, "message": "internal server error"}),
    "401": (401, {"message": "unauthorized."}),
    "forbidden": (403, {"message": "forbidden."}),
    "insufficient": (403, {"code": 40310000, "message": "insufficient buying power"}),
    "not_tradable": (422, {"code": 42210000, "message": "asset AAPL is not tradable"}),
    "429": (429, {"message": "too many requests."}),
    "html": (403, "<html>the proxy says no</html>"),
    "endpoint": (404, {"code": 40410000, "message": "endpoint not found."}),
    "redirect": (307, {}),
    "mute": (422, {}),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: ClassVar[AlpacaServer]

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def do_DELETE(self) -> None:
        self._serve("DELETE")

    def _serve(self, method: str) -> None:
        alpaca, url = self.server_state, urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        route = _route(method, url.path)
        with alpaca.lock:
            alpaca.calls.append(route)
            alpaca.queries.append(query)
            fault = alpaca.faults[route].pop(0) if alpaca.faults[route] else ""
        if (self.headers["APCA-API-KEY-ID"], self.headers["APCA-API-SECRET-KEY"]) != (KEY, SECRET):
            fault = "401"
        if fault in REFUSALS:
            self._send(*REFUSALS[fault], {"Retry-After": "7"} if fault == "429" else {"Location": alpaca.url})
        elif fault == "drop":
            self.close_connection = True
        elif fault == "stale":
            stale = dict(alpaca.order(query["client_order_id"]))
            alpaca.answer(route, method, url.path, query, body)
            self._send(200, stale)
        else:
            self._send_badly(fault, *alpaca.answer(route, method, url.path, query, body))

    def _send_badly(self, fault: str, status: int, body: Any) -> None:
        if fault == "timeout":
            time.sleep(self.server_state.hang_s)
        if fault in ("timeout", "drop_after"):
            self.close_connection = True
        elif fault == "500_after":
            self._send(*REFUSALS["500"])
        elif fault == "cut_json":
            self._send(status, json.dumps(body)[:-20])
        elif fault == "cut_body":
            self._send(status, body, lost=20)
        elif fault == "float":
            self._send(status, json.dumps(body).replace('"filled_qty": "0"', '"filled_qty": 0.0'))
        elif fault == "drip":
            self._send(status, body, pause_s=0.02)
        else:
            self._send(status, body)

    def _send(
        self,
        status: int,
        body: Any,
        headers: dict[str, str] | None = None,
        *,
        lost: int = 0,
        pause_s: float = 0.0,
    ) -> None:
        data = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            if not pause_s:
                self.wfile.write(data[: len(data) - lost])
            for byte in data if pause_s else ():
                self.wfile.write(bytes([byte]))
                time.sleep(pause_s)
        except OSError:
            self.close_connection = True  # the client has had enough
        if lost:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        return


def _route(method: str, path: str) -> str:
    if method == "POST" and path == "/v2/orders":
        return "submit"
    if path == "/v2/orders:by_client_order_id":
        return "find"
    if method == "DELETE" and path.startswith("/v2/orders/"):
        return "cancel"
    if path == "/v2/account/activities/FILL":
        return "activities"
    if method == "GET" and path == "/v2/positions":
        return "positions"
    if path.startswith("/v2/stocks/"):
        return "data"
    raise AssertionError(f"nobody should ask for {method} {path}")

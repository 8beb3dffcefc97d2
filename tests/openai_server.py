"""A provider of language models on loopback that speaks the chat completions API, and fails as providers do."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

Script = Callable[[dict[str, Any]], dict[str, Any]]
"""A request to the assistant's message: {"content": ...}, {"tool_calls": [(name, arguments), ...]}
or {"status": ...}."""
STATUSES = {"429": 429, "429_soon": 429, "429_late": 429, "500": 500, "503": 503, "400": 400, "422": 422, "401": 401}
WAITS = {"429_soon": "1", "429_late": "50"}
MARKS = {"transfer_to_research": "supervisor", "get_price_history": "research", "propose_order": "portfolio"}


@dataclass
class OpenAIServer:
    """script: what the model says. fault: what goes wrong with every call of `agents` (all of them when empty).

    faults: used up by one call each, before `fault`. calls: when each came, by time.monotonic(), and of which agent.
    """

    script: Script
    fault: str = ""
    agents: tuple[str, ...] = ()
    faults: list[str] = field(default_factory=list)
    calls: list[tuple[float, str]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    latency_s: float = 0.0
    word_s: float = 0.0
    hang_s: float = 60.0
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, request: dict[str, Any]) -> str:
        agent = agent_of(request)
        with self.lock:
            self.calls.append((time.monotonic(), agent))
            self.requests.append(request)
            if self.faults:
                return self.faults.pop(0)
            return self.fault if not self.agents or agent in self.agents else ""


def agent_of(request: dict[str, Any]) -> str:
    """Which agent asks, by its tools."""
    tools = {tool["function"]["name"] for tool in request.get("tools", ())}
    return next((agent for mark, agent in MARKS.items() if mark in tools), "database")


@contextmanager
def openai_server(script: Script, *, host: str = "127.0.0.1") -> Iterator[OpenAIServer]:
    state = OpenAIServer(script)

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.socket.listen(256)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    state.url = f"http://{host}:{server.server_port}/v1"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def deaf_server() -> Iterator[str]:
    """An address that takes no connection: its queue is full, as behind a firewall that drops."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(deaf.getsockname())
        yield f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        for one in waiting:
            one.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: ClassVar[OpenAIServer]

    def do_GET(self) -> None:
        if fault := STATUSES.get(self.server_state.fault):
            self._send(fault, {"error": {"message": "scripted", "type": "scripted"}})
        else:
            self._send(200, {"object": "list", "data": []})

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server_state.next_fault(request)
        time.sleep(self.server_state.latency_s)
        try:
            self._answer(fault, request)
        except OSError:
            self.close_connection = True  # the client has had enough

    def _answer(self, fault: str, request: dict[str, Any]) -> None:
        if fault in STATUSES:
            body = {"error": {"message": "scripted fault sk-secret", "type": "scripted", "code": None}}
            self._send(STATUSES[fault], body, retry_after=WAITS.get(fault, ""))
        elif fault == "hang":
            self._hang()
        elif fault == "drop":
            self.close_connection = True
        elif fault in ("wrong_schema", "cut_json", "drip", "huge"):
            self._send_badly(fault, request)
        elif fault == "empty":
            self._send_well(request, {"role": "assistant", "content": ""}, is_cut=False)
        else:
            what = self.server_state.script(request)
            if "status" in what:
                self._send(what["status"], {"error": {"message": "scripted fault", "type": "scripted"}})
            else:
                self._send_well(request, said(what), is_cut=fault == "cut_stream")

    def _send_badly(self, fault: str, request: dict[str, Any]) -> None:
        body = json.dumps(
            completion(request, said({"content": "x " * 5_000_000 if fault == "huge" else "slowly " * 40}))
        )
        if fault == "wrong_schema":
            body = json.dumps({"choices": [{"message": "no object", "index": "first"}], "usage": "a lot"})
        if fault == "cut_json":
            body = body[: len(body) // 2]
        self._head(200, "application/json", len(body))
        data = body.encode()
        if fault != "drip":
            self.wfile.write(data)
            return
        end = time.monotonic() + self.server_state.hang_s
        for byte in data:
            if time.monotonic() > end:
                break
            self.wfile.write(bytes([byte]))
            time.sleep(0.2)
        self.close_connection = True

    def _send_well(self, request: dict[str, Any], message: dict[str, Any], *, is_cut: bool) -> None:
        if not request.get("stream"):
            self._send(200, completion(request, message))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for number, delta in enumerate(deltas(message)):
            if is_cut and number == 3:
                return
            self._chunk({"choices": [delta]}, request)
            time.sleep(self.server_state.word_s)
        if request.get("stream_options", {}).get("include_usage"):
            self._chunk({"choices": [], "usage": USAGE}, request)
        self.wfile.write(b"data: [DONE]\n\n")

    def _chunk(self, part: dict[str, Any], request: dict[str, Any]) -> None:
        chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": request["model"], **part}
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())

    def _hang(self) -> None:
        end = time.monotonic() + self.server_state.hang_s
        while time.monotonic() < end:
            time.sleep(0.05)
        self.close_connection = True

    def _send(self, status: int, body: dict[str, Any], *, retry_after: str = "") -> None:
        data = json.dumps(body).encode()
        self._head(status, "application/json", len(data), {"Retry-After": retry_after} if retry_after else {})
        self.wfile.write(data)

    def _head(self, status: int, kind: str, length: int, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(length), **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "prompt_tokens_details": {"cached_tokens": 200},
}


def said(what: dict[str, Any]) -> dict[str, Any]:
    """A script's answer as the API's message."""
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(what.get("tool_calls", ()))
    ]
    return {"role": "assistant", "content": what.get("content"), **({"tool_calls": calls} if calls else {})}


def completion(request: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": USAGE,
    }


def deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, call in enumerate(message.get("tool_calls", ())):
        delta = {"role": "assistant", "tool_calls": [{"index": number, **call}]}
        yield {"index": 0, "delta": delta, "finish_reason": None}
    for word in (message["content"] or "").split(" ") if message["content"] else ():
        yield {"index": 0, "delta": {"role": "assistant", "content": f"{word} "}, "finish_reason": None}
    yield {"index": 0, "delta": {}, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}


def desk_script(request: dict[str, Any]) -> dict[str, Any]:
    """A model that does what the person's last message names: BUY q SYMBOL, PRICE SYMBOL, ORDERS; else small talk."""
    last = max(number for number, message in enumerate(request["messages"]) if message["role"] == "user")
    words = request["messages"][last]["content"].split()
    results = [message["content"] for message in request["messages"][last:] if message["role"] == "tool"]
    if results:
        return {"content": " / ".join(results)}
    agent = agent_of(request)
    if agent == "supervisor":
        wanted = {"BUY": "portfolio", "PRICE": "research", "ORDERS": "database"}
        to = next((wanted[word] for word in words if word in wanted), "")
        return (
            {"tool_calls": [(f"transfer_to_{to}", {"instructions": " ".join(words)})]} if to else {"content": "Hello."}
        )
    if agent == "portfolio":
        order = {"side": "buy", "quantity": words[words.index("BUY") + 1], "symbol": words[words.index("BUY") + 2]}
        return {"tool_calls": [("propose_order", order)]}
    if agent == "research":
        return {"tool_calls": [("get_quote", {"symbol": words[words.index("PRICE") + 1]})]}
    return {"tool_calls": [("list_orders", {})]}

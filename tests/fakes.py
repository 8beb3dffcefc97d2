"""Stand-ins for what is outside: a broker that misbehaves on demand, a provider of a language model that follows a
script."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from orders.brokers.base import DuplicateClientOrderId, InDoubt, Report, Ticket
from orders.brokers.paper import PaperBroker


@dataclass
class WatchedBroker(PaperBroker):
    """The paper broker with a tally of what was submitted, and a line that can be down."""

    submitted: list[str] = field(default_factory=list)
    known_again: int = 0
    is_down: bool = False

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        self.submitted.append(ticket.client_order_id)
        try:
            return super().submit(ticket, at=at)
        except DuplicateClientOrderId:
            self.known_again += 1
            raise

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        self._require_line()
        return super().find(client_order_id, at=at)

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        self._require_line()
        return super().cancel(client_order_id, at=at)

    def _require_line(self) -> None:
        if self.is_down:
            raise InDoubt("connection refused")


Script = Callable[[dict[str, Any]], dict[str, Any]]
"""A chat completion request to the assistant's message: {"content": ...} or {"tool_calls": [(name, arguments),
...]}."""


@contextmanager
def openai_server(script: Script) -> Iterator[str]:
    """A server on loopback that speaks the chat completions API, streaming too; its base URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._send(
                200,
                {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 0, "owned_by": "tests"}]},
            )

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            said = script(request)
            if "status" in said:
                self._send(
                    said["status"], {"error": {"message": said.get("content", "scripted fault"), "type": "scripted"}}
                )
            elif request.get("stream"):
                self._stream(_message(said))
            else:
                self._send(200, _completion(request, _message(said)))

        def _send(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, message: dict[str, Any]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            for delta in _deltas(message):
                chunk = {
                    "id": "c",
                    "object": "chat.completion.chunk",
                    "created": 0,
                    "model": "scripted",
                    "choices": [delta],
                }
                self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            return

    return Handler


def _message(said: dict[str, Any]) -> dict[str, Any]:
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for number, (name, arguments) in enumerate(said.get("tool_calls", ()))
    ]
    return {"role": "assistant", "content": said.get("content"), **({"tool_calls": calls} if calls else {})}


def _completion(request: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    reason = "tool_calls" if "tool_calls" in message else "stop"
    return {
        "id": "c",
        "object": "chat.completion",
        "created": 0,
        "model": request["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
    }


def _deltas(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for number, call in enumerate(message.get("tool_calls", ())):
        yield {
            "index": 0,
            "delta": {"role": "assistant", "tool_calls": [{"index": number, **call}]},
            "finish_reason": None,
        }
    for word in (message["content"] or "").split():
        yield {"index": 0, "delta": {"role": "assistant", "content": f"{word} "}, "finish_reason": None}
    yield {"index": 0, "delta": {}, "finish_reason": "tool_calls" if "tool_calls" in message else "stop"}

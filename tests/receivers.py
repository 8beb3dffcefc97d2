"""What stands at the other end of alerts, on loopback: PagerDuty, Slack, a webhook, a heartbeat, and a mail server."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller


@dataclass
class Receiver:
    """answers: what the next requests get, as (status, headers); then `always`. got: (path, body, time.monotonic())."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    always: int = 202
    hang_s: float = 0
    got: list[tuple[str, Any, float]] = field(default_factory=list)
    tries: int = 0
    url: str = ""

    def bodies(self, path: str = "") -> list[Any]:
        """Of what was taken, in order."""
        return [body for where, body, _ in self.got if where.startswith(path)]


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """An HTTP server that keeps what it takes, which is what it answers below 300."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            time.sleep(state.hang_s)
            status, headers = state.answers.pop(0) if state.answers else (state.always, {})
            state.tries += 1
            if status < 300:
                state.got.append((self.path, json.loads(body) if body else None, time.monotonic()))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield state
        finally:
            server.shutdown()


@dataclass
class MailBox:
    timed: list[tuple[Message, float]] = field(default_factory=list)
    refuses: str = ""
    port: int = 0

    @property
    def got(self) -> list[Message]:
        return [message for message, _ in self.timed]

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuses:
            return self.refuses
        self.timed.append((message_from_bytes(envelope.content), time.monotonic()))
        return "250 OK"


@contextmanager
def mail_server(port: int) -> Iterator[MailBox]:
    box = MailBox(port=port)
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()  # type: ignore[no-untyped-call]
    try:
        yield box
    finally:
        controller.stop()  # type: ignore[no-untyped-call]

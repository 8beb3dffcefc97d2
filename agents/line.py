"""The line to a model's provider, on which every call ends.

Context: a read time-out starts anew with each byte, so a provider that drips holds a thread for as long as it likes.
Choice: the network reads of a call share one allowance of seconds and bytes. Cost: the client's transport is opened to
put our reads into it; a test with a dripping server notices when that stops working.
"""

import contextlib
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

CONNECT_S = 5.0
MAX_BYTES = 2_000_000
CONNECTIONS = httpx2.Limits(max_connections=256, max_keepalive_connections=64)


@dataclass
class Allowance:
    """What is left of one call. ends: by time.monotonic()."""

    ends: float
    bytes_left: int = MAX_BYTES

    def count(self, data: bytes) -> bytes:
        self.bytes_left -= len(data)
        if self.bytes_left < 0:
            raise TooLarge("the answer is too large")
        return data


class TooLarge(httpcore2.ReadError):
    """More bytes than any answer has."""


_allowance: ContextVar[Allowance | None] = ContextVar("allowance", default=None)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """All that is read from providers inside must come within so many seconds and MAX_BYTES."""
    token = _allowance.set(Allowance(time.monotonic() + seconds))
    try:
        yield
    finally:
        _allowance.reset(token)


def timeout(silence_s: float) -> httpx2.Timeout:
    return httpx2.Timeout(silence_s, connect=min(CONNECT_S, silence_s))


def client() -> httpx2.Client:
    """An HTTP client whose network keeps to the allowance of the call it works for, through proxies too."""
    made = httpx2.Client(limits=CONNECTIONS)
    for transport in (made._transport, *made._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _Backend()
    return made


def _left(wanted: float | None) -> float | None:
    """The time-out of one step on the network: as wanted, or less when the allowance ends before."""
    allowance = _allowance.get()
    if allowance is None:
        return wanted
    left = allowance.ends - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("the answer takes too long")
    return left if wanted is None else min(wanted, left)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = self._stream.read(max_bytes, _left(timeout))
        allowance = _allowance.get()
        return allowance.count(data) if allowance else data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore2.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Stream(super().connect_tcp(host, port, _left(timeout), local_address, socket_options))

"""What every channel is, and how it says no."""

from pathlib import PurePosixPath
from typing import Protocol

import httpx
from django.conf import settings

from nextrade.ops.alerting.notices import Notice

TIMEOUT_S = 10.0


class Undelivered(Exception):
    """A notice that was not taken. wait_s: how long the other side asks to be left alone. is_final: it will never
    take this one. turns_off: nor any other. The text holds no secret: no address, no key."""

    def __init__(
        self, message: str, *, code: str = "", wait_s: float = 0, is_final: bool = False, turns_off: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.wait_s = wait_s
        self.is_final = is_final
        self.turns_off = turns_off


class Channel(Protocol):
    name: str

    def is_configured(self) -> bool: ...

    def send(self, notice: Notice) -> str:
        """Hand it over; what the other side answered, such as "202". Raises Undelivered."""
        ...


def post(url: str, body: object) -> httpx.Response:
    """POST JSON within TIMEOUT_S; no redirect is followed. Raises Undelivered without an answer, for 429 and 5xx."""
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=True) as client:
            reply = client.post(url, json=body)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Undelivered(f"no answer: {type(error).__name__}") from error
    if reply.status_code == httpx.codes.TOO_MANY_REQUESTS or reply.is_server_error:
        raise Undelivered(
            f"HTTP {reply.status_code}",
            code=str(reply.status_code),
            wait_s=_wait_s(reply.headers.get("Retry-After", "")),
        )
    return reply


def runbook_url(path: str) -> str:
    """The link to a runbook, of its path in the repository (`Rule.runbook`)."""
    return f"{settings.RUNBOOKS_URL}/{PurePosixPath(path).name or 'README.md'}"


def _wait_s(text: str) -> float:
    """Of a Retry-After in seconds; a date is rare, and an ordinary wait does for it."""
    return float(text) if text.strip().isdigit() else 0.0

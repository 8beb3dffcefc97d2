"""The dead man's switch: an address outside that is asked again and again, and rings when that stops."""

import httpx
from django.conf import settings

from nextrade.ops.alerting.channels.base import TIMEOUT_S

EVERY_S = 30.0


def beat() -> str:
    """Ask it once; what went wrong, or ""."""
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=True) as client:
            reply = client.request(settings.HEARTBEAT_METHOD, settings.HEARTBEAT_URL)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"no answer: {type(error).__name__}"
    return "" if reply.is_success else f"HTTP {reply.status_code}"

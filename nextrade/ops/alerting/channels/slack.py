"""Slack, by an incoming webhook, in the guide's shape.

The guide's colours, and one of its own for `error`, which would have been grey. An app's webhook is bound to one
channel and ignores `channel`; it is sent because older ones heed it.
"""

from typing import Any

from django.conf import settings

from nextrade.ops.alerting.channels.base import Undelivered, post
from nextrade.ops.alerting.notices import Kind, Notice
from nextrade.ops.alerting.rule import SLACK_COLOUR_ELSE, SLACK_COLOURS

RESOLVED_COLOUR = "#2EB67D"
LONGEST_TEXT = 3000
GONE = (401, 403, 404, 410)


class Slack:
    name = "slack"

    def is_configured(self) -> bool:
        return bool(settings.SLACK_WEBHOOK_URL)

    def send(self, notice: Notice) -> str:
        reply = post(settings.SLACK_WEBHOOK_URL, message(notice))
        if not reply.is_success:
            is_gone, code = reply.status_code in GONE, str(reply.status_code)
            raise Undelivered(f"HTTP {code}", code=code, is_final=not is_gone, turns_off=is_gone)
        return str(reply.status_code)


def message(notice: Notice) -> dict[str, Any]:
    is_over = notice.kind == Kind.RESOLVED
    return {
        "channel": settings.SLACK_CHANNEL,
        "attachments": [
            {
                "color": RESOLVED_COLOUR if is_over else SLACK_COLOURS.get(notice.severity, SLACK_COLOUR_ELSE),
                "title": f"NexTrade Alert - {'RESOLVED' if is_over else notice.severity.upper()}",
                "text": escaped(notice.text[:LONGEST_TEXT]),
                "ts": int(notice.at),
            }
        ],
    }


def escaped(text: str) -> str:
    """Slack reads <...> as links and mentions, and & as the start of an entity; nothing else is markup that can call
    people together."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

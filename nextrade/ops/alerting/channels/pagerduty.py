"""PagerDuty, Events API v2: the guide's payload, with a dedup_key so that one trouble is one incident."""

from typing import Any

from django.conf import settings

from nextrade.ops.alerting.channels.base import Undelivered, post, runbook_url
from nextrade.ops.alerting.notices import Kind, Notice

LONGEST_SUMMARY, LONGEST_KEY = 1024, 255
ACTIONS = {Kind.RESOLVED: "resolve", Kind.ACKNOWLEDGED: "acknowledge"}


class PagerDuty:
    name = "pagerduty"

    def is_configured(self) -> bool:
        return bool(settings.PAGERDUTY_ROUTING_KEY)

    def send(self, notice: Notice) -> str:
        reply = post(settings.PAGERDUTY_URL, event(notice))
        if reply.status_code != 202:
            is_key = reply.status_code in (401, 403, 404)
            code = str(reply.status_code)
            raise Undelivered(f"HTTP {code}", code=code, is_final=not is_key, turns_off=is_key)
        return "202"


def event(notice: Notice) -> dict[str, Any]:
    """What is posted: trigger, acknowledge or resolve, all of one episode under one dedup_key."""
    action = ACTIONS.get(notice.kind, "trigger")
    told = {
        "routing_key": settings.PAGERDUTY_ROUTING_KEY,
        "event_action": action,
        "dedup_key": notice.key[:LONGEST_KEY],
    }
    if action != "trigger":
        return told
    return {
        **told,
        "payload": {
            "summary": notice.subject[:LONGEST_SUMMARY],
            "severity": notice.severity,
            "source": "NexTrade API",
            "custom_details": {**notice.details, "alerts": notice.count, "text": notice.text[:4000]},
        },
        "client": "NexTrade",
        "client_url": f"{settings.PUBLIC_URL}/admin/ops/",
        "links": [{"href": runbook_url(notice.runbook), "text": "Runbook"}],
    }

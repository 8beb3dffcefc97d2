"""Alertmanager: who is told of what, in the guide's words and colours, and what is not told while it is explained.

What it cannot do and alertd does: acknowledge, page for what nobody acknowledged, and hold an alert whose source went
away (F21). Secrets are read from files, never written here.
"""

from typing import Any

from nextrade.ops.alerting.rule import PRIORITIES, SLACK_COLOUR_ELSE, SLACK_COLOURS
from nextrade.ops.render.site import Files, Site, as_yaml
from nextrade.ops.rules import INHIBITIONS

SUMMARIES = "{{ range $at, $each := .Alerts }}{{ if $at }}; {{ end }}{{ $each.Annotations.summary }}{{ end }}"
REPEAT = "4h"


def files(site: Site) -> Files:
    content = {
        "global": sending(site),
        "route": routes(site),
        "inhibit_rules": inhibitions(),
        "receivers": [receiver(channels, site) for channels in _used(site)],
    }
    return {"alertmanager/alertmanager.yml": as_yaml(content, source="nextrade/ops/rules.py")}


def sending(site: Site) -> dict[str, Any]:
    return {
        "resolve_timeout": "5m",
        "smtp_smarthost": site.smtp,
        "smtp_from": site.email_from,
        "smtp_require_tls": False,
        "pagerduty_url": site.pagerduty_url,
        "slack_api_url_file": f"{site.secrets}/slack_webhook_url",
    }


def routes(site: Site) -> dict[str, Any]:
    """A rule's own channels before those of its priority."""
    own = sorted({rule.own_channels for rule in site.rules if rule.own_channels})
    by_channel = [{"matchers": [f'channel="{",".join(channels)}"'], "receiver": _name(channels)} for channels in own]
    by_priority = [
        {"matchers": [f'priority="{each.name}"'], "receiver": _name(each.channels), **_pace(each.name)}
        for each in PRIORITIES
    ]
    return {
        "receiver": _name(("email", "slack")),
        "group_by": ["alertname", "component", "name", "job"],
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": REPEAT,
        "routes": [*by_channel, *by_priority],
    }


def inhibitions() -> list[dict[str, Any]]:
    return [
        {"source_matchers": [f'alertname="{each.source}"'], "target_matchers": [f'alertname=~"{"|".join(each.mutes)}"']}
        for each in INHIBITIONS
    ]


def receiver(channels: tuple[str, ...], site: Site) -> dict[str, Any]:
    made: dict[str, Any] = {"name": _name(channels)}
    for channel in channels:
        made |= _CHANNELS[channel](site)
    return made


def _pace(priority: str) -> dict[str, str]:
    if priority == "P1":
        return {"group_wait": "0s"}
    if priority == "none":
        return {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "1m"}
    return {}


def _used(site: Site) -> list[tuple[str, ...]]:
    return sorted({rule.channels for rule in site.rules} | {each.channels for each in PRIORITIES})


def _name(channels: tuple[str, ...]) -> str:
    return "-and-".join(channels)


def _pagerduty(site: Site) -> dict[str, Any]:
    details = {"priority": "{{ .CommonLabels.priority }}", "firing": "{{ .Alerts.Firing | len }}"}
    return {
        "pagerduty_configs": [
            {
                "routing_key_file": f"{site.secrets}/pagerduty_routing_key",
                "send_resolved": True,
                "severity": "{{ .CommonLabels.severity }}",
                "client": "NexTrade API",
                "description": SUMMARIES,
                "details": details,
            }
        ]
    }


def _slack(site: Site) -> dict[str, Any]:
    choices = "{{ else ".join(
        f'if eq .CommonLabels.severity "{severity}" }}}}{colour}' for severity, colour in SLACK_COLOURS.items()
    )
    return {
        "slack_configs": [
            {
                "channel": "#alerts",
                "send_resolved": True,
                "color": f"{{{{ {choices}{{{{ else }}}}{SLACK_COLOUR_ELSE}{{{{ end }}}}",
                "title": "NexTrade Alert - {{ .CommonLabels.severity | toUpper }}",
                "text": SUMMARIES,
            }
        ]
    }


def _email(site: Site) -> dict[str, Any]:
    return {
        "email_configs": [
            {
                "to": site.email_to,
                "send_resolved": True,
                "headers": {"Subject": "[NexTrade Alert] {{ .CommonLabels.alertname }}"},
                "text": SUMMARIES,
                "html": "",
            }
        ]
    }


def _ticket(site: Site) -> dict[str, Any]:
    return {"webhook_configs": [{"url": site.ticket_url, "send_resolved": False}]}


def _heartbeat(site: Site) -> dict[str, Any]:
    return {"webhook_configs": [{"url": site.heartbeat_url, "send_resolved": False}]}


_CHANNELS = {"pagerduty": _pagerduty, "slack": _slack, "email": _email, "ticket": _ticket, "heartbeat": _heartbeat}

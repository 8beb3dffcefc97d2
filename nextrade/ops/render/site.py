"""What a rendering depends on, and how a file is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from nextrade.ops.alerting.rule import Rule
from nextrade.ops.rules import catalogue

Files = Mapping[str, str]
"""Text of each file by its path below the output directory, with slashes."""

HEADER = "# Rendered by `manage.py ops render`: change {source} and render again.\n"


@dataclass(frozen=True, kw_only=True)
class Site:
    """One installation. What is committed under deploy/ is the rendering of `Site()`.

    rules: with their thresholds in force. web: host and port at which a web process answers on its own machine.
    runbooks: what the path of a runbook is put after, to make a link. home: where the product lies. secrets: where its
    secrets lie, one a file. alertmanager, blackbox, smtp: hosts and ports of
    Alertmanager, the blackbox exporter, the mail server. ticket_url, heartbeat_url: where Alertmanager posts
    tickets and the sign of life. user: whom the processes run as. data, backups, logs, tls: folders. host: the name
    that people use. image: of the containers. http_port, https_port: where nginx listens.
    """

    rules: tuple[Rule, ...] = catalogue()
    web: str = "127.0.0.1:8000"
    runbooks: str = "docs/runbooks"
    home: str = "/opt/nextrade"
    secrets: str = "/etc/nextrade/secrets"
    alertmanager: str = "127.0.0.1:9093"
    blackbox: str = "127.0.0.1:9115"
    smtp: str = "localhost:25"
    email_from: str = "alerts@nextrade.com"
    email_to: str = "team@nextrade.com"
    pagerduty_url: str = "https://events.pagerduty.com/v2/enqueue"
    ticket_url: str = "http://tickets.nextrade.example/alerts"
    heartbeat_url: str = "http://heartbeat.nextrade.example/nextrade"
    user: str = "nextrade"
    data: str = "/var/lib/nextrade"
    backups: str = "/var/backups/nextrade"
    logs: str = "/var/log/nextrade"
    tls: str = "/etc/nextrade/tls"
    host: str = "nextrade.example"
    image: str = "nextrade:0.1.0"
    http_port: int = 80
    https_port: int = 443


class _Plain(yaml.SafeDumper):
    """Lists indented as people write them, and no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_yaml(content: Any, *, source: str) -> str:
    """source: where a reader goes to change it."""
    text = yaml.dump(content, Dumper=_Plain, sort_keys=False, width=10_000, allow_unicode=True)
    return HEADER.format(source=source) + text

"""Where alertd does not do all of it itself: alerts handed to an Alertmanager, or read from a Prometheus."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
from django.conf import settings

from nextrade.ops.alerting.channels.base import runbook_url
from nextrade.ops.alerting.engine import Engine
from nextrade.ops.alerting.rule import Rule
from nextrade.ops.alerting.series import Vector, labels_of
from nextrade.ops.alerting.states import Alert, State, Transition

TIMEOUT_S = 10.0
HOLDS_S = 24 * 3600.0
"""An Alertmanager calls an alert resolved at its endsAt: far off, so that our end is no good news."""


def alerts(engine: Engine, changes: Iterable[Transition], *, at: float) -> list[dict[str, Any]]:
    """All that is open, and what has just ended, as Alertmanager's API v2 takes it."""
    ended = [change.alert for change in changes if change.alert.state == State.RESOLVED]
    by_name = {rule.name: rule for rule in engine.rules_in_force()}
    return [
        _posted(by_name[alert.rule], alert, at=at) for alert in (*engine.open_alerts(), *ended) if alert.rule in by_name
    ]


def post(told: list[dict[str, Any]]) -> str:
    """What went wrong, or ""."""
    if not told:
        return ""
    try:
        with httpx.Client(timeout=TIMEOUT_S) as client:
            reply = client.post(f"{settings.ALERTMANAGER_URL.rstrip('/')}/api/v2/alerts", json=told)
    except httpx.HTTPError as error:
        return f"no answer: {type(error).__name__}"
    return "" if reply.is_success else f"HTTP {reply.status_code}"


def read() -> dict[str, list[dict[str, Any]]]:
    """What fires in the Prometheus, by the rule's name. Raises httpx.HTTPError, ValueError, KeyError."""
    with httpx.Client(timeout=TIMEOUT_S) as client:
        reply = client.get(f"{settings.PROMETHEUS_URL.rstrip('/')}/api/v1/alerts")
    reply.raise_for_status()
    found: dict[str, list[dict[str, Any]]] = {}
    for alert in reply.json()["data"]["alerts"]:
        if alert["state"] == "firing":
            found.setdefault(alert["labels"]["alertname"], []).append(alert)
    return found


def vector(rule: Rule, firing: Iterable[dict[str, Any]]) -> Vector:
    """A Prometheus' alerts of a rule, as our own evaluation would have them: without the labels all of them carry."""
    common = {"alertname", *rule.labels}
    return {
        labels_of({name: value for name, value in each["labels"].items() if name not in common}): float(each["value"])
        for each in firing
    }


def _posted(rule: Rule, alert: Alert, *, at: float) -> dict[str, Any]:
    ends_at = at if alert.state == State.RESOLVED else at + HOLDS_S
    return {
        "labels": {"alertname": alert.rule, **dict(alert.labels), **rule.labels},
        "annotations": {"summary": alert.text, "runbook_url": runbook_url(rule.runbook)},
        "startsAt": _time(alert.fired_s),
        "endsAt": _time(ends_at),
        "generatorURL": f"{settings.PUBLIC_URL}/admin/ops/",
    }


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()

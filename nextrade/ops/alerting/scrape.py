"""Look at a web process from outside: its /health and its /metrics, each within a bounded time."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_S = 5.0
DEADLINE_S = 8.0
"""Of a whole answer: a body that drips keeps every single read within its time."""
LONGEST_BODY = 20_000_000
HEALTH_CODES = (200, 503)

Reading = tuple[str, dict[str, str], float]
"""A metric's name, its labels, its value."""


@dataclass(frozen=True, kw_only=True)
class Scrape:
    """What was seen. answers: /health came in its time and shape, be it with 503. readings: None without /metrics."""

    answers: bool
    status: str = ""
    components: Mapping[str, bool] = field(default_factory=dict)
    readings: tuple[Reading, ...] | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """url: of a web process, without a path. host: which name to ask for, where that is not the address's.
    token: for /metrics."""

    url: str
    host: str = ""
    token: str = ""


def look(target: Target, names: Collection[str]) -> Scrape:
    """Both pages, one after the other; never raises. names: the metrics of which readings are kept."""
    headers = {"Host": target.host} if target.host else {}
    with httpx.Client(timeout=TIMEOUT_S, headers=headers, trust_env=False) as client:
        try:
            health = _health(client, target)
        except (httpx.HTTPError, ValueError) as error:
            return Scrape(answers=False, problem=_short(error))
        try:
            readings, problem = _readings(client, target, names), ""
        except (httpx.HTTPError, ValueError) as error:
            readings, problem = None, _short(error)
    return Scrape(
        answers=True,
        status=str(health["status"]),
        components={str(name): is_up is True for name, is_up in health["components"].items()},
        readings=readings,
        problem=problem,
    )


def _health(client: httpx.Client, target: Target) -> dict[str, Any]:
    code, body = _get(client, f"{target.url}/health", {"Accept": "application/json"})
    if code not in HEALTH_CODES:
        raise ValueError(f"/health answered {code}")
    told = httpx.Response(code, content=body).json()
    if not isinstance(told, dict) or not isinstance(told.get("components"), dict) or "status" not in told:
        raise ValueError("/health is not in its shape")
    return told


def _readings(client: httpx.Client, target: Target, names: Collection[str]) -> tuple[Reading, ...]:
    code, body = _get(
        client, f"{target.url}/metrics", {"Authorization": f"Bearer {target.token}"} if target.token else {}
    )
    if code != httpx.codes.OK:
        raise ValueError(f"/metrics answered {code}")
    families = text_string_to_metric_families(body.decode())
    return tuple(
        (sample.name, dict(sample.labels), float(sample.value))
        for family in families
        for sample in family.samples
        if sample.name in names and sample.value == sample.value
    )


def _get(client: httpx.Client, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
    until, body = time.monotonic() + DEADLINE_S, bytearray()
    with client.stream("GET", url, headers=headers) as reply:
        for part in reply.iter_bytes():
            body += part
            if time.monotonic() > until or len(body) > LONGEST_BODY:
                raise ValueError("the answer does not end")
        return reply.status_code, bytes(body)


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]

"""`/metrics`: what all processes have counted, what the database knows, what the machine has left.

django-prometheus' own view is open to all, and in multiprocess mode it knows neither collectors of ours nor memory.
Open on loopback; elsewhere for who has the token or an address of the list.
"""

import ipaddress
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from nextrade import addresses
from nextrade.middleware import refusal
from nextrade.ops import counted
from nextrade.ops.machine import Machine
from nextrade.ops.state import State


def metrics(request: HttpRequest) -> HttpResponse:
    if not may_scrape(request):
        answer = refusal(401, "invalid_token", "Invalid token", request)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def exposition() -> bytes:
    """Prometheus' text format."""
    registry = CollectorRegistry()
    counted.register(registry, Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
    registry.register(State())
    registry.register(Machine())
    return generate_latest(registry)


def may_scrape(request: HttpRequest) -> bool:
    address = addresses.client(request)
    if address is not None and (address.is_loopback or any(address in network for network in allowed())):
        return True
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    is_known = secrets.compare_digest(token.strip().encode(), settings.METRICS_TOKEN.encode())
    return bool(settings.METRICS_TOKEN) and scheme.lower() == "bearer" and is_known


def allowed() -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(network) for network in settings.METRICS_ALLOW]

"""`/metrics`: what all processes have counted. The stock view of django-prometheus knows no multiprocess collectors
of ours."""

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest, multiprocess

from agents.metrics import BreakerStates
from compliance import seal
from nextrade.ops.punctuality import Punctuality


def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    oldest = seal.oldest_unsealed()
    waits_s = (timezone.now() - oldest).total_seconds() if oldest else 0
    unsealed = Gauge("nextrade_audit_unsealed_seconds", "age of the oldest event that is not sealed", registry=registry)
    unsealed.set(max(0, waits_s))
    registry.register(BreakerStates())
    registry.register(Punctuality())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

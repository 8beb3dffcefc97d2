"""Traces (OpenTelemetry) and reports of errors (Sentry), each off until its address is set.

What leaves this machine is redacted, and holds neither bodies of requests nor local variables: a chat is a person's.
"""

import os
from typing import Any

from django.conf import settings

from nextrade.redaction import redact_all

UNTRACED = "ht/,health,metrics,static/"
FLUSH_S = 3


def start() -> None:
    """Called once a process, before its first request."""
    if settings.SENTRY_DSN:
        _report_errors()
    if settings.OTLP_ENDPOINT:
        _trace()


def _report_errors() -> None:
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        environment="demo" if settings.DEMO else "production",
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        shutdown_timeout=FLUSH_S,
        before_send=lambda event, hint: redact_all(event),
        before_breadcrumb=lambda crumb, hint: redact_all(crumb),
    )


def _trace() -> None:
    os.environ.setdefault("OTEL_PYTHON_DJANGO_EXCLUDED_URLS", UNTRACED)
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": settings.OTEL_SERVICE_NAME}))
    address = f"{settings.OTLP_ENDPOINT.rstrip('/')}/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=FLUSH_S)))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(response_hook=_name_request)


def _name_request(span: Any, request: Any, response: Any) -> None:
    """Our request's id on its span, so that a trace and the log find each other."""
    if span.is_recording():
        span.set_attribute("nextrade.request_id", str(request.META.get("nextrade.request_id", "")))

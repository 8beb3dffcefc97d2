"""The components that must work, each a django-health-check check, and the two pages that show them.

The guide's shape and codes: 200 for healthy and degraded, 503 when the database is gone. A warning is 500 and a hung
check holds the answer in the stock view, so both are mended here.
"""

import contextlib
import dataclasses
import functools
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta
from typing import Any, ClassVar

from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable
from health_check.views import HealthCheckView

from agents.models import Breaker
from compliance import seal
from compliance.models import ComplianceEvent
from nextrade.errors import Unavailable
from nextrade.ops.models import Heartbeat

log = logging.getLogger(__name__)
CRITICAL = frozenset({"api", "database"})
LLM_RESULT_S = 60
HEARTBEAT_AGE = timedelta(minutes=2)
UNSEALED_AGE = timedelta(minutes=1)


@dataclasses.dataclass
class Api(HealthCheck):
    """This process answers."""

    component: ClassVar[str] = "api"

    def run(self) -> None:
        return None


@dataclasses.dataclass
class Database(HealthCheck):
    """A real table can be read and every migration is applied: SELECT 1 is content with an empty file."""

    component: ClassVar[str] = "database"

    def run(self) -> None:
        try:
            ComplianceEvent.objects.order_by("-pk").values_list("pk", flat=True).first()
            if _unapplied():
                raise ServiceUnavailable("migrations are missing")
        except ServiceUnavailable:
            raise
        except Exception as error:
            log.error("Database health check failed: %s", type(error).__name__)  # noqa: TRY400 - no traceback a probe
            raise ServiceUnavailable("the database cannot be read") from error
        finally:
            connection.close()


@dataclasses.dataclass
class Llm(HealthCheck):
    """The supervisor can be built and its model's provider answers, asked once a minute for all processes."""

    component: ClassVar[str] = "llm"
    timeout = timedelta(seconds=4)

    def run(self) -> None:
        from agents import graph

        try:
            graph.desk()
            problem = cache.get_or_set("health.llm", _llm_problem, LLM_RESULT_S)
        finally:
            connection.close()
        if problem:
            log.error("LLM health check failed: %s", problem)
            raise ServiceUnavailable(problem)


@dataclasses.dataclass
class Scheduler(HealthCheck):
    """A scheduled task has been through the queue and a worker lately."""

    component: ClassVar[str] = "scheduler"

    def run(self) -> None:
        try:
            beat = Heartbeat.objects.filter(name="scheduler").first()
        finally:
            connection.close()
        if beat is None or timezone.now() - beat.at > HEARTBEAT_AGE:
            raise ServiceUnavailable("no scheduled task has finished in the last two minutes")


@dataclasses.dataclass
class Sealer(HealthCheck):
    """The sealer has made a round lately, and no event waits for it too long."""

    component: ClassVar[str] = "sealer"

    def run(self) -> None:
        try:
            beat = Heartbeat.objects.filter(name="sealer").first()
            oldest = seal.oldest_unsealed()
        finally:
            connection.close()
        now = timezone.now()
        if beat is None or now - beat.at > HEARTBEAT_AGE:
            raise ServiceUnavailable("the audit trail is not being sealed")
        if oldest and now - oldest > UNSEALED_AGE:
            raise ServiceUnavailable(f"an event waits to be sealed since {oldest:%H:%M:%S}")


class CircuitBreaker(HealthCheck):
    """Every model's provider may be called."""

    component: ClassVar[str] = "circuit_breaker"

    def run(self) -> None:
        try:
            is_open = Breaker.objects.exclude(state=Breaker.State.CLOSED).exists()
        finally:
            connection.close()
        if is_open:
            raise ServiceUnavailable("a circuit breaker is open")


CHECKS: tuple[type[HealthCheck], ...] = (Api, Llm, Database, CircuitBreaker, Scheduler, Sealer)


class HealthPage(HealthCheckView):
    """`/ht/` and `/health`: a page for browsers, JSON in the guide's shape for the rest."""

    checks = CHECKS

    @contextlib.contextmanager
    def get_executor(self) -> Iterator[ThreadPoolExecutor]:
        pool = ThreadPoolExecutor(max_workers=len(CHECKS))
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    async def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response: HttpResponse = await super().get(request, *args, **kwargs)
        except ValueError:  # an Accept header that is none
            response = self.render_to_response_json()
        response.headers["Cache-Control"] = "no-store"
        if response.status_code in (200, 500):
            response.status_code = 503 if self.report()["status"] == "unhealthy" else 200
        return response

    def report(self) -> dict[str, Any]:
        """The guide's answer, of the results of this request."""
        components = {result.check.component: result.error is None for result in self.results}
        return {
            "status": grade(components),
            "timestamp": timezone.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "components": components,
        }

    def render_to_response_json(self, *args: Any, **kwargs: Any) -> JsonResponse:
        return JsonResponse(self.report())


class HealthJson(HealthPage):
    """The guide's `/health`: JSON, whatever is accepted."""

    def render_to_response(self, *args: Any, **kwargs: Any) -> JsonResponse:
        return self.render_to_response_json()


def grade(components: Mapping[str, bool]) -> str:
    """healthy, degraded, or unhealthy when something is down without which nothing works."""
    down = {name for name, is_up in components.items() if not is_up}
    return "unhealthy" if down & CRITICAL else "degraded" if down else "healthy"


def _unapplied() -> bool:
    return not _migrations() <= set(MigrationRecorder(connection).applied_migrations())


@functools.cache
def _migrations() -> frozenset[tuple[str, str]]:
    """(app, name) of every migration on disk, which does not change while a process lives."""
    return frozenset(MigrationLoader(None).disk_migrations)


def _llm_problem() -> str:
    from agents import llm

    try:
        llm.reach()
    except Unavailable as error:
        return error.message
    return ""

"""The components that must work, each a django-health-check check that says in words what is wrong.

To add one of your own, name its class in the setting HEALTH_CHECKS, with its options.
"""

import dataclasses
import functools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import psutil
from django.conf import settings
from django.core.cache import cache
from django.db import DatabaseError, connection, connections
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.module_loading import import_string
from health_check.base import HealthCheck
from health_check.exceptions import ServiceUnavailable

from agents.models import Breaker
from compliance import seal
from nextrade.errors import Unavailable
from nextrade.ops import asking, database, processes
from nextrade.ops.backup import shelf
from nextrade.ops.models import Heartbeat

BEAT_AGE = timedelta(minutes=2)
UNSEALED_AGE = timedelta(minutes=1)
ALERTING_AGE = timedelta(seconds=60)
BACKUP_AGE = timedelta(hours=26)
MOST_MEMORY_BYTES = 4 * 10**9
"""What all processes may take: the guide's 4 GB, decimal."""
MOST_PCT = 95
"""Of a disk, or of the machine's memory, that may be in use."""


@dataclasses.dataclass
class Component(HealthCheck):
    """A check in a thread of its own, which gives its database connections back. component: its key in the answer."""

    component: ClassVar[str]
    title: ClassVar[str]
    timeout = timedelta(seconds=4)

    def run(self) -> None:
        try:
            self.look()
        except DatabaseError as error:
            raise ServiceUnavailable("unknown: the database cannot be read") from error
        finally:
            connections.close_all()

    def look(self) -> None:
        """Raises ServiceUnavailable with what is wrong, in words that hold no secret."""
        raise NotImplementedError


class Api(Component):
    """This process answers."""

    component = "api"
    title = "API server"

    def look(self) -> None:
        return


class Llm(Component):
    """The supervisor can be built, its graph is whole, and its model's provider answered lately."""

    component = "llm"
    title = "LLM provider"

    def look(self) -> None:
        from agents import graph, llm

        try:
            graph.desk().validate()
        except (ValueError, TypeError, Unavailable) as error:
            raise ServiceUnavailable(f"the supervisor cannot be built: {type(error).__name__}") from error
        if settings.MODEL == llm.OFFLINE:
            return
        _must_be_well(asking.problem(f"llm:{llm.provider(settings.MODEL)}/{settings.MODEL}", llm.reach))


class Database(Component):
    """The database can be read and written, and has every migration (nextrade.ops.database)."""

    component = "database"
    title = "Database"
    timeout = timedelta(seconds=2)
    _trial: ClassVar[database.Trial] = database.Trial()

    def look(self) -> None:
        self._trial.run()


class CircuitBreaker(Component):
    """Every model's provider may be called."""

    component = "circuit_breaker"
    title = "Circuit breaker"

    def look(self) -> None:
        if is_open := Breaker.objects.exclude(state=Breaker.State.CLOSED).values_list("name", flat=True).first():
            raise ServiceUnavailable(f"the breaker of {is_open} is open")


class Cache(Component):
    """The shared cache gives back what was put into it. A table is only read: the database's own check writes."""

    component = "cache"
    title = "Cache"

    def look(self) -> None:
        try:
            if settings.REDIS_URL:
                cache.set("health", "ok", 30)
            found = cache.get("health")
        except Exception as error:
            raise ServiceUnavailable(f"it cannot be reached: {type(error).__name__}") from error
        if settings.REDIS_URL and found != "ok":
            raise ServiceUnavailable(
                "Redis does not keep what it is given; rates and breakers are in the database alone"
            )


class Scheduler(Component):
    """A scheduled task has been through the queue and a worker lately."""

    component = "scheduler"
    title = "Scheduler and queue"

    def look(self) -> None:
        _must_have_beaten("scheduler", BEAT_AGE, "no scheduled task has finished in the last two minutes")


class Sealer(Component):
    """The sealer has made a round lately, and no event waits for it too long."""

    component = "sealer"
    title = "Audit sealer"

    def look(self) -> None:
        _must_have_beaten("sealer", BEAT_AGE, "the audit trail is not being sealed")
        oldest = seal.oldest_unsealed()
        if oldest and timezone.now() - oldest > UNSEALED_AGE:
            raise ServiceUnavailable(f"an event waits to be sealed since {oldest:%H:%M:%S}")


class Alerting(Component):
    """The process that raises alerts has made a round lately."""

    component = "alerting"
    title = "Alerting"

    def look(self) -> None:
        _must_have_beaten("alertd", ALERTING_AGE, "nobody watches: alertd has not been heard of for a minute")


class Broker(Component):
    """The broker answers. Only the worker has its keys, so the worker asks it (nextrade.ops.tasks.look_at_broker)."""

    component = "broker"
    title = "Broker"

    def look(self) -> None:
        from orders import brokers

        if settings.BROKER == "paper":
            brokers.broker().positions()
            return
        told = asking.known("broker")
        if told is None or told.age_s > asking.STALE_S:
            raise ServiceUnavailable("the worker has not heard of the broker lately")
        _must_be_well(told.problem)


class Quotes(Component):
    """The provider of prices has one for a share that always has one."""

    component = "quotes"
    title = "Market data"
    SYMBOL: ClassVar[str] = "AAPL"

    def look(self) -> None:
        from orders import quotes

        provider = quotes.provider()
        ask = functools.partial(provider.latest, self.SYMBOL, at=timezone.now())
        if provider.name != "simulated":
            _must_be_well(asking.problem(f"quotes:{provider.name}", ask))
            return
        try:
            ask()
        except Unavailable as error:
            raise ServiceUnavailable(error.message) from error


@dataclasses.dataclass
class Disk(Component):
    """The volumes of data, backups and logs have room. most_pct: of each that may be in use."""

    component = "disk"
    title = "Disk"
    most_pct: float = MOST_PCT

    def look(self) -> None:
        for path in volumes():
            pct = psutil.disk_usage(str(path)).percent
            if pct > self.most_pct:
                raise ServiceUnavailable(f"{path} is {pct:.0f} % full")


@dataclasses.dataclass
class Memory(Component):
    """Our processes and the machine have memory left."""

    component = "memory"
    title = "Memory"
    most_bytes: int = MOST_MEMORY_BYTES
    most_pct: float = MOST_PCT

    def look(self) -> None:
        ours = sum(processes.memory_bytes().values())
        if ours > self.most_bytes:
            raise ServiceUnavailable(f"our processes take {ours / 10**9:.1f} GB")
        machine = psutil.virtual_memory()
        if machine.percent > self.most_pct:
            raise ServiceUnavailable(f"the machine's memory is {machine.percent:.0f} % in use")


@dataclasses.dataclass
class Backup(Component):
    """The newest backup is from this day or the last; a new installation has as long to make its first."""

    component = "backup"
    title = "Backups"
    max_age: timedelta = BACKUP_AGE

    def look(self) -> None:
        names = shelf.data().names()
        since = shelf.taken_at(names[-1]) if names else self._installed_at()
        if timezone.now() - since > self.max_age:
            hours = (timezone.now() - since) / timedelta(hours=1)
            raise ServiceUnavailable(f"no backup for {hours:.0f} hours")

    def _installed_at(self) -> datetime:
        applied = MigrationRecorder(connection).applied_migrations().values()
        first: datetime = min(migration.applied for migration in applied)
        return first


@dataclasses.dataclass
class ExternalHTTP(HealthCheck):
    """Somebody else's address answers 200. For the setting HEALTH_CHECKS.

    url: http or https, asked anew at each check. name: the component's key. timeout: seconds for the whole answer.
    """

    url: str = dataclasses.field(repr=False)
    name: str
    timeout: Any = 5

    def __post_init__(self) -> None:
        self.component = self.name
        self.title = self.name.replace("_", " ").capitalize()
        self.timeout = timedelta(seconds=self.timeout)

    def run(self) -> None:
        import httpx

        try:
            with httpx.stream("GET", self.url, timeout=self.timeout.total_seconds()) as response:
                status = response.status_code
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"no answer: {type(error).__name__}") from error
        if status != 200:
            raise ServiceUnavailable(f"it answered {status}")


SHIPPED: tuple[type[Component], ...] = (
    *(Api, Llm, Database, CircuitBreaker, Cache, Scheduler, Sealer),
    *(Alerting, Broker, Quotes, Disk, Memory, Backup),
)


@functools.cache
def installed() -> Sequence[HealthCheck]:
    """Ours, then those of HEALTH_CHECKS, each made once: they keep no state of a check."""
    return (*(check() for check in SHIPPED), *(import_string(path)(**options) for path, options in own()))


def own() -> list[tuple[str, dict[str, object]]]:
    return [(path, dict(options)) for path, options in settings.HEALTH_CHECKS]


def volumes() -> list[Path]:
    """Where data, backups and log files lie, or will, each once; a directory that is not there yet by its parent."""
    wanted = (settings.DATA_DIR, settings.BACKUP_DIR, Path(settings.LOG_FILE or settings.DATA_DIR / "x").parent)
    return list(dict.fromkeys(_there(Path(path).resolve()) for path in wanted))


def _there(path: Path) -> Path:
    return path if path.exists() else _there(path.parent)


def _must_be_well(problem: str) -> None:
    if problem:
        raise ServiceUnavailable(problem)


def _must_have_beaten(name: str, within: timedelta, otherwise: str) -> None:
    beat = Heartbeat.objects.filter(name=name).first()
    if beat is None or timezone.now() - beat.at > within:
        raise ServiceUnavailable(otherwise)

"""The circuit breaker of each provider and model: one row, shared by all processes.

Context: a dead provider must not be called by every worker, nor hold every person for the length of a time-out.
Choice: calls are free while the provider has answered lately; without such a proof at most THRESHOLD are under way,
and as many failures in a row open the breaker; after RECOVERY one probe goes through. Cost: after a silence, a crowd
waits for the first answer. Reads alone while all is well: a row is written every few seconds at most.
With Redis a new proof is there too, and while it is nothing else is asked; without, or while that is away, the row is.
A proof that could not be taken back because Redis was away ends within seconds, or with the first call that fails.
"""

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q

from agents.metrics import BREAKER_TRIPS
from agents.models import Breaker
from compliance import alerts, audit
from compliance.audit import Action
from nextrade.errors import Missing

log = logging.getLogger(__name__)
THRESHOLD = 5
RECOVERY = timedelta(seconds=30)
PROOF_HOLDS = timedelta(seconds=15)
PROOF_IS_NEW = timedelta(seconds=5)
LEASE = timedelta(seconds=30)
"""After so long, what was let through and never reported back died with its process."""
State = Breaker.State


def admit(name: str, *, at: datetime) -> Breaker | None:
    """Let one call through, or None when it must wait for others' answers or the breaker is open (`is_shut`)."""
    if settings.REDIS_URL and (proved_at := cache.get(_proof(name))):
        return Breaker(name=name, proved_at=proved_at)
    row, _ = Breaker.objects.get_or_create(name=name)
    if row.state == State.CLOSED:
        is_proved = row.proved_at is not None and at - row.proved_at < PROOF_HOLDS
        return row if is_proved or _try(row, at=at) else None
    return row if _probe(row, at=at) else None


def is_shut(name: str) -> bool:
    """Whether calls are refused now, rather than made to wait."""
    return Breaker.objects.filter(pk=name).exclude(state=State.CLOSED).exists()


def succeeded(row: Breaker, *, at: datetime) -> None:
    """Whom `admit` let through has an answer, be it that the request was wrong."""
    rows = Breaker.objects.filter(pk=row.pk)
    proof = {"failures": 0, "tries": 0, "proved_at": at, "last_error": ""}
    if row.state == State.HALF_OPEN:
        if rows.filter(state=State.HALF_OPEN).update(state=State.CLOSED, opened_at=None, **proof):
            log.info("Circuit breaker '%s' recovered. Closing circuit.", row.name)
    elif row.failures or row.proved_at is None or at - row.proved_at > PROOF_IS_NEW:
        is_proved = rows.filter(state=State.CLOSED).update(**proof)
        if is_proved and settings.REDIS_URL:
            cache.set(_proof(row.name), at, PROOF_IS_NEW.total_seconds())


def failed(row: Breaker, error: str, *, at: datetime) -> None:
    """Whom `admit` let through has none, by the provider's fault. error: its class, in words."""
    rows = Breaker.objects.filter(pk=row.pk)
    if row.state == State.HALF_OPEN:
        rows.filter(state=State.HALF_OPEN).update(state=State.OPEN, opened_at=at, last_error=error)
        return
    rows.filter(state=State.CLOSED).update(failures=F("failures") + 1, proved_at=None, last_error=error)
    if settings.REDIS_URL:
        cache.delete(_proof(row.name))
    with transaction.atomic():
        if not rows.filter(state=State.CLOSED, failures__gte=THRESHOLD).update(state=State.OPEN, opened_at=at):
            return
        facts = {"breaker": row.name, "failures": rows.get().failures, "error": error}
        alerts.raise_alert("circuit_breaker_opened", actor="system:breaker", at=at, details=facts)
    BREAKER_TRIPS.labels(row.name).inc()
    log.error("Circuit breaker '%s' OPENED after %d failures", row.name, facts["failures"])


def reset(name: str, *, by: str, at: datetime) -> None:
    """Close a breaker by hand. Raises Missing."""
    with transaction.atomic(durable=True):
        fresh = {"failures": 0, "tries": 0, "proved_at": None, "opened_at": None, "last_error": ""}
        if not Breaker.objects.filter(pk=name).update(state=State.CLOSED, **fresh):
            raise Missing(f"there is no circuit breaker {name}")
        audit.record(Action.BREAKER_RESET, actor=by, at=at, details={"breaker": name})


def _proof(name: str) -> str:
    return f"breaker.{name}"


def _try(row: Breaker, *, at: datetime) -> bool:
    """Take one of the few calls that may be under way without a proof."""
    is_stale = row.tried_at is None or row.tried_at <= at - LEASE
    if row.tries >= THRESHOLD and not is_stale:
        return False
    mine = Breaker.objects.filter(pk=row.pk, state=State.CLOSED)
    if is_stale:
        return bool(mine.filter(tried_at=row.tried_at).update(tries=1, tried_at=at))
    return bool(mine.filter(tries__lt=THRESHOLD).update(tries=F("tries") + 1, tried_at=at))


def _probe(row: Breaker, *, at: datetime) -> bool:
    """Be the one call that finds out whether the provider is back, or was when the last probe died."""
    due = Q(state=State.OPEN, opened_at__lte=at - RECOVERY) | Q(state=State.HALF_OPEN, tried_at__lte=at - LEASE)
    won = Breaker.objects.filter(due, pk=row.pk).update(state=State.HALF_OPEN, tries=1, tried_at=at)
    row.state = State.HALF_OPEN
    return bool(won)

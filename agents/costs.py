"""What language models cost: dated prices, the day's spending, budgets.

A call keeps the cost of its day. A model without a price has no cost (null, never 0): it is counted apart, and no
budget sees it. Days are UTC.
"""

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Q, QuerySet, Sum

from agents.models import ModelCall, ModelPrice
from agents.turn import Call
from compliance import alerts, audit
from compliance.audit import Action
from compliance.models import ComplianceEvent
from nextrade.errors import Exhausted

log = logging.getLogger(__name__)
MILLION = Decimal(1_000_000)
WARN_AT = Decimal("0.8")
PRICES_S = 10
"""How old what a process knows of the prices may be."""
SUMS = {
    "calls": Count("pk"),
    "input_tokens": Sum("input_tokens"),
    "output_tokens": Sum("output_tokens"),
    "cached_tokens": Sum("cached_tokens"),
    "unpriced_calls": Count("pk", filter=Q(cost_usd=None)),
    "cost_usd": Sum("cost_usd"),  # last, since it takes the column's name
}


class BudgetExceeded(Exhausted):
    code = "budget_exceeded"


@dataclass(frozen=True, kw_only=True)
class Budget:
    """One person's or the firm's (whose: "yours", "the firm's") for a day, in USD."""

    whose: str
    limit_usd: Decimal
    spent_usd: Decimal

    @property
    def left_usd(self) -> Decimal:
        return max(Decimal(0), self.limit_usd - self.spent_usd)


def prices(models: set[str], *, at: datetime) -> Mapping[str, ModelPrice]:
    """The price of each model that holds at a moment; a model without one is absent."""
    return _prices(frozenset(models), at.date(), int(monotonic() / PRICES_S))


@functools.lru_cache(maxsize=64)
def _prices(models: frozenset[str], day: date, period: int) -> Mapping[str, ModelPrice]:
    rows = ModelPrice.objects.filter(model__in=models, valid_from__lte=day).order_by("valid_from")
    return {price.model: price for price in rows}


def cost_usd(call: Call, price: ModelPrice | None) -> Decimal | None:
    """input_tokens contain the cached ones, which have a price of their own."""
    if price is None:
        return None
    fresh = max(0, call.input_tokens - call.cached_tokens)
    total = fresh * price.input_usd + call.cached_tokens * price.cached_usd + call.output_tokens * price.output_usd
    return total / MILLION


def require_budget(user: User, *, at: datetime) -> None:
    """Raises BudgetExceeded when the person or the firm has spent the day's budget."""
    for budget in budgets(user, at=at):
        if budget.spent_usd >= budget.limit_usd:
            raise BudgetExceeded(
                f"Today's budget for language models is spent ({budget.whose}: {budget.limit_usd} USD). "
                "It starts anew at midnight UTC.",
                wait_s=(_midnight(at) + timedelta(days=1) - at).total_seconds(),
            )


def warn(user: User, *, at: datetime) -> None:
    """Raise an alert once a day for each budget that is four fifths spent. Its own transaction."""
    for budget in budgets(user, at=at):
        who = audit.person(user) if budget.whose == "yours" else "firm"
        if budget.spent_usd < budget.limit_usd * WARN_AT or _is_told(who, at=at):
            continue
        details = {"of": who, "spent_usd": str(budget.spent_usd), "limit_usd": str(budget.limit_usd)}
        with transaction.atomic(durable=True):
            alerts.raise_alert("model_budget", actor="system:costs", at=at, details=details)


def budgets(user: User, *, at: datetime) -> list[Budget]:
    """Those that are set: the person's, the firm's."""
    found = []
    for whose, limit, calls in (
        ("yours", settings.BUDGET_USER_USD, {"user": user}),
        ("the firm's", settings.BUDGET_FIRM_USD, {}),
    ):
        if limit:
            spent = ModelCall.objects.filter(at__gte=_midnight(at), **calls).aggregate(sum=Sum("cost_usd"))["sum"]
            found.append(Budget(whose=whose, limit_usd=Decimal(limit), spent_usd=spent or Decimal(0)))
    return found


def usage(calls: QuerySet[ModelCall], *by: str) -> Sequence[dict[str, Any]]:
    """Sums of calls, one row for each combination of the named columns ("user__username", "agent", "model")."""
    return list(calls.values(*by).annotate(**SUMS).order_by(*by))


def total(calls: QuerySet[ModelCall]) -> dict[str, Any]:
    return {name: value or 0 for name, value in calls.aggregate(**SUMS).items()}


def today(at: datetime) -> QuerySet[ModelCall]:
    return ModelCall.objects.filter(at__gte=_midnight(at))


def set_price(price: ModelPrice, *, by: User, at: datetime) -> None:
    """Keep a new price, and who set it. Within the caller's transaction, if there is one, as in the admin's form."""
    with transaction.atomic():
        price.set_by = audit.person(by)
        price.save(force_insert=True)
        details = {
            "model": price.model,
            "valid_from": price.valid_from.isoformat(),
            **{name: str(getattr(price, name)) for name in ("input_usd", "cached_usd", "output_usd")},
            "source": price.source,
        }
        audit.record(Action.PRICE_SET, actor=price.set_by, at=at, details=details)
        transaction.on_commit(_prices.cache_clear)


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.date(), time.min, at.tzinfo)


def _is_told(who: str, *, at: datetime) -> bool:
    today = ComplianceEvent.objects.filter(action=Action.ALERT_RAISED, ts_utc__gte=_midnight(at))
    return today.filter(details__alert="model_budget", details__of=who).exists()

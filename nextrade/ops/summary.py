"""The guide's numbers in one place, for the terminal and the admin's page."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from agents import costs
from nextrade.ops import state
from orders.models import Order, Status


def summary() -> dict[str, Any]:
    """Ratios in percent, None where there is nothing to divide by."""
    decided = state.decisions()
    today = costs.total(costs.today(timezone.now()))
    users = {sample.labels["window"]: int(sample.value) for family in state.people() for sample in family.samples}
    return {
        "approval_rate_pct": approval_rate_pct(decided),
        **{f"orders_{name}": count for name, count in decided.items()},
        "orders_pending": Order.objects.filter(status=Status.PENDING_APPROVAL).count(),
        "active_users_24h": users["24h"],
        "orders": Order.objects.count(),
        "model_calls_today": today["calls"],
        "model_cost_usd_today": str(today["cost_usd"]),
    }


def approval_rate_pct(decided: Mapping[str, int]) -> float | None:
    """Approved of all that were decided or expired; what still waits is in neither."""
    total = sum(decided.values())
    return round(100 * decided["approved"] / total, 1) if total else None

"""Collectors for what the database knows: read at each scrape, so that it outlives every process.

What a reader adds up is complete: every side with every status, zeros too. To add one, write a function that yields
families and name it in READERS.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.utils import timezone
from django_q.models import OrmQ
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents import costs
from agents.metrics import BreakerStates
from agents.models import ModelCall
from compliance import queries, seal
from compliance.audit import Action
from compliance.models import ComplianceEvent, EventType
from nextrade.ops.alert_models import Alert
from nextrade.ops.punctuality import Punctuality
from nextrade.ops.results import WATCH
from orders.models import Approval, Break, Execution, Order, Outbox, Side, Status

log = logging.getLogger(__name__)
PRIORITIES = ("P1", "P2", "P3", "P4")
WINDOWS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
Families = Iterator[Metric]


def gauge(name: str, what: str, labels: tuple[str, ...] = (), **values: float) -> GaugeMetricFamily:
    """A family of one label's values, or of the one `value`."""
    if not labels:
        return GaugeMetricFamily(name, what, value=values["value"])
    family = GaugeMetricFamily(name, what, labels=labels)
    for label, value in values.items():
        family.add_metric([label], value)
    return family


def orders() -> Families:
    counts = {
        (row["side"], row["status"]): row["n"] for row in Order.objects.values("side", "status").annotate(n=Count("pk"))
    }
    family = GaugeMetricFamily("nextrade_orders", "Orders by side and status", labels=["side", "status"])
    for side in Side.values:
        for status in Status.values:
            family.add_metric([side, status], counts.get((side, status), 0))
    yield family
    value = Execution.objects.aggregate(sum=Sum(F("quantity") * F("price_usd")))["sum"] or Decimal(0)
    yield gauge("nextrade_order_notional", "Value of all executions", ("currency",), USD=float(value))


def approvals() -> Families:
    yield gauge("nextrade_approvals", "Decided approvals, one an order", ("decision",), **decisions())
    waiting = Order.objects.filter(status=Status.PENDING_APPROVAL).aggregate(n=Count("pk"), oldest=Min("created_at"))
    age_s = (timezone.now() - waiting["oldest"]).total_seconds() if waiting["oldest"] else 0
    yield gauge("nextrade_approvals_pending", "Orders that wait for approval", value=waiting["n"])
    yield gauge("nextrade_approval_oldest_seconds", "How long the oldest of them waits", value=max(0, age_s))


def decisions() -> dict[str, int]:
    """Orders by what was decided: approved by all who had to, declined, expired before anybody did."""
    complete = (
        Approval.objects.values("order")
        .annotate(given=Count("pk"))
        .filter(given__gte=F("order__approvals_needed"))
        .exclude(order__status__in=(Status.PENDING_APPROVAL, Status.DECLINED))
    )
    lapsed = Order.objects.filter(status=Status.LAPSED)
    return {
        "approved": complete.count(),
        "declined": Order.objects.filter(status=Status.DECLINED).count(),
        "expired": lapsed.count() - complete.filter(order__status=Status.LAPSED).count(),
    }


def people() -> Families:
    """Who said something, however it was taken; a number, for a name would be a series for each and a person's."""
    now = timezone.now()
    asked = ComplianceEvent.objects.filter(type=EventType.USER_ACTION, action=Action.CHAT_REQUEST)
    counts = {
        name: asked.filter(ts_utc__gte=now - window).aggregate(n=Count("actor_pid", distinct=True))["n"]
        for name, window in WINDOWS.items()
    }
    yield gauge("nextrade_active_users", "People who used the desk within a window", ("window",), **counts)


def trail() -> Families:
    oldest = seal.oldest_unsealed()
    waits_s = (timezone.now() - oldest).total_seconds() if oldest else 0
    yield gauge("nextrade_audit_unsealed_seconds", "Age of the oldest event that is not sealed", value=max(0, waits_s))
    newest = ComplianceEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    yield gauge("nextrade_audit_last_event", "Number of the newest event of the trail", value=newest)
    yield gauge("nextrade_audit_faults", "Faults that the last verification of the trail found", value=queries.faults())


def spending() -> Families:
    """Language models, today (UTC). Used: of the budget, where one is set; of people the highest."""
    today = costs.today(timezone.now())
    spent = today.aggregate(sum=Sum("cost_usd"))["sum"] or 0
    yield gauge("nextrade_llm_spend_usd", "Spent on language models", ("window",), day=float(spent))
    used = {}
    if settings.BUDGET_FIRM_USD:
        used["firm"] = float(spent) / float(settings.BUDGET_FIRM_USD)
    if settings.BUDGET_USER_USD:
        used["user"] = float(_most_spent(today)) / float(settings.BUDGET_USER_USD)
    yield gauge("nextrade_llm_budget_used_ratio", "Share of the day's budget that is spent", ("scope",), **used)


def work() -> Families:
    waiting = {"tasks": OrmQ.objects.count(), "outbox": Outbox.objects.filter(done_at=None).count()}
    yield gauge("nextrade_queue_depth", "Work that waits", ("queue",), **waiting)
    breaks = Break.objects.filter(resolved_at=None).count()
    yield gauge("nextrade_reconciliation_breaks", "Open breaks between our books and the broker's", value=breaks)


def alerts() -> Families:
    """Open ones as alertd tells them; one without data counts, for no data is not good news."""
    is_open = Alert.objects.exclude(state=Alert.State.RESOLVED).values("priority").annotate(n=Count("pk"))
    counts = dict.fromkeys(PRIORITIES, 0) | {row["priority"]: row["n"] for row in is_open}
    yield gauge("nextrade_alerts_firing", "Alerts that are not over", ("priority",), **counts)


def breakers() -> Families:
    yield from BreakerStates().collect()


def jobs() -> Families:
    yield from Punctuality().collect()


READERS: tuple[Callable[[], Families], ...] = (
    *(orders, approvals, people, trail, spending),
    *(work, alerts, breakers, jobs),
)


class State(Collector):
    """All of it, and which components are up. While the database is gone, only the latter."""

    def collect(self) -> Families:
        components = WATCH.latest().components
        up = {name: float(is_up) for name, is_up in components.items()}
        yield gauge("nextrade_component_up", "Whether a component works", ("component",), **up)
        if not components["database"]:
            return
        try:
            for read in READERS:
                yield from list(read())
        except DatabaseError as error:
            log.warning("The database was lost during a scrape: %s", type(error).__name__)


def _most_spent(today: QuerySet[ModelCall]) -> Decimal:
    most: Decimal | None = today.values("user").annotate(sum=Sum("cost_usd")).aggregate(most=Max("sum"))["most"]
    return most or Decimal(0)

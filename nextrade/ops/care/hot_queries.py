"""The queries that run at every turn, page or minute, one table; `db explain` holds each to its plan.

A query that is new and runs often gets a row here: then a missing index is found before the table is big.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from agents.models import Message, ModelCall, Thread, TurnEvent
from compliance import queries as trail
from compliance.models import ComplianceEvent, EventType, Leaf, ReviewItem
from nextrade.ops.models import MaintenanceRun
from orders.models import AT_BROKER, Approval, Execution, Order, Outbox, Side, Status
from orders.queries import OPEN_BUY

SOME = uuid.UUID(int=1 << 127)
PAGE = 51
DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class HotQuery:
    """ask: the query, for some person at some time. may_walk: the list is read by its order, newest or oldest first,
    until a page is full; that is no full scan."""

    name: str
    where: str
    ask: Callable[[datetime], QuerySet[Any]]
    may_walk: bool = False


BIG = frozenset(
    model._meta.db_table
    for model in (
        ComplianceEvent,
        Leaf,
        Order,
        Approval,
        Execution,
        Outbox,
        Thread,
        Message,
        ModelCall,
        TurnEvent,
        MaintenanceRun,
        ReviewItem,
    )
)
"""Tables that grow with use. A small one may be read whole."""
newest_orders = Order.objects.select_related("maker").order_by("-created_at", "-id")
HOT = (
    HotQuery(
        name="a trader's orders",
        where="GET /api/v1/orders/, the desk",
        ask=lambda at: newest_orders.filter(maker=1)[:PAGE],
    ),
    HotQuery(
        name="a trader's orders in a state",
        where="GET /api/v1/orders/?status=",
        ask=lambda at: newest_orders.filter(maker=1, status=Status.FILLED)[:PAGE],
    ),
    HotQuery(
        name="all orders, newest first",
        where="the order queue, GET /api/v1/orders/",
        ask=lambda at: newest_orders[:PAGE],
        may_walk=True,
    ),
    HotQuery(
        name="orders in a state",
        where="the order queue, filtered",
        ask=lambda at: newest_orders.filter(status=Status.FILLED)[:PAGE],
    ),
    HotQuery(
        name="orders of a symbol",
        where="GET /api/v1/orders/?symbol=",
        ask=lambda at: newest_orders.filter(symbol="AAPL")[:PAGE],
    ),
    HotQuery(
        name="orders waiting for approval",
        where="GET /api/v1/approvals/",
        ask=lambda at: Order.objects.filter(status=Status.PENDING_APPROVAL).order_by("created_at", "id")[:PAGE],
    ),
    HotQuery(
        name="orders by the start of their id",
        where="the search box of the order queue",
        ask=lambda at: newest_orders.filter(pk__gte=SOME, pk__lte=uuid.UUID(int=SOME.int | (1 << 96) - 1))[:PAGE],
    ),
    HotQuery(
        name="orders of a turn",
        where="every answer",
        ask=lambda at: Order.objects.filter(turn_id=SOME).order_by("created_at", "pk"),
    ),
    HotQuery(
        name="orders of a conversation",
        where="every turn",
        ask=lambda at: Order.objects.filter(thread_id=SOME).order_by("-created_at")[:5],
    ),
    HotQuery(
        name="orders that moved",
        where="agents.tasks.tell_late, each minute",
        ask=lambda at: Order.objects.filter(updated_at__gte=at - DAY, thread_id__isnull=False),
    ),
    HotQuery(
        name="orders at the broker",
        where="orders.execution.reconcile, each minute",
        ask=lambda at: Order.objects.filter(
            Q(status__in=AT_BROKER) | Q(status__in=(Status.CANCELED, Status.EXPIRED), updated_at__gt=at - DAY)
        ).exclude(outbox__done_at=None),
    ),
    HotQuery(
        name="cash that open buys hold",
        where="every proposal and portfolio",
        ask=lambda at: Order.objects.filter(OPEN_BUY, account=1),
    ),
    HotQuery(
        name="open buys of the firm",
        where="every proposal",
        ask=lambda at: Order.objects.filter(OPEN_BUY).exclude(pk=SOME),
    ),
    HotQuery(
        name="approvals of an order",
        where="every send",
        ask=lambda at: Approval.objects.filter(order=SOME).order_by("id"),
    ),
    HotQuery(
        name="an approver's decisions",
        where="the admin's first page",
        ask=lambda at: Approval.objects.filter(checker=1, at__gte=at - DAY),
    ),
    HotQuery(
        name="approvals of an hour",
        where="metrics_aggregation",
        ask=lambda at: Approval.objects.filter(at__gte=at - DAY, at__lt=at),
    ),
    HotQuery(
        name="a trader's fills",
        where="GET /api/v1/executions/",
        ask=lambda at: Execution.objects.filter(account=1).order_by("-executed_at", "-id")[:PAGE],
    ),
    HotQuery(
        name="all fills, newest first",
        where="the admin's executions",
        ask=lambda at: Execution.objects.order_by("-executed_at", "-id")[:PAGE],
        may_walk=True,
    ),
    HotQuery(
        name="fills of an hour",
        where="metrics_aggregation, the admin's first page",
        ask=lambda at: Execution.objects.filter(executed_at__gte=at - DAY, executed_at__lt=at),
    ),
    HotQuery(
        name="work for the broker",
        where="the worker, many times a minute",
        ask=lambda at: Outbox.objects.filter(done_at=None, attempts=0).order_by("id")[:PAGE],
    ),
    HotQuery(
        name="a trader's conversations",
        where="the desk, GET /api/v1/threads/",
        ask=lambda at: Thread.objects.filter(owner=1).order_by("-updated_at", "-id")[:PAGE],
    ),
    HotQuery(
        name="what was said in a conversation",
        where="the desk",
        ask=lambda at: Message.objects.filter(thread=SOME).order_by("-id")[:PAGE],
    ),
    HotQuery(
        name="the answer to a queued turn",
        where="the worker, each queued turn",
        ask=lambda at: Message.objects.filter(turn_id=SOME, role=Message.Role.ASSISTANT),
    ),
    HotQuery(
        name="what was said in an hour",
        where="metrics_aggregation",
        ask=lambda at: Message.objects.filter(role=Message.Role.USER, created_at__gte=at - DAY, created_at__lt=at),
    ),
    HotQuery(
        name="a person's model calls of today",
        where="every turn: the budget",
        ask=lambda at: ModelCall.objects.filter(user=1, at__gte=at - DAY),
    ),
    HotQuery(
        name="the firm's model calls of today",
        where="every turn: the budget",
        ask=lambda at: ModelCall.objects.filter(at__gte=at - DAY),
    ),
    HotQuery(
        name="events of a streamed turn",
        where="a client that lost its connection",
        ask=lambda at: TurnEvent.objects.filter(turn_id=SOME, number__gt=3).order_by("number"),
    ),
    HotQuery(
        name="the trail, newest first",
        where="the admin's audit trail",
        ask=lambda at: ComplianceEvent.objects.order_by("-id")[:PAGE],
        may_walk=True,
    ),
    HotQuery(
        name="events of a type",
        where="the admin's audit trail, filtered",
        ask=lambda at: ComplianceEvent.objects.filter(type=EventType.ORDER).order_by("-id")[:PAGE],
    ),
    HotQuery(
        name="events of an order",
        where="the review page, proofs",
        ask=lambda at: trail.of_order(SOME),
    ),
    HotQuery(
        name="events of a person",
        where="a dossier",
        ask=lambda at: trail.of_person("user:1")[:PAGE],
    ),
    HotQuery(
        name="events of an hour",
        where="metrics_aggregation",
        ask=lambda at: ComplianceEvent.objects.filter(ts_utc__gte=at - DAY, ts_utc__lt=at),
    ),
    HotQuery(
        name="an event's place in the tree",
        where="every proof",
        ask=lambda at: Leaf.objects.filter(event_id=1),
    ),
    HotQuery(
        name="reviews that are open",
        where="the admin's first page",
        ask=lambda at: ReviewItem.objects.filter(signed_at=None).order_by("happened_at")[:PAGE],
    ),
    HotQuery(
        name="a job's last success",
        where="health, /metrics",
        ask=lambda at: MaintenanceRun.objects.filter(job="heartbeat", status="succeeded").order_by("-started_at")[:1],
    ),
    HotQuery(
        name="a symbol's open sells of an account",
        where="every proposal",
        ask=lambda at: Order.objects.filter(account=1, symbol="AAPL", side=Side.SELL, status__in=AT_BROKER),
    ),
)

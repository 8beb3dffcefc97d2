"""The table of legal moves, and the only writer of Order.status."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from django.db import transaction

from compliance import audit
from compliance.audit import Action
from nextrade.errors import Refused
from orders.models import Event, Order, Status
from orders.signals import order_moved

_PATHS: tuple[tuple[Event, tuple[Status, ...], Status], ...] = (
    (Event.ADMIT, (Status.PROPOSED,), Status.PENDING_APPROVAL),
    (Event.DENY, (Status.PROPOSED, Status.PENDING_APPROVAL, Status.APPROVED), Status.DENIED),
    (Event.APPROVE, (Status.PENDING_APPROVAL,), Status.APPROVED),
    (Event.DECLINE, (Status.PENDING_APPROVAL,), Status.DECLINED),
    (Event.WITHDRAW, (Status.PENDING_APPROVAL, Status.APPROVED), Status.WITHDRAWN),
    (Event.LAPSE, (Status.PENDING_APPROVAL, Status.APPROVED), Status.LAPSED),
    (Event.SUBMIT, (Status.APPROVED,), Status.PENDING_NEW),
    (Event.ACKNOWLEDGE, (Status.PENDING_NEW, Status.PENDING_CANCEL), Status.NEW),
    (Event.REJECT, (Status.PENDING_NEW, Status.NEW, Status.PENDING_CANCEL), Status.REJECTED),
    (
        Event.PARTIAL_FILL,
        (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL, Status.CANCELED),
        Status.PARTIALLY_FILLED,
    ),
    (
        Event.FILL,
        (
            Status.PENDING_NEW,
            Status.NEW,
            Status.PARTIALLY_FILLED,
            Status.PENDING_CANCEL,
            Status.CANCELED,
            Status.EXPIRED,
        ),
        Status.FILLED,
    ),
    (Event.REQUEST_CANCEL, (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED), Status.PENDING_CANCEL),
    (Event.CANCEL, (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), Status.CANCELED),
    (Event.EXPIRE, (Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), Status.EXPIRED),
)
TABLE: Mapping[tuple[Status, Event], Status] = MappingProxyType(
    {(source, event): target for event, sources, target in _PATHS for source in sources}
)
ACTIONS: Mapping[Event, Action] = MappingProxyType(
    {
        Event.ADMIT: Action.ORDER_PROPOSED,
        Event.DENY: Action.ORDER_DENIED,
        Event.APPROVE: Action.ORDER_APPROVED,
        Event.DECLINE: Action.ORDER_DECLINED,
        Event.WITHDRAW: Action.ORDER_WITHDRAWN,
        Event.LAPSE: Action.ORDER_LAPSED,
        Event.SUBMIT: Action.ORDER_SUBMITTED,
        Event.ACKNOWLEDGE: Action.ORDER_ACKNOWLEDGED,
        Event.REJECT: Action.ORDER_REJECTED,
        Event.PARTIAL_FILL: Action.ORDER_PARTIALLY_FILLED,
        Event.FILL: Action.ORDER_FILLED,
        Event.REQUEST_CANCEL: Action.ORDER_CANCEL_REQUESTED,
        Event.CANCEL: Action.ORDER_CANCELED,
        Event.EXPIRE: Action.ORDER_EXPIRED,
    }
)


class IllegalTransition(Refused):
    code = "illegal_transition"


class StaleOrder(Refused):
    code = "stale_order"


def move(
    order: Order,
    event: Event,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    details: Mapping[str, Any] | None = None,
    personal: Mapping[str, Any] | None = None,
    changes: Mapping[str, Any] | None = None,
) -> Order:
    """Make one legal move: compare-and-set on version, audit event in the same transaction, signal after the commit.

    changes: other columns that move with the status. An order that is not saved yet is inserted where it moves to.
    Raises IllegalTransition for an edge that is not in TABLE, StaleOrder when somebody else moved the order first.
    """
    source = Status(order.status)
    target = TABLE.get((source, event))
    if target is None:
        raise IllegalTransition(f"an order that is {source.value} cannot {event.value.replace('_', ' ')}")
    written = {**(changes or {}), "status": target, "version": order.version + 1, "updated_at": at}
    is_new = order._state.adding
    if not is_new and not Order.objects.filter(pk=order.pk, status=source, version=order.version).update(**written):
        raise StaleOrder("the order has changed since it was read")
    for field, value in written.items():
        setattr(order, field, value)
    if is_new:
        order.save(force_insert=True)
    audit.record(
        ACTIONS[event],
        actor=actor,
        on_behalf_of=f"user:{order.maker_id}",
        at=at,
        order_id=order.pk,
        thread_id=order.thread_id,
        details={"from": source.value, "to": target.value, "reason": reason, **_terms(order), **(details or {})},
        personal=personal,
    )
    transaction.on_commit(lambda: order_moved.send_robust(Order, order_id=order.pk, action=ACTIONS[event]))
    return order


def sources(event: Event) -> Iterable[Status]:
    """The statuses that an event may leave."""
    return (source for source, candidate in TABLE if candidate == event)


def _terms(order: Order) -> dict[str, Any]:
    return {
        "symbol": order.symbol,
        "side": str(order.side),
        "quantity": f"{order.quantity.normalize():f}",
        "payload_sha256": order.payload_sha256,
        "version": order.version,
    }

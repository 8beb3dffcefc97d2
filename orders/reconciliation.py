"""Two books, compared: ours and the broker's, order by order and position by position. What differs is a break.

A break stops approvals of its account (of every account, where the broker's book does not tell them apart) until a
person has found out why and resolved it. Source: FINRA 4311 and the daily three-way match of orders, fills and
positions.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Sum

from compliance import alerts, audit
from compliance.audit import Action
from nextrade.errors import Invalid, Missing
from orders import brokers
from orders.models import AT_BROKER, Account, Break, Order, Position, Status
from orders.payload import plain

LOOK_BACK = timedelta(days=2)
ACTOR = "system:reconciliation"


def compare(*, at: datetime) -> list[Break]:
    """Compare everything that moved lately with the broker; the new breaks. Raises Unavailable when it does not
    answer."""
    found = [*_orders(at=at), *_positions(at=at)]
    return [row for row in found if row is not None]


def resolve(break_id: int, *, by: User, resolution: str, at: datetime) -> Break:
    """Say what a difference came from, and let the account trade again."""
    if not resolution.strip():
        raise Invalid("say what the difference came from", code="reason_missing")
    with transaction.atomic(durable=True):
        row = Break.objects.select_for_update().filter(pk=break_id, resolved_at=None).first()
        if row is None:
            raise Missing("there is no such open break")
        row.resolved_at, row.resolution = at, resolution
        row.save(update_fields=["resolved_at", "resolution"])
        details = {"break": row.pk, "kind": row.kind, "subject": row.subject, "resolution": resolution}
        audit.record(Action.BREAK_RESOLVED, actor=audit.person(by), at=at, details=details)
    return row


def note(
    kind: Break.Kind, subject: str, *, ours: str, theirs: str, account: Account | None, at: datetime
) -> Break | None:
    """Write a difference down, once while it is open, with its alert. In the caller's transaction."""
    row, is_new = Break.objects.get_or_create(
        kind=kind,
        subject=subject,
        resolved_at=None,
        defaults={"account": account, "ours": ours[:100], "theirs": theirs[:100], "found_at": at},
    )
    if not is_new:
        return None
    details = {"kind": kind.value, "subject": subject, "ours": ours, "theirs": theirs}
    audit.record(Action.BREAK_FOUND, actor=ACTOR, at=at, details=details)
    alerts.raise_alert("reconciliation_break", actor=ACTOR, at=at, details=details)
    return row


def _orders(*, at: datetime) -> Iterator[Break | None]:
    """Orders that the broker does not know, or has filled otherwise."""
    sent = (*AT_BROKER, Status.FILLED, Status.CANCELED, Status.EXPIRED)
    lately = Order.objects.filter(status__in=sent, updated_at__gt=at - LOOK_BACK).exclude(outbox__done_at=None)
    for order in lately.exclude(broker_order_id="").select_related("account").distinct():
        report = brokers.broker().find(order.client_order_id, at=at)
        theirs = sum((fill.quantity for fill in report.fills), Decimal(0)) if report else None
        with transaction.atomic():
            if theirs is None:
                yield note(
                    Break.Kind.ORDER,
                    order.client_order_id,
                    ours=order.status,
                    theirs="unknown",
                    account=order.account,
                    at=at,
                )
            elif _is_settled(order) and theirs != order.cum_qty:
                yield note(
                    Break.Kind.QUANTITY,
                    order.client_order_id,
                    ours=plain(order.cum_qty),
                    theirs=plain(theirs),
                    account=order.account,
                    at=at,
                )


def _is_settled(order: Order) -> bool:
    return order.status not in AT_BROKER


def _positions(*, at: datetime) -> Iterator[Break | None]:
    """Symbols of which the broker holds another number of shares than our accounts together.

    A fill on its way makes the two differ for a moment, and is no break: ours are read before and after, and symbols
    with an order at the broker are left for the next time.
    """
    before = _held()
    theirs = dict(brokers.broker().positions())
    moving = set(Order.objects.filter(status__in=AT_BROKER).values_list("symbol", flat=True))
    if before != _held():
        return
    for symbol in sorted({*before, *theirs} - moving):
        ours, broker_s = before.get(symbol, Decimal(0)), theirs.get(symbol, Decimal(0))
        if ours != broker_s:
            with transaction.atomic():
                yield note(Break.Kind.POSITION, symbol, ours=plain(ours), theirs=plain(broker_s), account=None, at=at)


def _held() -> dict[str, Decimal]:
    rows = Position.objects.values_list("symbol").annotate(total=Sum("quantity"))
    return {symbol: Decimal(total) for symbol, total in rows if total}

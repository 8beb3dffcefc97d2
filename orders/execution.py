"""The executor: what the worker does with an approved order, and with what the broker says of it.

Exactly one effect: work is claimed by compare-and-set, PENDING_NEW is committed before the broker is called, after a
doubt the broker is asked before anything is sent again, and a fill counts once by its id.
"""

import logging
import math
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from compliance import alerts, audit
from compliance.audit import Action
from nextrade.errors import Unavailable
from orders import books, brokers, codes, market, payload, queries, reconciliation, risk, transitions
from orders.brokers.base import DuplicateClientOrderId, Fill, InDoubt, Report, Ticket
from orders.models import (
    AT_BROKER,
    Account,
    Approval,
    Break,
    Event,
    Execution,
    Order,
    Outbox,
    Status,
    TimeInForce,
)
from orders.quotes.base import Quote

log = logging.getLogger(__name__)
EXECUTOR = "system:executor"
LEASE = timedelta(seconds=30)
LATE = timedelta(hours=1)
"""How long after its end an order is still asked about, since fills may come late."""
EVENT_OF_REPORT = {
    "new": Event.ACKNOWLEDGE,
    "partially_filled": Event.PARTIAL_FILL,
    "filled": Event.FILL,
    "canceled": Event.CANCEL,
    "expired": Event.EXPIRE,
    "rejected": Event.REJECT,
}


def execute(order_id: uuid.UUID, kind: Outbox.Kind, *, at: datetime) -> None:
    """Do one piece of work for the broker, whoever else may be at it: claim, check, commit, call, record.

    Safe to run again at any point. Raises nothing for a broker that does not answer: the order is in doubt until it
    is asked.
    """
    work = _waiting(order_id, kind, at=at)
    if work is None:
        return
    seen = queries.quote(work.symbol, at=at) if kind == Outbox.Kind.SUBMIT else None  # before a lock: it may be slow
    order = _claim(work, seen=seen, at=at)
    if order is None:
        return
    try:
        report = (
            _send(order, is_first=work.attempts == 0, at=at) if kind == Outbox.Kind.SUBMIT else _recall(order, at=at)
        )
    except Unavailable as error:
        _doubt(order, error, at=at)
        return
    record(order_id, report, done=work.id, at=at)


def untouched(*, most: int) -> Sequence[tuple[uuid.UUID, Outbox.Kind]]:
    """The work that nobody has taken up yet, the oldest first."""
    rows = Outbox.objects.filter(done_at=None, attempts=0).order_by("id").values_list("order_id", "kind")[:most]
    return [(order_id, Outbox.Kind(kind)) for order_id, kind in rows]


def record(order_id: uuid.UUID, report: Report, *, done: int | None = None, at: datetime) -> Order:
    """Enter what the broker says: each fill once, then the status, in one transaction. The same report again changes
    nothing; a fill that cannot be ours is a break, and is not booked. done: the work that this is the end of."""
    with transaction.atomic(durable=True):
        order, account = queries.locked(order_id)
        if done:
            Outbox.objects.filter(pk=done).update(done_at=at)
        event = EVENT_OF_REPORT[report.status]
        reported = [fill.exec_id for fill in report.fills]
        booked = list(Execution.objects.filter(Q(order=order) | Q(exec_id__in=reported)).order_by("id"))
        known = {execution.exec_id for execution in booked}
        fresh = [fill for fill in report.fills if fill.exec_id not in known]
        total = order.cum_qty + sum((fill.quantity for fill in fresh), Decimal(0))
        if fresh and order.status in (
            Status.CANCELED,
            Status.EXPIRED,
        ):  # a late fill, whatever the broker calls the order
            event = Event.FILL if total == order.quantity else Event.PARTIAL_FILL
        target = transitions.TABLE.get((Status(order.status), event))
        if total > order.quantity or (fresh and target is None):
            reconciliation.note(
                Break.Kind.QUANTITY,
                order.client_order_id,
                ours=f"{order.status} {payload.plain(order.cum_qty)} of {payload.plain(order.quantity)}",
                theirs=f"{report.status} {payload.plain(total)}",
                account=account,
                at=at,
            )
            return order
        if target is None or (target == order.status and not fresh):
            return order
        ours = [execution for execution in booked if execution.order_id == order.pk]
        return _enter(order, account, report, ours, fresh, event, at=at)


def _enter(
    order: Order,
    account: Account,
    report: Report,
    booked: Sequence[Execution],
    fresh: Sequence[Fill],
    event: Event,
    *,
    at: datetime,
) -> Order:
    """Book the fills and move the order. A fill of an order that was over is legal, and always an alert."""
    actor = f"broker:{settings.BROKER}"
    executions = [*booked, *(books.book(order, account, fill, broker=settings.BROKER) for fill in fresh)]
    if fresh and order.status in (Status.CANCELED, Status.EXPIRED):
        late = {"client_order_id": order.client_order_id, "status": str(order.status)}
        alerts.raise_alert("late_fill", actor=actor, at=at, order_id=order.pk, details=late)
    changes: dict[str, object] = {
        "in_doubt": False,
        "broker_order_id": report.broker_order_id,
        "broker_status": report.raw_status,
    }
    if executions:
        quantity = sum((execution.quantity for execution in executions), Decimal(0))
        paid = sum((execution.quantity * execution.price_usd for execution in executions), Decimal(0))
        changes |= {"cum_qty": quantity, "avg_px": (paid / quantity).quantize(Decimal("0.000001"))}
    details = {
        "broker": settings.BROKER,
        "exec_ids": [fill.exec_id for fill in fresh],
        "fills": [f"{payload.plain(fill.quantity)} at {payload.plain(fill.price_usd)}" for fill in fresh],
    }
    return transitions.move(order, event, actor=actor, at=at, reason=report.reason, details=details, changes=changes)


def reconcile(*, at: datetime, until: float = math.inf) -> int:
    """Take up work that nobody has a lease of, for half of the time at most, then ask the broker about every order that
    is there, may be, or ended lately; how many. until: by time.monotonic(); whom it leaves out is left to chance, so
    that nobody always is."""
    half = (time.monotonic() + until) / 2
    lapsed = Outbox.objects.filter(done_at=None).exclude(lease_until__gt=at).order_by("id")
    ended = Q(status__in=(Status.CANCELED, Status.EXPIRED), updated_at__gt=at - LATE)
    asked = 0
    for order_id, kind in lapsed.values_list("order_id", "kind"):
        if time.monotonic() > half:
            break
        execute(order_id, Outbox.Kind(kind), at=at)
        asked += 1
    for order in Order.objects.filter(Q(status__in=AT_BROKER) | ended).exclude(outbox__done_at=None).order_by("?"):
        if time.monotonic() > until:
            return asked
        report = _ask(order, at=at)
        if report is not None:
            record(order.pk, report, at=at)
            asked += 1
    return asked


class Work(NamedTuple):
    """A piece of work as it was found. attempts: how many have been made."""

    id: int
    kind: str
    order_id: uuid.UUID
    symbol: str
    attempts: int


def _waiting(order_id: uuid.UUID, kind: Outbox.Kind, *, at: datetime) -> Work | None:
    """The work, None when it is done or somebody holds it."""
    rows = Outbox.objects.filter(order=order_id, kind=kind, done_at=None).exclude(lease_until__gt=at)
    row = rows.values_list("pk", "kind", "order_id", "order__symbol", "attempts").first()
    return row and Work._make(row)


def _claim(work: Work, *, seen: Quote | None, at: datetime) -> Order | None:
    """Take the work and commit that before the broker hears of it; None where another has it, or the order may not go.
    The compare-and-set is what holds on every database."""
    with transaction.atomic(durable=True):
        order, account = queries.locked(work.order_id)
        mine = Outbox.objects.filter(pk=work.id, attempts=work.attempts, done_at=None)
        if not mine.update(attempts=work.attempts + 1, lease_until=at + LEASE):
            return None
        if work.kind == Outbox.Kind.SUBMIT and not _is_ready(order, account, seen=seen, at=at):
            Outbox.objects.filter(pk=work.id).update(done_at=at)
            return None
        return order


def _is_ready(order: Order, account: Account, *, seen: Quote | None, at: datetime) -> bool:
    """Whether the order is PENDING_NEW: it was already, or has been checked a last time and moved."""
    if order.status != Status.APPROVED:
        return order.status == Status.PENDING_NEW
    approvals = list(order.approvals.order_by("id"))
    facts = queries.facts(
        order,
        account,
        seen=seen,
        at=at,
        reference_usd=approvals[-1].quote_usd if approvals else None,
        expires_at=approvals[-1].at + timedelta(seconds=settings.APPROVAL_TTL_S) if approvals else None,
        approvals=len({approval.checker_id for approval in approvals}),
        approvals_needed=order.approvals_needed,
        stored_sha256=_one_hash(approvals),
        actual_sha256=payload.sha256(order),
    )
    checks = risk.assess(queries.proposal(order), facts, phase=codes.Phase.SEND)
    changes: dict[str, object] = {"checks": [*order.checks, *(check.as_json() for check in checks)]}
    denials = risk.denials(checks)
    if denials:
        transitions.move(order, Event.DENY, actor=EXECUTOR, at=at, reason=risk.explain(denials), changes=changes)
        return False
    if order.time_in_force == TimeInForce.DAY:
        changes["good_until"] = market.next_close(at)
    transitions.move(order, Event.SUBMIT, actor=EXECUTOR, at=at, changes=changes)
    return True


def _one_hash(approvals: Sequence[Approval]) -> str | None:
    """The bytes that were approved, None unless every approval is of the same."""
    hashes = {approval.payload_sha256 for approval in approvals}
    return hashes.pop() if len(hashes) == 1 else None


def _send(order: Order, *, is_first: bool, at: datetime) -> Report:
    """Hand the order over; the broker is asked before anything is sent a second time. Raises InDoubt."""
    broker = brokers.broker()
    known = None if is_first else broker.find(order.client_order_id, at=at)
    if known is not None:
        return known
    ticket = Ticket(
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force,
        good_until=order.good_until,
    )
    try:
        return broker.submit(ticket, at=at)
    except DuplicateClientOrderId as error:
        known = broker.find(order.client_order_id, at=at)
        if known is None:
            raise InDoubt("the broker knows the client order id, and no order of that id") from error
        return known


def _recall(order: Order, *, at: datetime) -> Report:
    """Ask for the order's end. One that never arrived is at its end, once nobody can be sending it. Raises InDoubt."""
    report = brokers.broker().cancel(order.client_order_id, at=at)
    if report is not None:
        return report
    if order.outbox.filter(kind=Outbox.Kind.SUBMIT, done_at=None, lease_until__gt=at).exists():
        raise InDoubt("the order may still be on its way to the broker")
    return Report(
        client_order_id=order.client_order_id, broker_order_id="", status="canceled", raw_status="never received"
    )


def _ask(order: Order, *, at: datetime) -> Report | None:
    try:
        return brokers.broker().find(order.client_order_id, at=at)
    except Unavailable as error:
        log.warning("The broker cannot be asked about order %s: %s", order.pk, error)
        return None


def _doubt(order: Order, error: Exception, *, at: datetime) -> None:
    """The broker did not answer: say so on the order and in the trail, and let the lease run out."""
    log.warning("Order %s is in doubt: %s", order.pk, error)
    with transaction.atomic(durable=True):
        Order.objects.filter(pk=order.pk, status__in=(Status.PENDING_NEW, Status.PENDING_CANCEL)).update(in_doubt=True)
        audit.record(
            Action.ORDER_IN_DOUBT,
            actor=EXECUTOR,
            on_behalf_of=f"user:{order.maker_id}",
            at=at,
            order_id=order.pk,
            details={"reason": str(error)},
        )

"""The verbs. Each opens its own transaction, asks the rules, moves the order and leaves an event; none calls another.

A person's verb takes the person (`by`), the moment (`at`), and never a flag that turns off a check or the record.
"""

import hashlib
import logging
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from compliance import audit, policy
from compliance.audit import Action
from nextrade.errors import Invalid, Missing, NotPermitted, Refused, Unavailable
from orders import books, brokers, instruments, payload, queries, risk, transitions
from orders.brokers.base import DuplicateClientOrderId, InDoubt, Report, Ticket
from orders.models import (
    AT_BROKER,
    Account,
    Approval,
    Event,
    Limits,
    Order,
    OrderType,
    Outbox,
    Side,
    Status,
    TimeInForce,
    TradingHalt,
)

log = logging.getLogger(__name__)
EXECUTOR = "system:executor"
LEASE = timedelta(seconds=30)
TICKER = re.compile(r"[A-Z]{1,6}(\.[A-Z])?")
EVENT_OF_REPORT = {
    "new": Event.ACKNOWLEDGE,
    "partially_filled": Event.PARTIAL_FILL,
    "filled": Event.FILL,
    "canceled": Event.CANCEL,
    "expired": Event.EXPIRE,
    "rejected": Event.REJECT,
}


class SelfApproval(NotPermitted):
    code = "self_approval"


class NotAnApprover(NotPermitted):
    code = "not_an_approver"


class ReasonMissing(Invalid):
    code = "reason_missing"


class CheckFailed(Refused):
    """A pre-trade check says no; `reason` is the first one's code in small letters, details holds them all."""

    code: ClassVar[str] = "check_failed"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What an agent asks for, as text, still to be read. key: names the tool call, so that a replay is the same order.

    words: the person's message. thread_id, turn_id: where it was said. rationale, model: who proposed it, and why.
    """

    key: str
    symbol: str
    side: str
    quantity: str
    order_type: str = OrderType.MARKET
    limit_price: str = ""
    time_in_force: str = TimeInForce.DAY
    rationale: str = ""
    words: str = ""
    model: str = ""
    thread_id: uuid.UUID | None = None
    turn_id: uuid.UUID | None = None


def open_account(owner: User, *, cash_usd: Decimal, by: str, at: datetime) -> Account:
    """Give a person a book with some cash in it; again: the book they have, unchanged."""
    with transaction.atomic(durable=True):
        account, is_new = Account.objects.get_or_create(owner=owner, defaults={"cash_usd": Decimal(0), "opened_at": at})
        if is_new:
            books.transfer(account, cash_usd, reason="opening balance", at=at)
            details = {"owner": audit.person(owner), "cash_usd": payload.plain(cash_usd)}
            audit.record(Action.ACCOUNT_OPENED, actor=by, at=at, details=details)
    return account


def set_limits(limits: Limits) -> Limits:
    """Make a new version of the firm's limits the one that holds."""
    with transaction.atomic(durable=True):
        limits.save(force_insert=True)
        fields = ("max_quantity", "max_notional_usd", "min_notional_usd", "max_approval_usd")
        details: dict[str, object] = {field: payload.plain(getattr(limits, field)) for field in fields}
        details |= {"version": limits.version, "duplicate_window_s": limits.duplicate_window_s}
        audit.record(Action.LIMITS_SET, actor=limits.set_by, at=limits.set_at, details=details)
    return limits


def propose(request: Request, *, owner: User, by: str, at: datetime) -> Order:
    """Write down what is asked for, as PENDING_APPROVAL when the rules let it and as DENIED when they do not.

    by: the agent ("agent:portfolio"). The same key again gives the same order. Raises Invalid when the request cannot
    be read as an order at all (no row then, but the refusal is in the trail), NotPermitted without an account.
    """
    seen = queries.quote(request.symbol, at=at)
    with (
        audit.refusals(actor=by, at=at, thread_id=request.thread_id),
        transaction.atomic(durable=True),
    ):
        account = Account.objects.select_for_update().select_related("owner").filter(owner=owner).first()
        if account is None:
            raise NotPermitted("you have no trading account", code="account_not_authorized")
        known = Order.objects.filter(proposal_key=request.key).first()
        if known:
            return known
        order = _read(request, account, at=at)
        facts = queries.facts(order, account, seen=seen, at=at)
        checks = risk.assess(queries.proposal(order), facts, phase=risk.Phase.PROPOSAL)
        order.checks = [check.as_json() for check in checks]
        order.limits_version = facts.limits.version if facts.limits else None
        if seen:
            order.quote_usd, order.quote_as_of, order.quote_source = seen.price_usd, seen.as_of, seen.source
            order.reserve_price_usd = risk.unit_price(queries.proposal(order), facts)
        order.save(force_insert=True)
        denials = risk.failed(checks)
        details = {"codes": [check.code.value for check in denials], "model": request.model}
        event = Event.DENY if denials else Event.ADMIT
        return transitions.move(order, event, actor=by, at=at, reason=explain(denials), details=details)


def approve(order_id: uuid.UUID, *, by: User, version: int, reason: str = "", at: datetime) -> Order:
    """Say yes to the order as it was shown, at `version`: an Approval, APPROVED, work and an event, or none of them.

    Raises Missing, NotAnApprover, SelfApproval, StaleOrder, IllegalTransition, CheckFailed.
    """
    seen = queries.quote(_symbol(order_id), at=at)
    with (
        audit.refusals(actor=audit.person(by), at=at, order_id=order_id),
        transaction.atomic(durable=True),
    ):
        order, account = _locked(order_id)
        _require_checker(order, by)
        _require_version(order, version, Event.APPROVE)
        actual = payload.sha256(order)
        facts = queries.facts(
            order,
            account,
            seen=seen,
            at=at,
            checker_id=by.pk,
            expires_at=order.expires_at,
            stored_sha256=order.payload_sha256,
            actual_sha256=actual,
        )
        checks = risk.assess(queries.proposal(order), facts, phase=risk.Phase.APPROVAL)
        _refuse(risk.failed(checks))
        assert seen is not None  # its check has passed
        assert facts.limits is not None
        Approval.objects.create(
            order=order,
            maker_id=order.maker_id,
            checker=by,
            payload_sha256=actual,
            reason=reason,
            quote_usd=seen.price_usd,
            quote_as_of=seen.as_of,
            limits_version=facts.limits.version,
            at=at,
        )
        changes = {"checks": [*order.checks, *(check.as_json() for check in checks)]}
        transitions.move(order, Event.APPROVE, actor=audit.person(by), at=at, reason=reason, changes=changes)
        _queue(order, Outbox.Kind.SUBMIT, at=at)
    return order


def decline(order_id: uuid.UUID, *, by: User, version: int, reason: str, at: datetime) -> Order:
    """Say no, with a reason. Raises what `approve` does, and ReasonMissing."""
    with (
        audit.refusals(actor=audit.person(by), at=at, order_id=order_id),
        transaction.atomic(durable=True),
    ):
        order, _ = _locked(order_id)
        _require_checker(order, by)
        if not reason.strip():
            raise ReasonMissing("say why the order is declined")
        _require_version(order, version, Event.DECLINE)
        return transitions.move(order, Event.DECLINE, actor=audit.person(by), at=at, reason=reason)


def cancel(order_id: uuid.UUID, *, owner: User, by: str, at: datetime) -> Order:
    """Take an order back: at once before it is sent, by asking the broker after. No second person: it lowers risk.

    by: the owner, or an agent for them. Raises Missing for another person's order, IllegalTransition when it is late.
    """
    with audit.refusals(actor=by, at=at, order_id=order_id), transaction.atomic(durable=True):
        order, _ = _locked(order_id)
        if order.maker_id != owner.pk:
            raise Missing("there is no such order")
        if order.status in AT_BROKER:
            transitions.move(order, Event.REQUEST_CANCEL, actor=by, at=at)
            _queue(order, Outbox.Kind.CANCEL, at=at)
            return order
        return transitions.move(order, Event.WITHDRAW, actor=by, at=at)


def expire_stale(*, at: datetime) -> int:
    """Lapse what nobody decided on in time; how many."""
    lapsed = 0
    for order_id in Order.objects.filter(status=Status.PENDING_APPROVAL, expires_at__lte=at).values_list(
        "pk", flat=True
    ):
        with transaction.atomic(durable=True):
            order, _ = _locked(order_id)
            if order.status == Status.PENDING_APPROVAL:
                transitions.move(order, Event.LAPSE, actor="system:expiry", at=at, reason="nobody decided in time")
                lapsed += 1
    return lapsed


def execute(order_id: uuid.UUID, kind: Outbox.Kind, *, at: datetime) -> None:
    """Do one piece of work for the broker, whoever else may be at it: claim, check, commit, call, record.

    Safe to run again at any point. Raises nothing for a broker that does not answer: the order is in doubt until it
    is asked.
    """
    outbox = _claim(order_id, kind, at=at)
    if outbox is None:
        return
    order = _ready(order_id, at=at) if kind == Outbox.Kind.SUBMIT else Order.objects.get(pk=order_id)
    if order is not None:
        try:
            report = (
                _send(order, is_first=outbox.attempts == 1, at=at)
                if kind == Outbox.Kind.SUBMIT
                else _recall(order, at=at)
            )
        except Unavailable as error:
            _doubt(order, error, at=at)
            return
        record(order_id, report, at=at)
    Outbox.objects.filter(pk=outbox.pk).update(done_at=at)


def record(order_id: uuid.UUID, report: Report, *, at: datetime) -> Order:
    """Enter what the broker says: each fill once, then the status, in one transaction. The same report again changes
    nothing."""
    with transaction.atomic(durable=True):
        order, account = _locked(order_id)
        event = EVENT_OF_REPORT[report.status]
        if (Status(order.status), event) not in transitions.TABLE:
            return order
        fills = [fill for fill in report.fills if books.book(order, account, fill, broker=settings.BROKER)]
        if event == Event.PARTIAL_FILL and not fills:
            return order
        changes: dict[str, object] = {
            "in_doubt": False,
            "broker_order_id": report.broker_order_id,
            "broker_status": report.raw_status,
        }
        executions = list(order.executions.all())
        if executions:
            quantity = sum((execution.quantity for execution in executions), Decimal(0))
            paid = sum((execution.quantity * execution.price_usd for execution in executions), Decimal(0))
            changes |= {"cum_qty": quantity, "avg_px": (paid / quantity).quantize(Decimal("0.000001"))}
        details = {"broker": settings.BROKER, "exec_ids": [fill.exec_id for fill in fills]}
        details |= {"fills": [f"{payload.plain(fill.quantity)} at {payload.plain(fill.price_usd)}" for fill in fills]}
        return transitions.move(
            order,
            event,
            actor=f"broker:{settings.BROKER}",
            at=at,
            reason=report.reason,
            details=details,
            changes=changes,
        )


def reconcile(*, at: datetime) -> int:
    """Ask the broker about every order that is there or may be, and take up work whose lease has run out; how many."""
    asked = 0
    for order in Order.objects.filter(status__in=AT_BROKER).exclude(outbox__done_at=None):
        report = _ask(order, at=at)
        if report is not None:
            record(order.pk, report, at=at)
            asked += 1
    for order_id, kind in (
        Outbox.objects.filter(done_at=None).exclude(lease_until__gt=at).values_list("order_id", "kind")
    ):
        execute(order_id, Outbox.Kind(kind), at=at)
        asked += 1
    return asked


def halt(*, symbol: str = "", reason: str, by: str, at: datetime) -> TradingHalt:
    """Stop all trading, or trading in one symbol, until it is resumed."""
    if not reason.strip():
        raise ReasonMissing("say why trading is halted")
    with transaction.atomic(durable=True):
        row = TradingHalt.objects.create(symbol=symbol.upper(), reason=reason, halted_by=by, halted_at=at)
        audit.record(Action.TRADING_HALTED, actor=by, at=at, details={"symbol": row.symbol, "reason": reason})
    return row


def resume_trading(*, symbol: str = "", reason: str, by: str, at: datetime) -> int:
    """Lift the halt of a symbol, or without one the halt of all trading; how many were lifted."""
    if not reason.strip():
        raise ReasonMissing("say why trading resumes")
    with transaction.atomic(durable=True):
        lifted = TradingHalt.objects.filter(symbol=symbol.upper(), lifted_at=None).update(lifted_at=at)
        audit.record(
            Action.TRADING_RESUMED,
            actor=by,
            at=at,
            details={"symbol": symbol.upper(), "reason": reason, "lifted": lifted},
        )
    return lifted


def explain(denials: Iterable[risk.Check]) -> str:
    """Failed checks in a person's words."""
    return "; ".join(f"{risk.MEANING[check.code]} (allowed {check.limit}, is {check.actual})" for check in denials)


def _read(request: Request, account: Account, *, at: datetime) -> Order:
    """The request as an order that the database can hold. Raises Invalid with a check's code."""
    found = instruments.find(request.symbol)
    symbol = found.symbol if found else request.symbol.strip().upper()
    if not TICKER.fullmatch(symbol):
        raise Invalid(f"{request.symbol[:40]!r} is not a symbol we know", code="instrument_not_found")
    side, order_type = request.side.strip().lower(), request.order_type.strip().lower()
    if side not in Side.values:
        raise Invalid("the side must be buy or sell", code="invalid_side")
    if order_type not in OrderType.values:
        raise Invalid("the order type must be market or limit", code="unsupported_order_type")
    time_in_force = request.time_in_force.strip().lower()
    if time_in_force not in TimeInForce.values:
        raise Invalid("the time in force must be day or gtc", code="unsupported_time_in_force")
    quantity = risk.number(request.quantity)
    if quantity is None or quantity <= 0:
        raise Invalid(risk.MEANING[risk.Code.INVALID_QUANTITY], code="invalid_quantity")
    order = Order(
        id=uuid.uuid4(),
        client_order_id="nx-" + hashlib.sha256(request.key.encode()).hexdigest()[:24],
        proposal_key=request.key,
        account=account,
        maker=account.owner,
        thread_id=request.thread_id,
        turn_id=request.turn_id,
        symbol=symbol,
        side=side,
        quantity=quantity,
        order_type=order_type,
        limit_price=_limit_price(request, order_type),
        time_in_force=time_in_force,
        user_words=request.words,
        rationale=request.rationale[:2000],
        model=request.model,
        expires_at=at + timedelta(seconds=settings.APPROVAL_TTL_S),
        created_at=at,
        updated_at=at,
    )
    order.payload_sha256 = payload.sha256(order)
    return order


def _limit_price(request: Request, order_type: str) -> Decimal | None:
    if order_type == OrderType.MARKET:
        return None
    price = risk.number(request.limit_price)
    if price is None or price <= 0:
        raise Invalid(risk.MEANING[risk.Code.INVALID_PRICE], code="invalid_price")
    return price


def _symbol(order_id: uuid.UUID) -> str:
    symbol = Order.objects.filter(pk=order_id).values_list("symbol", flat=True).first()
    if symbol is None:
        raise Missing("there is no such order")
    return symbol


def _locked(order_id: uuid.UUID) -> tuple[Order, Account]:
    """An order and its account, the account's row locked first, as everywhere."""
    account = Account.objects.select_for_update().select_related("owner").filter(orders=order_id).first()
    if account is None:
        raise Missing("there is no such order")
    return Order.objects.select_for_update(of=("self",)).select_related("maker").get(pk=order_id), account


def _require_checker(order: Order, by: User) -> None:
    if not (by.is_active and by.has_perm("orders.approve_order")):
        raise NotAnApprover("only an approver decides on orders")
    if not policy.are_four_eyes(maker_id=order.maker_id, checker_id=by.pk):
        raise SelfApproval(risk.MEANING[risk.Code.SELF_APPROVAL])


def _require_version(order: Order, version: int, event: Event) -> None:
    if (Status(order.status), event) not in transitions.TABLE:
        raise transitions.IllegalTransition(f"the order is {order.get_status_display().lower()} already")
    if order.version != version:
        raise transitions.StaleOrder("the order has changed since it was shown")


def _refuse(denials: tuple[risk.Check, ...]) -> None:
    if denials:
        raise CheckFailed(
            explain(denials),
            code=denials[0].code.value.lower(),
            details={"checks": [check.as_json() for check in denials]},
        )


def _queue(order: Order, kind: Outbox.Kind, *, at: datetime) -> None:
    """Leave work for the executor and wake it. The task's row commits with the order, being in the same database."""
    Outbox.objects.get_or_create(kind=kind, order=order, defaults={"created_at": at})
    async_task("orders.tasks.execute", order_id=str(order.pk), kind=kind.value)


def _claim(order_id: uuid.UUID, kind: Outbox.Kind, *, at: datetime) -> Outbox | None:
    """Take the work, or None when it is done or somebody holds it. The compare-and-set is what holds on every
    database."""
    outbox = Outbox.objects.filter(order=order_id, kind=kind, done_at=None).exclude(lease_until__gt=at).first()
    if outbox is None:
        return None
    mine = Outbox.objects.filter(pk=outbox.pk, attempts=outbox.attempts, done_at=None)
    if not mine.update(attempts=outbox.attempts + 1, lease_until=at + LEASE):
        return None
    outbox.attempts += 1
    return outbox


def _ready(order_id: uuid.UUID, *, at: datetime) -> Order | None:
    """The order, checked a last time and committed as PENDING_NEW before the broker hears of it; None when it may not
    go."""
    seen = queries.quote(_symbol(order_id), at=at)
    with transaction.atomic(durable=True):
        order, account = _locked(order_id)
        if order.status == Status.PENDING_NEW:
            return order
        if order.status != Status.APPROVED:
            return None
        approval = order.approvals.order_by("id").first()
        facts = queries.facts(
            order,
            account,
            seen=seen,
            at=at,
            expires_at=approval.at + timedelta(seconds=settings.APPROVAL_TTL_S) if approval else None,
            stored_sha256=approval.payload_sha256 if approval else None,
            actual_sha256=payload.sha256(order),
        )
        checks = risk.assess(queries.proposal(order), facts, phase=risk.Phase.SEND)
        changes = {"checks": [*order.checks, *(check.as_json() for check in checks)]}
        denials = risk.failed(checks)
        if denials:
            transitions.move(order, Event.DENY, actor=EXECUTOR, at=at, reason=explain(denials), changes=changes)
            return None
        return transitions.move(order, Event.SUBMIT, actor=EXECUTOR, at=at, changes=changes)


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
        time_in_force=order.time_in_force,
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
        Order.objects.filter(pk=order.pk).update(in_doubt=True)
        audit.record(
            Action.ORDER_IN_DOUBT,
            actor=EXECUTOR,
            on_behalf_of=f"user:{order.maker_id}",
            at=at,
            order_id=order.pk,
            details={"reason": str(error)},
        )

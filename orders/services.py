"""The verbs. Each opens its own transaction, asks the rules, moves the order and leaves an event; none calls another.

A person's verb takes the person (`by`), the moment (`at`), and never a flag that turns off a check or the record.
"""

import hashlib
import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django_q.tasks import async_task

from compliance import audit, policy
from compliance.audit import Action
from nextrade.errors import Invalid, Missing, NotPermitted, Refused
from orders import books, codes, instruments, payload, queries, risk, transitions
from orders.models import (
    AT_BROKER,
    OPEN,
    WITH_LIMIT,
    WITH_STOP,
    Account,
    Approval,
    Event,
    Order,
    OrderType,
    Outbox,
    Side,
    Status,
    TimeInForce,
)

TICKER = re.compile(r"[A-Z]{1,6}(\.[A-Z])?")


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

    words: the person's message; is_tainted: not all of the order is found there. thread_id, turn_id: where it was said.
    rationale, model: who proposed it, and why. grounds: hashes of the prompts and tool results that it rests on.
    """

    key: str
    symbol: str
    side: str
    quantity: str
    order_type: str = OrderType.MARKET
    limit_price: str = ""
    stop_price: str = ""
    time_in_force: str = TimeInForce.DAY
    is_tainted: bool = False
    rationale: str = ""
    words: str = ""
    model: str = ""
    thread_id: uuid.UUID | None = None
    turn_id: uuid.UUID | None = None
    grounds: Mapping[str, Any] = field(default_factory=dict)


def open_account(owner: User, *, cash_usd: Decimal, by: str, at: datetime) -> Account:
    """Give a person a book with some cash in it; again: the book they have, unchanged."""
    with transaction.atomic(durable=True):
        account, is_new = Account.objects.get_or_create(owner=owner, defaults={"cash_usd": Decimal(0), "opened_at": at})
        if is_new:
            books.transfer(account, cash_usd, reason="opening balance", at=at)
            details = {"owner": audit.person(owner), "cash_usd": payload.plain(cash_usd)}
            audit.record(Action.ACCOUNT_OPENED, actor=by, at=at, details=details)
    return account


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
        checks = risk.assess(queries.proposal(order), facts, phase=codes.Phase.PROPOSAL)
        denials = risk.denials(checks)
        order.checks = [check.as_json() for check in checks]
        order.limits_version = facts.limits.version if facts.limits else ""
        order.snapshot = _snapshot(facts)
        if seen:
            order.quote_usd, order.quote_as_of, order.quote_source = seen.price_usd, seen.as_of, seen.source
            order.reserve_price_usd = risk.unit_price(queries.proposal(order), facts)
            order.approvals_needed = _approvals_needed(order, facts)
        details: dict[str, Any] = {
            "codes": [check.code.value for check in denials],
            "model": request.model,
            "is_tainted": order.is_tainted,
            **request.grounds,
        }
        salt = secrets.token_hex(16)  # a short message could be guessed from its bare hash
        details["words_sha256"] = hashlib.sha256(f"{salt}{order.user_words}".encode()).hexdigest()
        event = Event.DENY if denials else Event.ADMIT
        personal = {"words_salt": salt}
        return transitions.move(
            order, event, actor=by, at=at, reason=risk.explain(denials), details=details, personal=personal
        )


def approve(order_id: uuid.UUID, *, by: User, version: int, reason: str = "", at: datetime) -> Order:
    """Say yes to the order as it was shown, at `version`: an Approval and an event; with the last yes that it needs
    also APPROVED and work for the executor; or nothing at all.

    Raises Missing, NotAnApprover, SelfApproval, StaleOrder, IllegalTransition, CheckFailed, and ReasonMissing where a
    soft check has failed.
    """
    seen = queries.quote(_symbol(order_id), at=at)
    actor = audit.person(by)
    with audit.refusals(actor=actor, at=at, order_id=order_id), transaction.atomic(durable=True):
        order, account = queries.locked(order_id)
        _require_checker(order, by, at=at)
        _require_version(order, version, Event.APPROVE)
        actual = payload.sha256(order)
        facts = queries.facts(
            order,
            account,
            seen=seen,
            at=at,
            reference_usd=order.quote_usd,
            checker_id=by.pk,
            is_conflict=queries.is_conflict(order.maker_id, by.pk),
            expires_at=order.expires_at,
            stored_sha256=order.payload_sha256,
            actual_sha256=actual,
        )
        checks = risk.assess(queries.proposal(order), facts, phase=codes.Phase.APPROVAL)
        _refuse(risk.denials(checks))
        if not reason.strip() and any(not check["passed"] for check in order.checks):
            raise ReasonMissing("a check has failed that needs a reason: say why the order may go on")
        assert seen is not None  # its check has passed
        assert facts.limits is not None
        checkers = set(order.approvals.values_list("checker_id", flat=True))
        if by.pk in checkers:
            raise Refused("you have approved this order already; it needs somebody else too", code="approved_already")
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
        given = len(checkers) + 1
        for_review = {
            "overruled": [check["code"] for check in order.checks if not check["passed"]],
            "waited_s": int((at - order.created_at).total_seconds()),
        }
        results = [*order.checks, *(check.as_json() for check in checks)]
        if given < order.approvals_needed:
            order.checks, order.updated_at = results, at
            order.save(update_fields=["checks", "updated_at"])
            details = {"given": given, "needed": order.approvals_needed, "reason": reason, "payload_sha256": actual}
            details |= for_review
            audit.record(
                Action.ORDER_APPROVAL_GIVEN,
                actor=actor,
                on_behalf_of=f"user:{order.maker_id}",
                at=at,
                order_id=order.pk,
                thread_id=order.thread_id,
                details=details,
            )
            return order
        changes = {"checks": results}
        transitions.move(order, Event.APPROVE, actor=actor, at=at, reason=reason, details=for_review, changes=changes)
        _queue(order, Outbox.Kind.SUBMIT, at=at)
    return order


def decline(order_id: uuid.UUID, *, by: User, version: int, reason: str, at: datetime) -> Order:
    """Say no, with a reason. Raises what `approve` does, and ReasonMissing."""
    with (
        audit.refusals(actor=audit.person(by), at=at, order_id=order_id),
        transaction.atomic(durable=True),
    ):
        order, _ = queries.locked(order_id)
        _require_checker(order, by, at=at)
        if not reason.strip():
            raise ReasonMissing("say why the order is declined")
        _require_version(order, version, Event.DECLINE)
        return transitions.move(order, Event.DECLINE, actor=audit.person(by), at=at, reason=reason)


def cancel(order_id: uuid.UUID, *, owner: User, by: str, at: datetime) -> Order:
    """Take an order back: at once before it is sent, by asking the broker after. No second person: it lowers risk.

    by: the owner, or an agent for them. Raises Missing for another person's order, IllegalTransition when it is late.
    """
    with audit.refusals(actor=by, at=at, order_id=order_id), transaction.atomic(durable=True):
        order, _ = queries.locked(order_id)
        if order.maker_id != owner.pk:
            raise Missing("there is no such order")
        return _take_back(order, by=by, at=at)


def cancel_open(*, symbol: str = "", account: Account | None = None, by: str, reason: str, at: datetime) -> int:
    """Take back every order that is not over, as the kill switch may ask for: of one symbol, one account or all; how
    many."""
    wanted = Order.objects.filter(status__in=OPEN)
    wanted = wanted.filter(symbol=symbol.upper()) if symbol else wanted
    wanted = wanted.filter(account=account) if account else wanted
    taken = 0
    for order_id in wanted.values_list("pk", flat=True):
        with transaction.atomic(durable=True):
            order, _ = queries.locked(order_id)
            if order.status in OPEN and order.status != Status.PENDING_CANCEL:
                _take_back(order, by=by, reason=reason, at=at)
                taken += 1
    return taken


def expire_stale(*, at: datetime) -> int:
    """Lapse what nobody decided on in time; how many."""
    lapsed = 0
    for order_id in Order.objects.filter(status=Status.PENDING_APPROVAL, expires_at__lte=at).values_list(
        "pk", flat=True
    ):
        with transaction.atomic(durable=True):
            order, _ = queries.locked(order_id)
            if order.status == Status.PENDING_APPROVAL:
                transitions.move(order, Event.LAPSE, actor="system:expiry", at=at, reason="nobody decided in time")
                lapsed += 1
    return lapsed


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
        raise Invalid(f"the order type must be one of {', '.join(OrderType.values)}", code="unsupported_order_type")
    time_in_force = request.time_in_force.strip().lower()
    if time_in_force not in TimeInForce.values:
        known = ", ".join(TimeInForce.values)
        raise Invalid(f"the time in force must be one of {known}", code="unsupported_time_in_force")
    quantity = risk.number(request.quantity)
    if quantity is None or quantity <= 0:
        raise Invalid(codes.MEANING[codes.Code.INVALID_QUANTITY], code="invalid_quantity")
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
        limit_price=_price(request.limit_price) if order_type in WITH_LIMIT else None,
        stop_price=_price(request.stop_price) if order_type in WITH_STOP else None,
        time_in_force=time_in_force,
        is_tainted=request.is_tainted,
        user_words=request.words,
        rationale=request.rationale[:2000],
        model=request.model,
        expires_at=at + timedelta(seconds=settings.APPROVAL_TTL_S),
        created_at=at,
        updated_at=at,
    )
    order.payload_sha256 = payload.sha256(order)
    return order


def _price(text: str) -> Decimal:
    price = risk.number(text)
    if price is None or price <= 0:
        raise Invalid(codes.MEANING[codes.Code.INVALID_PRICE], code="invalid_price")
    return price


def _symbol(order_id: uuid.UUID) -> str:
    symbol = Order.objects.filter(pk=order_id).values_list("symbol", flat=True).first()
    if symbol is None:
        raise Missing("there is no such order")
    return symbol


def _require_checker(order: Order, by: User, *, at: datetime) -> None:
    if not queries.may_approve(by, at=at):
        raise NotAnApprover("only an approver decides on orders")
    is_own = not policy.are_four_eyes(maker_id=order.maker_id, checker_id=by.pk)
    is_lent_by_maker = not by.has_perm("orders.approve_order") and queries.givers(by, at=at) <= {order.maker_id}
    if is_own or is_lent_by_maker:
        raise SelfApproval(codes.MEANING[codes.Code.SELF_APPROVAL])


def _require_version(order: Order, version: int, event: Event) -> None:
    if (Status(order.status), event) not in transitions.TABLE:
        raise transitions.IllegalTransition(f"the order is {order.get_status_display().lower()} already")
    if order.version != version:
        raise transitions.StaleOrder("the order has changed since it was shown")


def _take_back(order: Order, *, by: str, at: datetime, reason: str = "") -> Order:
    if order.status not in AT_BROKER:
        return transitions.move(order, Event.WITHDRAW, actor=by, at=at, reason=reason)
    changes = {"cancel_requested_at": at}
    transitions.move(order, Event.REQUEST_CANCEL, actor=by, at=at, reason=reason, changes=changes)
    order.outbox.filter(kind=Outbox.Kind.CANCEL).delete()  # of an earlier request, which was answered
    _queue(order, Outbox.Kind.CANCEL, at=at)
    return order


def _snapshot(facts: risk.Facts) -> dict[str, str]:
    """What stood when the order was proposed, for the approver's diff. USD and shares as strings; unknown is absent."""
    seen = {
        "quote_usd": facts.quote_usd,
        "held": facts.held,
        "cash_usd": facts.cash_usd,
        "committed_usd": facts.committed_usd,
        "waiting_usd": facts.waiting_usd,
        "equity_usd": facts.equity_usd,
    }
    plain = {name: payload.plain(value) for name, value in seen.items() if value is not None}
    return {**plain, "limits": facts.limits.version if facts.limits else ""}


def _approvals_needed(order: Order, facts: risk.Facts) -> int:
    """Two for an order that is not in the person's own words, and above the limits' amount; else one."""
    above = facts.limits.second_approver_usd if facts.limits else None
    is_large = above is not None and risk.notional(queries.proposal(order), facts) > above
    return 2 if order.is_tainted or is_large else 1


def _refuse(denials: tuple[risk.Check, ...]) -> None:
    if denials:
        raise CheckFailed(
            risk.explain(denials),
            code=denials[0].code.value.lower(),
            details={"checks": [check.as_json() for check in denials]},
        )


def _queue(order: Order, kind: Outbox.Kind, *, at: datetime) -> None:
    """Leave work for the executor and wake it. The task's row commits with the order, being in the same database."""
    Outbox.objects.create(kind=kind, order=order, created_at=at)
    async_task("orders.tasks.execute", order_id=str(order.pk), kind=kind.value, save=False)  # the outbox has the record

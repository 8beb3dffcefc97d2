"""What bounds trading: limits, trading states, switches, breakers."""

from datetime import datetime, time, timedelta
from time import monotonic

from django.contrib.auth.models import User
from django.db import transaction

from compliance import alerts, audit
from compliance.audit import Action
from nextrade.errors import Invalid, Missing, Refused
from orders import desk, queries, risk
from orders.models import (
    Account,
    EquityDay,
    Limits,
    Switch,
    TradingState,
)
from orders.services import NotAnApprover, ReasonMissing, SelfApproval


def set_limits(limits: Limits) -> Limits:
    """Propose a new version of a scope's limits. It holds once a second person has approved it."""
    with transaction.atomic():
        limits.save(force_insert=True)
        stated = {field: getattr(limits, field) for field in queries.STRICTEST}
        details = {field: str(value) for field, value in stated.items() if value is not None}
        details |= {"version": str(limits.version), "scope": limits.scope, "reason": limits.reason}
        audit.record(Action.LIMITS_SET, actor=limits.set_by, at=limits.set_at, details=details)
    return limits


def approve_limits(version: int, *, by: User, at: datetime) -> Limits:
    """Let a proposed change of limits hold. Raises Missing, NotAnApprover, SelfApproval, Refused when it holds
    already."""
    actor = audit.person(by)
    with audit.refusals(actor=actor, at=at), transaction.atomic(durable=True):
        limits = Limits.objects.select_for_update().filter(pk=version).first()
        if limits is None:
            raise Missing("there are no such limits")
        if not (by.is_active and by.has_perm("orders.approve_limits")):
            raise NotAnApprover("you may not approve a change of limits")
        if limits.set_by == actor:
            raise SelfApproval("nobody approves a change of limits of their own")
        if limits.approved_at:
            raise Refused("these limits hold already", code="illegal_transition")
        limits.approved_by, limits.approved_at = actor, at
        limits.save(update_fields=["approved_by", "approved_at"])
        details = {"version": limits.version, "scope": limits.scope, "set_by": limits.set_by}
        audit.record(Action.LIMITS_APPROVED, actor=actor, at=at, details=details)
    return limits


def halt(
    *,
    symbol: str = "",
    account: Account | None = None,
    state: TradingState.State = TradingState.State.HALTED,
    until: datetime | None = None,
    reason: str,
    by: str,
    at: datetime,
) -> TradingState:
    """Stop trading, or all but what reduces exposure: everywhere, in one symbol or of one account, until it is resumed
    or `until` has come."""
    if not reason.strip():
        raise ReasonMissing("say why trading is halted")
    if symbol and account:
        raise Invalid("a state is of a symbol or of an account, not of both", code="invalid_scope")
    with transaction.atomic():
        row = TradingState.objects.create(
            state=state, symbol=symbol.upper(), account=account, reason=reason, set_by=by, set_at=at, until=until
        )
        details = {"state": state.value, "symbol": row.symbol, "account": row.account_id, "reason": reason}
        audit.record(Action.TRADING_HALTED, actor=by, at=at, details={**details, "until": until and until.isoformat()})
    return row


def resume_trading(*, symbol: str = "", account: Account | None = None, reason: str, by: str, at: datetime) -> int:
    """Lift every state of a symbol, of an account, or without either of all trading; how many were lifted."""
    if not reason.strip():
        raise ReasonMissing("say why trading resumes")
    with transaction.atomic(durable=True):
        states = TradingState.objects.filter(symbol=symbol.upper(), account=account, lifted_at=None)
        lifted = states.update(lifted_at=at)
        if not lifted:
            return 0
        details = {"symbol": symbol.upper(), "account": account and account.pk, "reason": reason, "lifted": lifted}
        audit.record(Action.TRADING_RESUMED, actor=by, at=at, details=details)
    return lifted


def switch(name: str, *, is_on: bool, reason: str, by: str, at: datetime) -> Switch:
    """Turn one of the installation's switches."""
    if not reason.strip():
        raise ReasonMissing("say why the switch is turned")
    with transaction.atomic(durable=True):
        row, _ = Switch.objects.update_or_create(
            name=name, defaults={"is_on": is_on, "reason": reason, "set_by": by, "set_at": at}
        )
        audit.record(Action.SWITCH_TURNED, actor=by, at=at, details={"name": name, "is_on": is_on, "reason": reason})
    return row


def halt_drill(*, at: datetime) -> float:
    """Halt a symbol that nobody trades and see that it holds; the seconds it took, which the trail keeps."""
    start = monotonic()
    halt(symbol="DRILL", reason="drill", by="system:drill", at=at)
    holds = bool(queries.halt_reason("DRILL", 0, at=at))
    took_s = monotonic() - start
    resume_trading(symbol="DRILL", reason="drill", by="system:drill", at=at)
    with transaction.atomic():
        details = {"took_ms": round(took_s * 1000), "holds": holds}
        audit.record(Action.HALT_DRILL, actor="system:drill", at=at, details=details)
        if not holds:
            alerts.raise_alert("halt_drill_failed", actor="system:drill", at=at, details=details)
    return took_s


def trip_breakers(*, at: datetime) -> int:
    """Let accounts that have lost too much reduce alone: for the rest of the day, or until somebody lifts it after a
    draw-down; how many."""
    tripped = 0
    for account in Account.objects.filter(is_active=True):
        limits = queries.current_limits(account.pk, "")
        marks = queries.equity_marks(account, at=at)
        if limits is None or marks.now_usd is None:
            continue
        lost, fallen = marks.start_usd - marks.now_usd, marks.drawdown_pct
        tomorrow = datetime.combine(at.date() + timedelta(days=1), time(0), at.tzinfo)
        if limits.max_daily_loss_usd is not None and lost > limits.max_daily_loss_usd:
            reason = f"lost {risk.usd(lost)} today, more than {risk.usd(limits.max_daily_loss_usd)}"
            tripped += _trip(account, reason, until=tomorrow, at=at)
        if limits.max_drawdown_pct is not None and fallen > limits.max_drawdown_pct:
            reason = f"fell {fallen:.1f} % from the highest equity, more than {limits.max_drawdown_pct.normalize():f} %"
            tripped += _trip(account, reason, until=None, at=at)
    return tripped


def _trip(account: Account, reason: str, *, until: datetime | None, at: datetime) -> int:
    """Set an account to REDUCING once."""
    state = TradingState.State.REDUCING
    is_set = TradingState.objects.filter(account=account, state=state, lifted_at=None).exclude(until__lte=at).exists()
    if is_set:
        return 0
    halt(account=account, state=state, until=until, reason=reason, by=desk.BREAKER, at=at)
    with transaction.atomic():
        alerts.raise_alert(
            "breaker_tripped", actor=desk.BREAKER, at=at, details={"account": account.pk, "reason": reason}
        )
    return 1


def close_day(*, at: datetime) -> int:
    """Write down what every account was worth at the end of the day before `at`; how many."""
    day = (at - timedelta(hours=1)).date()
    written = 0
    for account in Account.objects.all():
        equity = queries.portfolio(account, at=at).equity_usd
        if equity is not None:
            values = {"cash_usd": account.cash_usd, "equity_usd": equity}
            EquityDay.objects.update_or_create(account=account, day=day, defaults=values)
            written += 1
    return written

"""Pre-trade checks: pure functions of an order and the facts, which do not know Django.

A rule measures and says whether the order passes; RULES is the policy, in order. A missing fact fails its check.
Phases: P proposal, A approval, X just before sending. Source: SEC Rule 15c3-5, ESMA RTS 6.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import Any, TypeVar

from orders.codes import MEANING, Code, Phase, Severity

log = logging.getLogger(__name__)
T = TypeVar("T")

MARKET_BUFFER = Decimal("1.02")
"""A market order is reckoned two percent dearer than the quote, so that a move until the fill stays within the cash."""
MAX_DIGITS = 12
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is to be traded. limit_price, stop_price: None where the order type has none."""

    symbol: str
    side: str
    quantity: Decimal
    order_type: str = "market"
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The strictest of every scope. version: "firm:3 symbol AAPL:7", the rows they came from. None: nobody has said.

    Amounts in USD, windows and ages in seconds, percentages as numbers (5 is five percent).
    """

    version: str
    max_quantity: Decimal | None = None
    max_notional_usd: Decimal | None = None
    min_notional_usd: Decimal | None = None
    max_approval_usd: Decimal | None = None
    second_approver_usd: Decimal | None = None
    collar_pct: Decimal | None = None
    drift_pct: Decimal | None = None
    max_position_pct: Decimal | None = None
    max_sector_pct: Decimal | None = None
    max_gross_usd: Decimal | None = None
    max_credit_usd: Decimal | None = None
    max_firm_credit_usd: Decimal | None = None
    max_daily_loss_usd: Decimal | None = None
    max_drawdown_pct: Decimal | None = None
    max_orders_per_minute: int | None = None
    max_orders_per_day: int | None = None
    duplicate_window_s: int | None = None
    max_quote_age_s: int | None = None
    are_market_orders_allowed: bool = True


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the rules may look at, as it was at one moment. None: not known, which fails the check that needs it.

    cash_usd: all of it. committed_usd: reckoned for other buys that are approved or at the broker; waiting_usd: for
    those that wait for approval; firm_open_usd: for all of both, of every account.
    held, selling: shares in the position and in other open sells. symbol_usd, sector_usd, gross_usd: held at market.
    reference_usd: the quote the order was last shown with. duplicate_id, opposite_id: other orders, "" for none.
    commission_usd: per share. halt_reason, reducing_reason, mode_problem: "" where nothing stands in the way.
    """

    at: datetime
    limits: Limits | None
    halt_reason: str | None = None
    reducing_reason: str | None = None
    is_account_active: bool | None = None
    mode_problem: str | None = None
    is_instrument_known: bool | None = None
    is_supported: bool | None = None
    commission_usd: Decimal | None = None
    lot_size: Decimal | None = None
    is_restricted: bool | None = None
    is_market_open: bool | None = None
    quote_usd: Decimal | None = None
    quote_as_of: datetime | None = None
    reference_usd: Decimal | None = None
    cash_usd: Decimal | None = None
    committed_usd: Decimal | None = None
    waiting_usd: Decimal | None = None
    firm_open_usd: Decimal | None = None
    held: Decimal | None = None
    selling: Decimal | None = None
    equity_usd: Decimal | None = None
    symbol_usd: Decimal | None = None
    sector_usd: Decimal | None = None
    gross_usd: Decimal | None = None
    day_start_usd: Decimal | None = None
    peak_usd: Decimal | None = None
    orders_last_minute: int | None = None
    orders_today: int | None = None
    duplicate_id: str | None = None
    opposite_id: str | None = None
    open_breaks: int | None = None
    is_tainted: bool | None = None
    maker_id: int | None = None
    checker_id: int | None = None
    is_conflict: bool | None = None
    expires_at: datetime | None = None
    approvals: int | None = None
    approvals_needed: int | None = None
    stored_sha256: str | None = None
    actual_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class Check:
    """One result, as it is stored: what was allowed and what was found, in words for people."""

    code: Code
    passed: bool
    limit: str
    actual: str
    phase: Phase
    severity: Severity
    limits_version: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code.value,
            "severity": self.severity.value,
            "passed": self.passed,
            "limit": self.limit,
            "actual": self.actual,
            "phase": self.phase.value,
            "limits_version": self.limits_version,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


Measure = tuple[bool, str, str]
"""passed, limit, actual"""


REDUCES: Measure = (True, "a buy only", "a sell")


class FactMissing(Exception):
    """A rule needs a fact that nobody could supply."""


def deny_halted(proposal: Proposal, facts: Facts) -> Measure:
    return not known(facts.halt_reason, "halts"), "no halt", facts.halt_reason or "none"


def deny_while_reducing(proposal: Proposal, facts: Facts) -> Measure:
    reason = known(facts.reducing_reason, "trading states")
    return not reason or proposal.side == "sell", "sells alone" if reason else "no such state", reason or "none"


def deny_inactive_account(proposal: Proposal, facts: Facts) -> Measure:
    active = known(facts.is_account_active, "account")
    return active, "active", "active" if active else "inactive"


def deny_wrong_mode(proposal: Proposal, facts: Facts) -> Measure:
    return not known(facts.mode_problem, "mode"), "both switches for live", facts.mode_problem or "as it should be"


def deny_unknown_instrument(proposal: Proposal, facts: Facts) -> Measure:
    return known(facts.is_instrument_known, "instruments"), "a known symbol", proposal.symbol


def deny_restricted(proposal: Proposal, facts: Facts) -> Measure:
    restricted = known(facts.is_restricted, "restricted list")
    return not restricted, "not restricted", "restricted" if restricted else "not restricted"


def deny_unsupported(proposal: Proposal, facts: Facts) -> Measure:
    return known(facts.is_supported, "broker"), "one the broker takes", proposal.order_type.replace("_", " ")


def deny_quantity(proposal: Proposal, facts: Facts) -> Measure:
    lot = known(facts.lot_size, "lot size")
    return (
        proposal.quantity > 0 and proposal.quantity % lot == 0,
        f"a multiple of {lot}",
        f"{proposal.quantity.normalize():f}",
    )


def deny_price(proposal: Proposal, facts: Facts) -> Measure:
    prices = [price for price in (proposal.limit_price, proposal.stop_price) if price is not None]
    are_fine = all(price > 0 and price % CENT == 0 for price in prices)
    return are_fine, "above 0, whole cents", ", ".join(f"{price:f}" for price in prices) or "market"


def deny_closed_market(proposal: Proposal, facts: Facts) -> Measure:
    is_open = known(facts.is_market_open, "calendar")
    return is_open, "open", "open" if is_open else "closed"


def deny_no_quote(proposal: Proposal, facts: Facts) -> Measure:
    quote = facts.quote_usd
    return quote is not None and quote > 0, "a price", usd(quote) if quote is not None else "none"


def deny_stale_quote(proposal: Proposal, facts: Facts) -> Measure:
    oldest = known(_limits(facts).max_quote_age_s, "limit")
    age = facts.at - known(facts.quote_as_of, "quote")
    return age <= timedelta(seconds=oldest), f"at most {oldest} s old", f"{age.total_seconds():.0f} s old"


def deny_beyond_collar(proposal: Proposal, facts: Facts) -> Measure:
    """A buy far above the market or a sell far below it is a mistake; far on the other side it only waits."""
    if proposal.limit_price is None:
        return True, "a limit price only", "market"
    band = known(_limits(facts).collar_pct, "limit")
    away = (proposal.limit_price / known(facts.quote_usd, "quote") - 1) * 100
    worse = away if proposal.side == "buy" else -away
    return worse <= band, f"{band.normalize():f} % worse than the market", f"{worse:.2f} %"


def deny_drift(proposal: Proposal, facts: Facts) -> Measure:
    """More than the allowed share of the price, or one tick where that is more."""
    reference, quote = known(facts.reference_usd, "price shown"), known(facts.quote_usd, "quote")
    band = known(_limits(facts).drift_pct, "limit")
    most = max(reference * band / 100, CENT)
    return abs(quote - reference) <= most, f"{band.normalize():f} %", f"{(quote / reference - 1) * 100:+.2f} %"


def deny_market_order(proposal: Proposal, facts: Facts) -> Measure:
    allowed = _limits(facts).are_market_orders_allowed or proposal.order_type != "market"
    return allowed, "limit orders" if not _limits(facts).are_market_orders_allowed else "any", proposal.order_type


def deny_large_quantity(proposal: Proposal, facts: Facts) -> Measure:
    most = known(_limits(facts).max_quantity, "limit")
    return proposal.quantity <= most, f"{most.normalize():f} shares", f"{proposal.quantity.normalize():f} shares"


def deny_large_notional(proposal: Proposal, facts: Facts) -> Measure:
    return _at_most(notional(proposal, facts), _limits(facts).max_notional_usd)


def deny_small_notional(proposal: Proposal, facts: Facts) -> Measure:
    least = known(_limits(facts).min_notional_usd, "limit")
    return notional(proposal, facts) >= least, usd(least), usd(notional(proposal, facts))


def deny_duplicate(proposal: Proposal, facts: Facts) -> Measure:
    window = known(_limits(facts).duplicate_window_s, "limit")
    twin = known(facts.duplicate_id, "other orders")
    return not twin, f"none alike within {window} s", twin or "none"


def deny_self_cross(proposal: Proposal, facts: Facts) -> Measure:
    opposite = known(facts.opposite_id, "other orders")
    return not opposite, "none on the other side", opposite or "none"


def deny_too_many_a_minute(proposal: Proposal, facts: Facts) -> Measure:
    most = known(_limits(facts).max_orders_per_minute, "limit")
    placed = known(facts.orders_last_minute, "other orders")
    return placed < most, f"{most} a minute", f"{placed} before this one"


def deny_too_many_a_day(proposal: Proposal, facts: Facts) -> Measure:
    most = known(_limits(facts).max_orders_per_day, "limit")
    placed = known(facts.orders_today, "other orders")
    return placed < most, f"{most} a day", f"{placed} before this one"


def deny_unaffordable(proposal: Proposal, facts: Facts) -> Measure:
    return _within_cash(proposal, facts, known(facts.cash_usd, "cash") - known(facts.committed_usd, "reservations"))


def deny_unaffordable_together(proposal: Proposal, facts: Facts) -> Measure:
    others = known(facts.committed_usd, "reservations") + known(facts.waiting_usd, "waiting orders")
    return _within_cash(proposal, facts, known(facts.cash_usd, "cash") - others)


def deny_short(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "buy":
        return True, "a sell only", "a buy"
    sellable = known(facts.held, "position") - known(facts.selling, "open sells")
    return (
        proposal.quantity <= sellable,
        f"{sellable.normalize():f} shares",
        f"{proposal.quantity.normalize():f} shares",
    )


def deny_concentration(proposal: Proposal, facts: Facts) -> Measure:
    return _share_of_equity(proposal, facts, facts.symbol_usd, _limits(facts).max_position_pct)


def deny_sector(proposal: Proposal, facts: Facts) -> Measure:
    return _share_of_equity(proposal, facts, facts.sector_usd, _limits(facts).max_sector_pct)


def deny_gross_exposure(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "sell":
        return REDUCES
    ordered = known(facts.committed_usd, "reservations") + notional(proposal, facts)
    return _at_most(known(facts.gross_usd, "positions") + ordered, _limits(facts).max_gross_usd)


def deny_after_daily_loss(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "sell":
        return REDUCES
    lost = known(facts.day_start_usd, "equity at the start of the day") - known(facts.equity_usd, "equity")
    return _at_most(lost, _limits(facts).max_daily_loss_usd)


def deny_in_drawdown(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "sell":
        return REDUCES
    most = known(_limits(facts).max_drawdown_pct, "limit")
    peak = known(facts.peak_usd, "highest equity")
    fallen = (1 - known(facts.equity_usd, "equity") / peak) * 100 if peak > 0 else Decimal(0)
    return fallen <= most, f"{most.normalize():f} %", f"{fallen:.2f} %"


def deny_beyond_credit(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "sell":
        return REDUCES
    open_usd = known(facts.committed_usd, "reservations") + known(facts.waiting_usd, "waiting orders")
    return _at_most(open_usd + notional(proposal, facts), _limits(facts).max_credit_usd)


def deny_beyond_firm_credit(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "sell":
        return REDUCES
    return _at_most(
        known(facts.firm_open_usd, "the firm's open orders") + notional(proposal, facts),
        _limits(facts).max_firm_credit_usd,
    )


def deny_while_books_differ(proposal: Proposal, facts: Facts) -> Measure:
    breaks = known(facts.open_breaks, "reconciliation")
    return not breaks, "no open break", f"{breaks} open" if breaks else "none"


def deny_ungrounded(proposal: Proposal, facts: Facts) -> Measure:
    tainted = known(facts.is_tainted, "the person's words")
    return not tainted, "in the person's own words", "not found there" if tainted else "found there"


def deny_self_approval(proposal: Proposal, facts: Facts) -> Measure:
    checker = known(facts.checker_id, "checker")
    return known(facts.maker_id, "maker") != checker, "another person", f"user:{checker}"


def deny_conflict(proposal: Proposal, facts: Facts) -> Measure:
    conflict = known(facts.is_conflict, "conflict list")
    return not conflict, "no conflict", "on the list" if conflict else "none"


def deny_beyond_authority(proposal: Proposal, facts: Facts) -> Measure:
    return _at_most(notional(proposal, facts), _limits(facts).max_approval_usd)


def deny_expired(proposal: Proposal, facts: Facts) -> Measure:
    expires_at = known(facts.expires_at, "expiry")
    return facts.at < expires_at, f"before {expires_at:%H:%M:%S}", f"{facts.at:%H:%M:%S}"


def deny_unapproved(proposal: Proposal, facts: Facts) -> Measure:
    given, needed = known(facts.approvals, "approvals"), known(facts.approvals_needed, "approvals needed")
    return needed > 0 and given >= needed, f"{needed}", f"{given}"


def deny_changed(proposal: Proposal, facts: Facts) -> Measure:
    stored, actual = known(facts.stored_sha256, "stored hash"), known(facts.actual_sha256, "actual hash")
    return stored == actual, stored[:12], actual[:12]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """phases: letters of Phase. A soft rule that fails asks the approver for a reason and stops nothing."""

    code: Code
    phases: str
    measure: Callable[[Proposal, Facts], Measure]
    severity: Severity = Severity.HARD


RULES: tuple[Rule, ...] = (
    Rule(code=Code.TRADING_HALTED, phases="PAX", measure=deny_halted),
    Rule(code=Code.TRADING_STATE_REDUCING, phases="PAX", measure=deny_while_reducing),
    Rule(code=Code.ACCOUNT_NOT_AUTHORIZED, phases="PAX", measure=deny_inactive_account),
    Rule(code=Code.MODE_MISMATCH, phases="PX", measure=deny_wrong_mode),
    Rule(code=Code.INSTRUMENT_NOT_FOUND, phases="P", measure=deny_unknown_instrument),
    Rule(code=Code.RESTRICTED_LIST, phases="PAX", measure=deny_restricted),
    Rule(code=Code.UNSUPPORTED_ORDER_TYPE, phases="P", measure=deny_unsupported),
    Rule(code=Code.INVALID_QUANTITY, phases="P", measure=deny_quantity),
    Rule(code=Code.INVALID_PRICE, phases="P", measure=deny_price),
    Rule(code=Code.MARKET_CLOSED, phases="PAX", measure=deny_closed_market),
    Rule(code=Code.NO_MARKET_DATA, phases="PAX", measure=deny_no_quote),
    Rule(code=Code.STALE_QUOTE, phases="PAX", measure=deny_stale_quote),
    Rule(code=Code.PRICE_COLLAR, phases="PAX", measure=deny_beyond_collar),
    Rule(code=Code.PRICE_DRIFT, phases="AX", measure=deny_drift),
    Rule(code=Code.MARKET_ORDER_NOT_ALLOWED, phases="P", measure=deny_market_order, severity=Severity.SOFT),
    Rule(code=Code.QUANTITY_EXCEEDS_MAXIMUM, phases="PX", measure=deny_large_quantity),
    Rule(code=Code.NOTIONAL_EXCEEDS_MAX_PER_ORDER, phases="PX", measure=deny_large_notional),
    Rule(code=Code.NOTIONAL_BELOW_MINIMUM, phases="PX", measure=deny_small_notional),
    Rule(code=Code.DUPLICATE_ORDER, phases="PX", measure=deny_duplicate),
    Rule(code=Code.WASH_OR_SELF_CROSS, phases="PX", measure=deny_self_cross),
    Rule(code=Code.RATE_LIMIT_EXCEEDED, phases="P", measure=deny_too_many_a_minute),
    Rule(code=Code.DAILY_ORDER_COUNT, phases="P", measure=deny_too_many_a_day),
    Rule(code=Code.INSUFFICIENT_BUYING_POWER, phases="PAX", measure=deny_unaffordable),
    Rule(code=Code.CUM_NOTIONAL_EXCEEDS_FREE_BALANCE, phases="PAX", measure=deny_unaffordable_together),
    Rule(code=Code.INSUFFICIENT_POSITION, phases="PAX", measure=deny_short),
    Rule(code=Code.POSITION_CONCENTRATION, phases="PAX", measure=deny_concentration),
    Rule(code=Code.SECTOR_EXPOSURE, phases="PAX", measure=deny_sector),
    Rule(code=Code.GROSS_EXPOSURE, phases="PAX", measure=deny_gross_exposure),
    Rule(code=Code.DAILY_LOSS_LIMIT, phases="PAX", measure=deny_after_daily_loss),
    Rule(code=Code.MAX_DRAWDOWN, phases="PAX", measure=deny_in_drawdown),
    Rule(code=Code.CREDIT_THRESHOLD, phases="PAX", measure=deny_beyond_credit),
    Rule(code=Code.FIRM_CREDIT_THRESHOLD, phases="PAX", measure=deny_beyond_firm_credit),
    Rule(code=Code.RECONCILIATION_BREAK, phases="AX", measure=deny_while_books_differ),
    Rule(code=Code.INJECTION_SUSPECTED, phases="P", measure=deny_ungrounded, severity=Severity.SOFT),
    Rule(code=Code.SELF_APPROVAL, phases="A", measure=deny_self_approval),
    Rule(code=Code.CONFLICT_OF_INTEREST, phases="A", measure=deny_conflict),
    Rule(code=Code.APPROVER_LIMIT, phases="A", measure=deny_beyond_authority),
    Rule(code=Code.APPROVAL_EXPIRED, phases="AX", measure=deny_expired),
    Rule(code=Code.APPROVAL_MISSING, phases="X", measure=deny_unapproved),
    Rule(code=Code.PAYLOAD_HASH_MISMATCH, phases="AX", measure=deny_changed),
)


def assess(proposal: Proposal, facts: Facts, *, phase: Phase) -> tuple[Check, ...]:
    """Every rule of a phase, in order. A rule that misses a fact, or breaks, has not passed."""
    return tuple(_check(rule, proposal, facts, phase) for rule in RULES if phase.value in rule.phases)


def denials(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The failed checks that stop the order."""
    return tuple(check for check in checks if not check.passed and check.severity is Severity.HARD)


def doubts(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The failed checks that an approver may overrule with a reason."""
    return tuple(check for check in checks if not check.passed and check.severity is Severity.SOFT)


def unit_price(proposal: Proposal, facts: Facts) -> Decimal:
    """USD a share is reckoned at: the limit price; without one the quote or the stop price, whichever is dearer, with a
    buffer for a buy. A buy pays the commission too. Raises FactMissing."""
    price = proposal.limit_price
    if price is None:
        price = max(known(facts.quote_usd, "quote"), proposal.stop_price or Decimal(0))
        price = (price * MARKET_BUFFER).quantize(CENT, ROUND_UP) if proposal.side == "buy" else price
    return price + known(facts.commission_usd, "commission") if proposal.side == "buy" else price


def notional(proposal: Proposal, facts: Facts) -> Decimal:
    """USD that the order is reckoned to move. Raises FactMissing without a price."""
    return proposal.quantity * unit_price(proposal, facts)


def number(text: str) -> Decimal | None:
    """A decimal of at most twelve digits before the point and six after; None for "1e308", "NaN", "1,5"."""
    if len(text) > 2 * MAX_DIGITS or not text.isascii():
        return None
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        return None
    if not value.is_finite() or value.adjusted() >= MAX_DIGITS or value != round(value, 6):
        return None
    return value


def known(value: T | None, fact: str) -> T:
    if value is None:
        raise FactMissing(fact)
    return value


def usd(amount: Decimal) -> str:
    return f"{amount:,.2f} USD"


def _limits(facts: Facts) -> Limits:
    return known(facts.limits, "limits")


def _at_most(amount: Decimal, most: Decimal | None) -> Measure:
    return amount <= known(most, "limit"), usd(known(most, "limit")), usd(amount)


def _within_cash(proposal: Proposal, facts: Facts, free: Decimal) -> Measure:
    if proposal.side == "sell":
        return True, "a buy only", "a sell"
    return _at_most(notional(proposal, facts), free)


def _share_of_equity(proposal: Proposal, facts: Facts, held_usd: Decimal | None, most: Decimal | None) -> Measure:
    """What one symbol or sector would be of the account's worth, in percent."""
    if proposal.side == "sell":
        return REDUCES
    equity = known(facts.equity_usd, "equity")
    after_usd = known(held_usd, "positions") + notional(proposal, facts)
    share = after_usd / equity * 100 if equity > 0 else Decimal(100)
    return share <= known(most, "limit"), f"{known(most, 'limit').normalize():f} %", f"{share:.1f} %"


def _check(rule: Rule, proposal: Proposal, facts: Facts, phase: Phase) -> Check:
    try:
        passed, limit, actual = rule.measure(proposal, facts)
    except FactMissing as missing:
        passed, limit, actual = False, "known", f"{missing} not known"
    except Exception:
        log.exception("Rule %s broke", rule.code)
        passed, limit, actual = False, "a result", "the check itself failed"
    version = facts.limits.version if facts.limits else ""
    return Check(
        code=rule.code,
        passed=passed,
        limit=limit,
        actual=actual,
        phase=phase,
        severity=rule.severity,
        limits_version=version,
        at=facts.at,
    )


def explain(denials: Iterable[Check]) -> str:
    """Failed checks in a person's words."""
    return "; ".join(f"{MEANING[check.code]} (allowed {check.limit}, is {check.actual})" for check in denials)

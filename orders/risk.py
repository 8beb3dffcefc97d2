"""Pre-trade checks: pure functions of an order and the facts, which do not know Django.

A rule measures and says whether the order passes; RULES is the policy, in order. A missing fact fails its check.
Phases: P proposal, A approval, X just before sending. Source: SEC Rule 15c3-5, ESMA RTS 6.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_UP, Decimal, InvalidOperation
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

MARKET_BUFFER = Decimal("1.02")
"""A market order is reckoned two percent dearer than the quote, so that a move until the fill stays within the cash."""
MAX_DIGITS = 12


class Phase(StrEnum):
    PROPOSAL = "P"
    APPROVAL = "A"
    SEND = "X"


class Code(StrEnum):
    TRADING_HALTED = "TRADING_HALTED"
    ACCOUNT_NOT_AUTHORIZED = "ACCOUNT_NOT_AUTHORIZED"
    INSTRUMENT_NOT_FOUND = "INSTRUMENT_NOT_FOUND"
    RESTRICTED_LIST = "RESTRICTED_LIST"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    NO_MARKET_DATA = "NO_MARKET_DATA"
    STALE_QUOTE = "STALE_QUOTE"
    QUANTITY_EXCEEDS_MAXIMUM = "QUANTITY_EXCEEDS_MAXIMUM"
    NOTIONAL_EXCEEDS_MAX_PER_ORDER = "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    INSUFFICIENT_BUYING_POWER = "INSUFFICIENT_BUYING_POWER"
    CUM_NOTIONAL_EXCEEDS_FREE_BALANCE = "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE"
    INSUFFICIENT_POSITION = "INSUFFICIENT_POSITION"
    SELF_APPROVAL = "SELF_APPROVAL"
    APPROVER_LIMIT = "APPROVER_LIMIT"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    PAYLOAD_HASH_MISMATCH = "PAYLOAD_HASH_MISMATCH"


MEANING: Mapping[Code, str] = MappingProxyType(
    {
        Code.TRADING_HALTED: "trading is halted",
        Code.ACCOUNT_NOT_AUTHORIZED: "this account may not trade",
        Code.INSTRUMENT_NOT_FOUND: "that symbol is not one we know",
        Code.RESTRICTED_LIST: "the firm does not trade this symbol",
        Code.INVALID_QUANTITY: "the quantity must be a whole number of shares above zero",
        Code.INVALID_PRICE: "the limit price must be above zero, in whole cents",
        Code.NO_MARKET_DATA: "there is no price for this symbol",
        Code.STALE_QUOTE: "the last price is too old to trade on",
        Code.QUANTITY_EXCEEDS_MAXIMUM: "more shares than one order may have",
        Code.NOTIONAL_EXCEEDS_MAX_PER_ORDER: "worth more than one order may be",
        Code.NOTIONAL_BELOW_MINIMUM: "worth less than the smallest order",
        Code.DUPLICATE_ORDER: "the same order was placed a moment ago",
        Code.INSUFFICIENT_BUYING_POWER: "there is not enough free cash",
        Code.CUM_NOTIONAL_EXCEEDS_FREE_BALANCE: "with what already waits for approval it is more than the free cash",
        Code.INSUFFICIENT_POSITION: "more shares than are held and free to sell",
        Code.SELF_APPROVAL: "nobody approves an order of their own",
        Code.APPROVER_LIMIT: "worth more than an approver may decide on",
        Code.APPROVAL_EXPIRED: "the time to approve it is over",
        Code.PAYLOAD_HASH_MISMATCH: "the order is not the one that was approved",
    }
)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is to be traded. limit_price is None for a market order."""

    symbol: str
    side: str
    quantity: Decimal
    limit_price: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """version: of the row they came from. Amounts in USD, windows and ages in seconds."""

    version: int
    max_quantity: Decimal
    max_notional_usd: Decimal
    min_notional_usd: Decimal
    max_approval_usd: Decimal
    duplicate_window_s: int
    max_quote_age_s: int


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the rules may look at, as it was at one moment. None: not known, which fails the check that needs it.

    cash_usd: all of it. committed_usd: reckoned for other buys that are approved or at the broker; waiting_usd: for
    those that wait for approval. held, selling: shares in the position and in other open sells. duplicate_id: a twin.
    """

    at: datetime
    limits: Limits | None
    halt_reason: str | None = ""
    is_account_active: bool | None = None
    is_instrument_known: bool | None = None
    lot_size: Decimal | None = None
    is_restricted: bool | None = None
    quote_usd: Decimal | None = None
    quote_as_of: datetime | None = None
    cash_usd: Decimal | None = None
    committed_usd: Decimal | None = None
    waiting_usd: Decimal | None = None
    held: Decimal | None = None
    selling: Decimal | None = None
    duplicate_id: str | None = ""
    maker_id: int | None = None
    checker_id: int | None = None
    expires_at: datetime | None = None
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
    severity: str = "HARD"
    limits_version: int | None
    at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "code": self.code.value,
            "severity": self.severity,
            "passed": self.passed,
            "limit": self.limit,
            "actual": self.actual,
            "phase": self.phase.value,
            "limits_version": self.limits_version,
            "at": self.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }


Measure = tuple[bool, str, str]
"""passed, limit, actual"""


class FactMissing(Exception):
    """A rule needs a fact that nobody could supply."""


def deny_halted(proposal: Proposal, facts: Facts) -> Measure:
    return not known(facts.halt_reason, "halts"), "no halt", facts.halt_reason or "none"


def deny_inactive_account(proposal: Proposal, facts: Facts) -> Measure:
    active = known(facts.is_account_active, "account")
    return active, "active", "active" if active else "inactive"


def deny_unknown_instrument(proposal: Proposal, facts: Facts) -> Measure:
    return known(facts.is_instrument_known, "instruments"), "a known symbol", proposal.symbol


def deny_restricted(proposal: Proposal, facts: Facts) -> Measure:
    restricted = known(facts.is_restricted, "restricted list")
    return not restricted, "not restricted", "restricted" if restricted else "not restricted"


def deny_quantity(proposal: Proposal, facts: Facts) -> Measure:
    lot = known(facts.lot_size, "lot size")
    return (
        proposal.quantity > 0 and proposal.quantity % lot == 0,
        f"a multiple of {lot}",
        f"{proposal.quantity.normalize():f}",
    )


def deny_price(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.limit_price is None:
        return True, "above 0, whole cents", "market"
    whole_cents = proposal.limit_price % Decimal("0.01") == 0
    return proposal.limit_price > 0 and whole_cents, "above 0, whole cents", f"{proposal.limit_price:f}"


def deny_no_quote(proposal: Proposal, facts: Facts) -> Measure:
    return (
        facts.quote_usd is not None and facts.quote_usd > 0,
        "a price",
        usd(facts.quote_usd) if facts.quote_usd else "none",
    )


def deny_stale_quote(proposal: Proposal, facts: Facts) -> Measure:
    oldest = known(facts.limits, "limits").max_quote_age_s
    age = facts.at - known(facts.quote_as_of, "quote")
    return age <= timedelta(seconds=oldest), f"at most {oldest} s old", f"{age.total_seconds():.0f} s old"


def deny_large_quantity(proposal: Proposal, facts: Facts) -> Measure:
    most = known(facts.limits, "limits").max_quantity
    return proposal.quantity <= most, f"{most.normalize():f} shares", f"{proposal.quantity.normalize():f} shares"


def deny_large_notional(proposal: Proposal, facts: Facts) -> Measure:
    most = known(facts.limits, "limits").max_notional_usd
    return notional(proposal, facts) <= most, usd(most), usd(notional(proposal, facts))


def deny_small_notional(proposal: Proposal, facts: Facts) -> Measure:
    least = known(facts.limits, "limits").min_notional_usd
    return notional(proposal, facts) >= least, usd(least), usd(notional(proposal, facts))


def deny_duplicate(proposal: Proposal, facts: Facts) -> Measure:
    window = known(facts.limits, "limits").duplicate_window_s
    twin = known(facts.duplicate_id, "other orders")
    return not twin, f"none alike within {window} s", twin or "none"


def deny_unaffordable(proposal: Proposal, facts: Facts) -> Measure:
    free = known(facts.cash_usd, "cash") - known(facts.committed_usd, "reservations")
    return _within_cash(proposal, facts, free)


def deny_unaffordable_together(proposal: Proposal, facts: Facts) -> Measure:
    free = (
        known(facts.cash_usd, "cash")
        - known(facts.committed_usd, "reservations")
        - known(facts.waiting_usd, "waiting orders")
    )
    return _within_cash(proposal, facts, free)


def deny_short(proposal: Proposal, facts: Facts) -> Measure:
    if proposal.side == "buy":
        return True, "a sell only", "a buy"
    sellable = known(facts.held, "position") - known(facts.selling, "open sells")
    return (
        proposal.quantity <= sellable,
        f"{sellable.normalize():f} shares",
        f"{proposal.quantity.normalize():f} shares",
    )


def deny_self_approval(proposal: Proposal, facts: Facts) -> Measure:
    return (
        known(facts.maker_id, "maker") != known(facts.checker_id, "checker"),
        "another person",
        f"user:{facts.checker_id}",
    )


def deny_beyond_authority(proposal: Proposal, facts: Facts) -> Measure:
    most = known(facts.limits, "limits").max_approval_usd
    return notional(proposal, facts) <= most, usd(most), usd(notional(proposal, facts))


def deny_expired(proposal: Proposal, facts: Facts) -> Measure:
    expires_at = known(facts.expires_at, "expiry")
    return facts.at < expires_at, f"before {expires_at:%H:%M:%S}", f"{facts.at:%H:%M:%S}"


def deny_changed(proposal: Proposal, facts: Facts) -> Measure:
    stored, actual = known(facts.stored_sha256, "stored hash"), known(facts.actual_sha256, "actual hash")
    return stored == actual, stored[:12], actual[:12]


RULES: tuple[tuple[Code, str, Callable[[Proposal, Facts], Measure]], ...] = (
    (Code.TRADING_HALTED, "PAX", deny_halted),
    (Code.ACCOUNT_NOT_AUTHORIZED, "PAX", deny_inactive_account),
    (Code.INSTRUMENT_NOT_FOUND, "P", deny_unknown_instrument),
    (Code.RESTRICTED_LIST, "PAX", deny_restricted),
    (Code.INVALID_QUANTITY, "P", deny_quantity),
    (Code.INVALID_PRICE, "P", deny_price),
    (Code.NO_MARKET_DATA, "PAX", deny_no_quote),
    (Code.STALE_QUOTE, "PAX", deny_stale_quote),
    (Code.QUANTITY_EXCEEDS_MAXIMUM, "PX", deny_large_quantity),
    (Code.NOTIONAL_EXCEEDS_MAX_PER_ORDER, "PX", deny_large_notional),
    (Code.NOTIONAL_BELOW_MINIMUM, "PX", deny_small_notional),
    (Code.DUPLICATE_ORDER, "PX", deny_duplicate),
    (Code.INSUFFICIENT_BUYING_POWER, "PAX", deny_unaffordable),
    (Code.CUM_NOTIONAL_EXCEEDS_FREE_BALANCE, "PAX", deny_unaffordable_together),
    (Code.INSUFFICIENT_POSITION, "PAX", deny_short),
    (Code.SELF_APPROVAL, "A", deny_self_approval),
    (Code.APPROVER_LIMIT, "A", deny_beyond_authority),
    (Code.APPROVAL_EXPIRED, "AX", deny_expired),
    (Code.PAYLOAD_HASH_MISMATCH, "AX", deny_changed),
)


def assess(proposal: Proposal, facts: Facts, *, phase: Phase) -> tuple[Check, ...]:
    """Every rule of a phase, in order. A rule that misses a fact, or breaks, has not passed."""
    return tuple(_check(code, rule, proposal, facts, phase) for code, phases, rule in RULES if phase.value in phases)


def failed(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    return tuple(check for check in checks if not check.passed)


def unit_price(proposal: Proposal, facts: Facts) -> Decimal:
    """USD a share is reckoned at: the limit price, or the quote with a buffer for a market buy. Raises FactMissing."""
    if proposal.limit_price is not None:
        return proposal.limit_price
    quote = known(facts.quote_usd, "quote")
    return (quote * MARKET_BUFFER).quantize(Decimal("0.01"), ROUND_UP) if proposal.side == "buy" else quote


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


def _within_cash(proposal: Proposal, facts: Facts, free: Decimal) -> Measure:
    if proposal.side == "sell":
        return True, "a buy only", "a sell"
    return notional(proposal, facts) <= free, usd(free), usd(notional(proposal, facts))


def _check(
    code: Code, rule: Callable[[Proposal, Facts], Measure], proposal: Proposal, facts: Facts, phase: Phase
) -> Check:
    try:
        passed, limit, actual = rule(proposal, facts)
    except FactMissing as missing:
        passed, limit, actual = False, "known", f"{missing} not known"
    except Exception:
        log.exception("Rule %s broke", code)
        passed, limit, actual = False, "a result", "the check itself failed"
    version = facts.limits.version if facts.limits else None
    return Check(code=code, passed=passed, limit=limit, actual=actual, phase=phase, limits_version=version, at=facts.at)

"""The words of the pre-trade checks: when they run, what a failure does, what each is called and means."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Phase(StrEnum):
    PROPOSAL = "P"
    APPROVAL = "A"
    SEND = "X"


class Severity(StrEnum):
    HARD = "HARD"
    SOFT = "SOFT"
    """Does not stop the order, but an approver must say why it may go on."""


class Code(StrEnum):
    TRADING_HALTED = "TRADING_HALTED"
    TRADING_STATE_REDUCING = "TRADING_STATE_REDUCING"
    ACCOUNT_NOT_AUTHORIZED = "ACCOUNT_NOT_AUTHORIZED"
    MODE_MISMATCH = "MODE_MISMATCH"
    INSTRUMENT_NOT_FOUND = "INSTRUMENT_NOT_FOUND"
    RESTRICTED_LIST = "RESTRICTED_LIST"
    UNSUPPORTED_ORDER_TYPE = "UNSUPPORTED_ORDER_TYPE"
    INVALID_QUANTITY = "INVALID_QUANTITY"
    INVALID_PRICE = "INVALID_PRICE"
    MARKET_CLOSED = "MARKET_CLOSED"
    NO_MARKET_DATA = "NO_MARKET_DATA"
    STALE_QUOTE = "STALE_QUOTE"
    PRICE_COLLAR = "PRICE_COLLAR"
    PRICE_DRIFT = "PRICE_DRIFT"
    MARKET_ORDER_NOT_ALLOWED = "MARKET_ORDER_NOT_ALLOWED"
    QUANTITY_EXCEEDS_MAXIMUM = "QUANTITY_EXCEEDS_MAXIMUM"
    NOTIONAL_EXCEEDS_MAX_PER_ORDER = "NOTIONAL_EXCEEDS_MAX_PER_ORDER"
    NOTIONAL_BELOW_MINIMUM = "NOTIONAL_BELOW_MINIMUM"
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    WASH_OR_SELF_CROSS = "WASH_OR_SELF_CROSS"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    DAILY_ORDER_COUNT = "DAILY_ORDER_COUNT"
    INSUFFICIENT_BUYING_POWER = "INSUFFICIENT_BUYING_POWER"
    CUM_NOTIONAL_EXCEEDS_FREE_BALANCE = "CUM_NOTIONAL_EXCEEDS_FREE_BALANCE"
    INSUFFICIENT_POSITION = "INSUFFICIENT_POSITION"
    POSITION_CONCENTRATION = "POSITION_CONCENTRATION"
    SECTOR_EXPOSURE = "SECTOR_EXPOSURE"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    DAILY_LOSS_LIMIT = "DAILY_LOSS_LIMIT"
    MAX_DRAWDOWN = "MAX_DRAWDOWN"
    CREDIT_THRESHOLD = "CREDIT_THRESHOLD"
    FIRM_CREDIT_THRESHOLD = "FIRM_CREDIT_THRESHOLD"
    RECONCILIATION_BREAK = "RECONCILIATION_BREAK"
    INJECTION_SUSPECTED = "INJECTION_SUSPECTED"
    SELF_APPROVAL = "SELF_APPROVAL"
    CONFLICT_OF_INTEREST = "CONFLICT_OF_INTEREST"
    APPROVER_LIMIT = "APPROVER_LIMIT"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_MISSING = "APPROVAL_MISSING"
    PAYLOAD_HASH_MISMATCH = "PAYLOAD_HASH_MISMATCH"


MEANING: Mapping[Code, str] = MappingProxyType(
    {
        Code.TRADING_HALTED: "trading is halted",
        Code.TRADING_STATE_REDUCING: "only orders that reduce exposure are taken",
        Code.ACCOUNT_NOT_AUTHORIZED: "this account may not trade",
        Code.MODE_MISMATCH: "live trading is not switched on for this broker",
        Code.INSTRUMENT_NOT_FOUND: "that symbol is not one we know",
        Code.RESTRICTED_LIST: "the firm does not trade this symbol",
        Code.UNSUPPORTED_ORDER_TYPE: "the broker does not take this kind of order",
        Code.INVALID_QUANTITY: "the quantity must be a whole number of shares above zero",
        Code.INVALID_PRICE: "limit and stop prices must be above zero, in whole cents",
        Code.MARKET_CLOSED: "the exchange is closed",
        Code.NO_MARKET_DATA: "there is no price for this symbol",
        Code.STALE_QUOTE: "the last price is too old to trade on",
        Code.PRICE_COLLAR: "the price is too far on the wrong side of the market",
        Code.PRICE_DRIFT: "the market has moved since the order was shown",
        Code.MARKET_ORDER_NOT_ALLOWED: "a limit order is preferred to one at market",
        Code.QUANTITY_EXCEEDS_MAXIMUM: "more shares than one order may have",
        Code.NOTIONAL_EXCEEDS_MAX_PER_ORDER: "worth more than one order may be",
        Code.NOTIONAL_BELOW_MINIMUM: "worth less than the smallest order",
        Code.DUPLICATE_ORDER: "the same order was placed a moment ago",
        Code.WASH_OR_SELF_CROSS: "there is an open order of the same account on the other side",
        Code.RATE_LIMIT_EXCEEDED: "more orders than one account may place in a minute",
        Code.DAILY_ORDER_COUNT: "more orders than one account may place in a day",
        Code.INSUFFICIENT_BUYING_POWER: "there is not enough free cash",
        Code.CUM_NOTIONAL_EXCEEDS_FREE_BALANCE: "with what already waits for approval it is more than the free cash",
        Code.INSUFFICIENT_POSITION: "more shares than are held and free to sell",
        Code.POSITION_CONCENTRATION: "too much of the account in one symbol",
        Code.SECTOR_EXPOSURE: "too much of the account in one sector",
        Code.GROSS_EXPOSURE: "more than the account may hold and have ordered",
        Code.DAILY_LOSS_LIMIT: "the account has lost what it may lose in a day",
        Code.MAX_DRAWDOWN: "the account has fallen too far from its highest equity",
        Code.CREDIT_THRESHOLD: "more open buys than the account may have",
        Code.FIRM_CREDIT_THRESHOLD: "more open buys than the firm may have",
        Code.RECONCILIATION_BREAK: "our books and the broker's differ, and nobody has resolved it",
        Code.INJECTION_SUSPECTED: "symbol, side, amount or price are not in the person's own words",
        Code.SELF_APPROVAL: "nobody approves an order of their own",
        Code.CONFLICT_OF_INTEREST: "these two do not decide on each other's orders",
        Code.APPROVER_LIMIT: "worth more than an approver may decide on",
        Code.APPROVAL_EXPIRED: "the time to approve it is over",
        Code.APPROVAL_MISSING: "not every approval that it needs is there",
        Code.PAYLOAD_HASH_MISMATCH: "the order is not the one that was approved",
    }
)

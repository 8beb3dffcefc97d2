"""Whether an order is in the person's own words: symbol, side, amount and price as their message has them.

A model may have read them elsewhere, in a news page for one. What is not found makes the order tainted: shown so,
never in a bulk approval, and approved by two. An unusual wording is tainted too, which costs a second look and loses
nothing.
"""

from agents import followups
from agents.intents import Intent, Kind, read
from orders import instruments, risk


def is_grounded(
    words: str, *, facts: str, symbol: str, side: str, quantity: str, limit_price: str, stop_price: str
) -> bool:
    """Whether one of the orders in a message is this one. A share of a holding or a sum of money grounds any
    quantity. facts: of the turn; "make it 5" is in the person's words where all but the 5 is their newest order's."""
    found = instruments.find(symbol)
    if found is None or stop_price:
        return False
    past = followups.past(facts)
    if (said := followups.changed_quantity(words)) and past:
        newest = past[0]
        is_same = (newest.symbol, newest.side) == (found.symbol, side.lower())
        return is_same and _is_same(said, quantity) and _is_same(newest.limit_price, limit_price)
    return any(
        intent.symbol == found.symbol
        and intent.side == side.lower()
        and _is_amount(intent, quantity)
        and _is_same(intent.limit_price, limit_price)
        for intent in read(words)
        if intent.kind is Kind.TRADE and not intent.doubt
    )


def _is_amount(intent: Intent, quantity: str) -> bool:
    if intent.fraction is not None or intent.amount_usd is not None:
        return True
    return bool(intent.quantity) and _is_same(intent.quantity, quantity)


def _is_same(said: str, proposed: str) -> bool:
    """Two numbers as text, both absent or equal."""
    if not said or not proposed:
        return said == proposed
    return risk.number(said) == risk.number(proposed)

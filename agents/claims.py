"""What an answer says became of an order, held against the books.

A model may write "your order has been executed" of one that waits. Such a sentence is looked for by its wording, and
where no order of the person bears it out, the answer is followed by what the books say.
"""

import re

from agents.turn import Turn
from orders import instruments
from orders.models import Order, Status
from orders.payload import plain

CLAIM = re.compile(
    r"\b(?:has|have|had|was|were|is|are|been|got|i|we|i've|we've|successfully|now)\s+"
    r"(?:(?:been|now|already|just|successfully|fully|automatically)\s+){0,3}"
    r"(?:filled|executed|approved|bought|sold|purchased|submitted|completed|settled)\b",
    re.IGNORECASE,
)
BORNE_OUT = (Status.APPROVED, Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED)
MOST_NAMED = 3


def corrected(turn: Turn, answer: str) -> str:
    """The answer; with the books' word after it where it claims more for an order than they have."""
    if not CLAIM.search(answer):
        return answer
    orders = Order.objects.filter(maker=turn.owner).order_by("-created_at")
    if proposed := list(orders.filter(turn_id=turn.turn_id)):
        doubtful = [order for order in proposed if order.status not in BORNE_OUT]
    else:
        named = [mention.instrument.symbol for mention in instruments.mentions(answer)]
        orders = orders.filter(symbol__in=named) if named else orders
        is_true = orders.filter(status__in=BORNE_OUT).exists()
        doubtful = [] if is_true else list(orders[:MOST_NAMED])
        if not is_true and not doubtful:
            return f"{answer}\n\nCorrection: by the books, you have no such order."
    if not doubtful:
        return answer
    lines = [
        f"{order.side} {plain(order.quantity)} {order.symbol} is {order.get_status_display().lower()}"
        for order in doubtful[:MOST_NAMED]
    ]
    return f"{answer}\n\nCorrection: by the books, {'; '.join(lines)}. Nothing of it has been sent or filled."

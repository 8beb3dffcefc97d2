"""Words that lean on what was said before: "and Microsoft?", "make it 5".

Read by closed rules, for the embedded model and for the question whether an order is in a person's own words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents import intents
from agents.intents import Intent, Kind
from orders import instruments

FACT = re.compile(
    r"^- (?P<id>[0-9a-f-]{36}) (?P<side>\w+) (?P<quantity>\S+) (?P<symbol>\S+) (?P<type>\w+)"
    r"(?: at (?P<limit>\S+))? (?P<tif>\w+): (?P<status>\w+)",
    re.MULTILINE,
)
UNSENT = ("pending_approval", "approved", "pending_new", "new", "partially_filled")
CHANGE = re.compile(
    r"(?:(?:no|ok(?:ay)?|actually|please|sorry|wait|oh|hmm|well|and|but|instead|can you|could you|let'?s)[\s,.!]+){0,4}"
    r"(?:(?:make|change|set|turn|update|do)\s+(?:it|that|this|the order|the quantity|the amount)"
    r"(?:\s+(?:to|into))?|(?:make|change) (?:the )?(?:order|quantity|amount)(?: to)?|rather|i meant|i mean)\s+"
    r"(?:only\s+|just\s+)?(?P<number>[\d,]+|[a-z-]+)(?:\s+(?:shares?|of them|stocks?))?(?:\s+instead)?"
    r"(?:,?\s*please)?[\s.!]*",
    re.IGNORECASE,
)
SAME_AGAIN = re.compile(
    r"(?:and|what about|how about|same (?:for|with|question for)|ok(?:ay)? and|also|now|the same for)\s+"
    r"(?:for\s+|about\s+)?(?P<rest>.{1,60}?)(?:\s+(?:too|then|instead|please))?[\s?.!]*",
    re.IGNORECASE,
)
ASKING = "Nothing was proposed yet."
"""What the embedded model's questions about an order end with."""
MOST_WORDS = 5
NO_ANSWER = re.compile(r"\b(?:own|have|got|because|yes|no|not)\b|[0-9][.)]\s", re.IGNORECASE)
REPEATABLE = frozenset({Kind.QUOTE, Kind.RESEARCH, Kind.NEWS, Kind.PERFORMANCE, Kind.TRADE})


@dataclass(frozen=True, kw_only=True)
class Past:
    """An order of the conversation, as its facts tell. limit_price: "" where there is none."""

    order_id: str
    side: str
    quantity: str
    symbol: str
    order_type: str
    limit_price: str
    time_in_force: str
    status: str

    @property
    def is_unsent(self) -> bool:
        return self.status in UNSENT


def past(facts: str) -> list[Past]:
    """The orders that a turn's facts list, the newest first."""
    return [
        Past(
            order_id=fact["id"],
            side=fact["side"],
            quantity=fact["quantity"],
            symbol=fact["symbol"],
            order_type=fact["type"],
            limit_price=fact["limit"] or "",
            time_in_force=fact["tif"],
            status=fact["status"],
        )
        for fact in FACT.finditer(facts)
    ]


def changed_quantity(words: str) -> str:
    """The number of "make it 5"; empty when the words are no such wish. A decimal string, as a trade's."""
    match = CHANGE.fullmatch(words.strip())
    if match is None:
        return ""
    read = list(intents.read(f"buy {match['number']} shares of AAPL"))
    return read[0].quantity if len(read) == 1 and read[0].kind is Kind.TRADE else ""


def same_again(words: str, earlier: Sequence[str]) -> Intent | None:
    """What "and Microsoft?" asks: the last question again, of another company. For an order it is the side alone, since
    nobody said how many. None when the words are no such thing."""
    match = SAME_AGAIN.fullmatch(words.strip())
    named = instruments.mentions(match["rest"]) if match else ()
    if match is None or len(named) != 1 or len(match["rest"].split()) > 4:
        return None
    symbol = named[0].instrument.symbol
    for before in reversed(earlier):
        last = [wish for wish in intents.read(before) if wish.kind in REPEATABLE]
        if last and SAME_AGAIN.fullmatch(before.strip()) is None:
            return _again(last[-1], symbol, words)
    return None


def answered(words: str, earlier: Sequence[str], asked: str) -> Intent | None:
    """The order that "10" completes after "buy KO" and the question how many. asked: the answer before, in full. None
    where it asked for nothing, or the two together are no order."""
    both = completed(earlier[-1], words) if earlier and asked.endswith(ASKING) else ""
    found = intents.read(both) if both else ()
    return found[0] if len(found) == 1 and _is_whole(found[0]) else None


def completed(before: str, words: str) -> str:
    """A short message as the end of the one before it, where that is an order that lacks something; else empty."""
    lacking = [wish for wish in intents.read(before) if wish.kind is Kind.TRADE]
    if len(words.split()) > MOST_WORDS or NO_ANSWER.search(words) or len(lacking) != 1:
        return ""
    if lacking[0].doubt or _is_whole(lacking[0]):
        return ""
    return f"{before.rstrip(' .!?')} {words}"


def _is_whole(wish: Intent) -> bool:
    is_sized = bool(wish.quantity or wish.fraction or wish.amount_usd)
    is_priced = wish.order_type != "limit" or bool(wish.limit_price)
    return wish.kind is Kind.TRADE and bool(wish.symbol) and is_sized and is_priced and not wish.doubt


def _again(wish: Intent, symbol: str, words: str) -> Intent:
    if wish.kind is Kind.TRADE:
        return Intent(kind=Kind.TRADE, words=words, side=wish.side, symbol=symbol)
    return replace(wish, words=words, symbol=symbol, company="", symbols=())

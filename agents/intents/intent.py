"""What a person may wish for, and the stretch of words it is read from."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    TRADE = "trade"
    WITHDRAW = "withdraw"
    QUOTE = "quote"
    RESEARCH = "research"
    COMPARE = "compare"
    HOLDINGS = "holdings"
    PERFORMANCE = "performance"
    CASH = "cash"
    ORDERS = "orders"
    EXECUTIONS = "executions"
    NEWS = "news"
    HELP = "help"
    GREETING = "greeting"
    THANKS = "thanks"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One wish read from words, a clause as written.

    side: "buy", "sell" or "". symbol: a ticker of the reference; company: what the person called it when it
    is not in the reference. quantity and limit_price (dollars a share) are decimal strings as asked,
    however absurd. fraction: part of what is held, 1 for all; of a withdrawal, 1 for all orders. days: length of the
    period asked about. doubt: what is unclear about an order or a withdrawal, which is then not to be carried out.
    Whatever was not said is empty.
    """

    kind: Kind
    words: str
    side: str = ""
    symbol: str = ""
    company: str = ""
    quantity: str = ""
    fraction: Decimal | None = None
    amount_usd: Decimal | None = None
    order_type: str = "market"
    limit_price: str = ""
    time_in_force: str = "day"
    order_id: str = ""
    symbols: tuple[str, ...] = ()
    days: int = 0
    status: str = ""
    doubt: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stretch of a text with one verb. text is what is matched; words the same stretch as written."""

    text: str
    words: str

    def cut(self, start: int, end: int) -> "Part":
        return Part(text=self.text[start:end], words=self.words[start:end])

    @property
    def said(self) -> str:
        return self.words.strip(" \t\r\n,;")

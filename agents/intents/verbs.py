"""The verb that makes an order of a part: some always do, some only next to an instrument or shares."""

import re
from dataclasses import dataclass

from agents.intents import amounts
from agents.intents.patterns import compiled, listed
from orders import instruments

# Verbs that always mean an order, and verbs that do so only next to an instrument or to shares.
BUY = listed(r"""
    buy buuy b[uy]y by(?=\s[$0-9]) (?<=mind\s)(?:buying|purchasing|picking\sup|getting|grabbing)
    (?:go|get)\slong(?:\s(?:on|in))? purchase purchse purchace puchase purhcase
""")
BUY_SOFTLY = listed(r"""
    pick\s(?:me\s|us\s)?up grab get(?!\s(?:me\s|us\s)?(?:rid|out|long)\b) give\sme gimme acquire
    snag snap\sup scoop\sup load\sup\son stock\sup\son add(?:\sto)? invest put spend accumulate take
""")
SELL = listed(r"""
    sell\s?off sell sel selll sll (?<=mind\s)(?:selling|dumping|unloading) dump unload offload
    liquidate
""")
SELL_SOFTLY = listed(r"""
    get\srid\sof get\s(?:me\s|us\s)?out\sof part\swith close(?:\sout)? exit ditch trim
    cash\s(?:out|in)(?:\sof)? reduce cut lighten(?:\sup)?(?:\son)? drop
""")
VERB = re.compile(
    rf"(?:(?P<buy>{BUY})|(?P<sell>{SELL})|(?P<buy_softly>{BUY_SOFTLY})|(?P<sell_softly>{SELL_SOFTLY})"
    r"|(?P<order>order(?=\s(?:me\s)?[$0-9a])))(?![\w'])",
    re.IGNORECASE,
)
PREFIX = re.compile(
    r"[^\w$]{0,5}(?>(?:"
    + listed(r"""
    please pls plz kindly ok(?:ay)? so well now then also and but hey hi hello yo alright right
    actually instead just quickly first immediately asap today second next finally lastly
    yes yeah yep sure great no thanks thank\syou perfect good fine mate
    (?:can|could|would|will)\s(?:you|u|we|ya) (?:can|could|may)\si (?:(?:would|do)\syou\s)?mind
    at\smarket for\snow
    i(?:'d|d|\swould|'ll|\swill)?\s(?:really\s)?(?:like|love|want|wish|need|have|wanna)(?:\syou)?(?:\sto)?
    i(?:'m|m|\sam)?\s(?:going\sto|gonna|gotta|looking\sto|trying\sto|ready\sto) i(?:'ll|\swill)
    we(?:'d\slike|\swant|\sneed|\swould\slike)\sto we(?:'ll|\swill)
    (?:want|need|wanna|looking)\s?(?:to)? let's lets let\s(?:us|me) go\sahead(?:\sand)?
    go(?=\s(?:buy|sell|get|grab|and)) help\sme(?:\sto)? try\sto (?:make|be)\ssure\s(?:to|you)
    (?:don't|dont|do\snot)\sforget\sto remember\sto time\sto i\sthink i\sguess we\scan
    you\s(?:can|may) i\ssaid execute market(?=\s(?:buy|sell)) limit(?=\s(?:buy|sell))
    to(?=\s(?:buy|sell|purchase)\b) an?(?=\s(?:buy|sell))
""")
    + r"(?:[\s,.:!-]+|$))*+)",
    re.IGNORECASE,
)
ORDER_NOUN = re.compile(
    r"(?:place|put\s(?:in|through)|enter|submit|make|create|open|set(?:\sup)?|execute|do|give\sme)\s(?:an?"
    r"|the|my)\s"
    r"(?:(?:new|market|limit|day|gtc|stock|good\still\scancell?ed)\s){0,3}(?P<side>(?:buy|sell)\s)?(?:order"
    r"|trade)"
    r"(?:\s(?:to|for|of|on)\b|:)?\s?",
    re.IGNORECASE,
)
CONDITION_FIRST = re.compile(r"(?:if|when|once|as\ssoon\sas)\s[^,]{1,80}(?:,\s?(?:then\s)?|\sthen\s)", re.IGNORECASE)
# What makes a trading verb something other than an order.
NEGATION = compiled(
    r"\b(?:do\snot|don't|dont|never|won't|will\snot|wouldn't|not\sto|not\sgoing\sto|no\sneed\sto|stop|avoid"
    r"|refuse\sto|didn't"
    r"|did\snot|can't|cannot|shouldn't|should\snot|rather\snot|don\u00b4t|neither|nobody|no\sone"
    r"|not\s(?:yet\s)?(?:buy|sell))\b"
    r"(?!\sforget)"
)
# Requests that could be mere questions: an order only when they say how much of what.
TENTATIVE = re.compile(
    r"\W*(?:(?:so|and|but|hey|hi|ok|please)[\s,]+){0,3}(?:(?:can|could|may|would)\s(?:i|we)"
    r"|will\syou\s(?!please|kindly)|would\syou\s(?!mind|please|kindly))\b",
    re.IGNORECASE,
)
TRADING_WORD = re.compile(rf"\b(?:{BUY}|{SELL}|get\srid\sof|close|exit|purchase|cancel|withdraw)\b", re.IGNORECASE)
WISH = compiled(r"\b(?:i'd\slike|i\swould\slike|i\swant|i\swanna|i\sneed|(?:can|could|may)\si\shave)\s$")
GONE = compiled(r"\b(?:sold|gone|sell|selling|off|out|cancell?ed|less|fewer)\b")
NAMED_FIRST = re.compile(
    rf"(?P<name>[$\w.&'-]{{1,20}}(?:\s[\w.&'-]{{1,20}})?)(?::|\s-|,)?\s(?=(?:{BUY}|{SELL})\s[$0-9])",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Verb:
    """The verb of an order, and where it and its condition ("if it drops to 405, buy") stand in the part."""

    side: str
    written: str
    is_soft: bool
    condition: tuple[int, int]
    end: int


def find_verb(text: str) -> Verb | None:
    """The verb, when the part opens with it: after polite words, a condition, or the instrument's name."""
    opened = after_prefix(text, 0)
    condition = CONDITION_FIRST.match(text, opened)
    start = after_prefix(text, _after_name(text, condition.end() if condition else opened))
    noun = ORDER_NOUN.match(text, start)
    verb = VERB.match(text, noun.end() if noun else start)
    last = verb or noun
    if last is None:
        return _wish(text, opened)
    return Verb(
        side=_side(verb) or (noun["side"] or "").strip().lower() if noun else _side(verb),
        written=verb[0] if verb else "",
        is_soft=bool(verb and not noun and (verb["buy_softly"] or verb["sell_softly"])),
        condition=condition.span() if condition else (0, 0),
        end=last.end(),
    )


def _wish(text: str, start: int) -> Verb | None:
    """A wish to buy without a verb of its own: "I'd like 10 shares of Apple"."""
    wished = WISH.search(text[:start]) and amounts.starts_item(text, start) and not GONE.search(text, start)
    return Verb(side="buy", written="", is_soft=True, condition=(0, 0), end=start) if wished else None


def _side(verb: re.Match[str] | None) -> str:
    if verb is None or verb["order"]:
        return ""
    return "buy" if verb["buy"] or verb["buy_softly"] else "sell"


def after_prefix(text: str, start: int) -> int:
    prefix = PREFIX.match(text, start)
    return prefix.end() if prefix else start


def _after_name(text: str, start: int) -> int:
    """Past an instrument named before the verb ("AAPL: buy 10"), which needs a number after it."""
    opening = NAMED_FIRST.match(text, start)
    named = opening and instruments.resolve(opening["name"])
    return opening.end() if opening and named else start

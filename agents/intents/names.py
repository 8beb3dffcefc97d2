"""What a stretch of words names: instruments, sides, an order by its number, or a company that is not in the
reference."""

import re

from agents.intents import amounts
from agents.intents.intent import Part
from agents.intents.patterns import compiled, words
from orders import instruments

LONGEST_COMPANY = 60
FILLERS = frozenset(
    words("""
    a about additional all also amount an another any apiece approximately around as asap at away
    back bit buy co cash each entire everything extra first few further hold holding holdings i i've
    immediately in into it just limit little long lot lots market me more my myself now of off on
    one ones open order our out own owned please pls plz portfolio position positions price quick
    quickly rest right same several share shares single some something stock stocks that the their
    them there these they this those to today tomorrow total units up us usd we what whatever which
    whole worth you your have got anything dollars bucks account s exactly only another else stake
    exposure instead again bunch then
    """)
)
STOPS = frozenset(
    words("""
    for because using with via since before after by from if when once unless but not instead and or
    then that please pls plz thx at in on now today tomorrow immediately asap shares stock stocks share thanks
    ok is are will should as so like while until to right position positions holdings holding
    trading doing performing going looking moving
    """)
)
SIDES = (
    ("buy", compiled(r"\b(?:buys?|buying|bought|purchase[sd]?|pay|paid)\b")),
    ("sell", compiled(r"\b(?:sells?|selling|sold|sales?)\b")),
)
TOKEN = re.compile(r"[^\s|]{1,80}|\|{1,}")
UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])", re.IGNORECASE)


def phrase_in(rest: str, start: int, end: int) -> tuple[int, int] | None:
    """Where the first words stand that are neither read amounts nor small words, at most five."""
    named: list[re.Match[str]] = []
    for token in TOKEN.finditer(rest, start, end):
        bare = token[0].strip(",.;:!?'\"()").lower()
        ends = token[0].startswith(amounts.BLANK) or bare in STOPS
        if named and (ends or len(named) == 5):
            break
        if not named and bare in {"for", "because", "using", "if"}:
            break
        if not ends and bare and (named or bare not in FILLERS):
            named.append(token)
        if named and token[0].endswith((",", ";")):
            break
    return (named[0].start(), named[-1].end()) if named else None


def company_in(part: Part, phrase: tuple[int, int]) -> str:
    return part.words[slice(*phrase)].strip(" ,.;:!?'\"()")[:LONGEST_COMPANY]


def symbols_in(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.instrument.symbol for one in instruments.mentions(text)))


def sides_in(text: str) -> tuple[str, ...]:
    return tuple(side for side, pattern in SIDES if pattern.search(text))


def order_id_in(text: str) -> str:
    found = UUID.search(text)
    return found[0].lower() if found else ""

"""What of an order's wording was not understood: whatever is left when all that was read is taken away.

Context: "sell all KO but keep 5" must not become "sell 5 KO". Choice: an order is proposed where every word of it is
known, and no sentence beside it takes it back; else the person is told what is unclear. Cost: they say it again.
"""

import re

from agents.intents.amounts import BLANK, Amounts
from agents.intents.patterns import compiled, listed, words

KNOWN = frozenset(
    words("""
    a an the of my our your some more s share shares stock stocks unit units lot lots us usd dollar dollars buck bucks
    position positions holding holdings stake me myself now today asap immediately quickly please pls plz kindly
    just only exactly about around approximately roughly additional another extra further each apiece and plus also too
    then instead again market mkt limit lmt lim price thanks thank you ty thx tks tyvm cheers many very much ok okay it
    them this that those these inc corp corporation company co plc ltd common bunch mate sir bro tif
    """)
)
WITH_MONEY = frozenset(words("for in into on"))
WITH_PART = frozenset(words("by in"))
WITH_PRICE = frozenset(words("with as"))
HARMLESS = re.compile(
    r"(?:\b(?:at|on)\s(?:the\s)?|@\s?)(?:(?:current\s|going\s)?(?:market|mkt)(?:\sprice)?|(?:current|best|going)\sprice)\b"
    r"|\b(?:limit|lmt|market|day)\sorder\b|\bas\swell\b|\bat\sonce\b|\bstraight\saway\b|\bwith\smy\scash\b|\bfor\s(?:me|us|now|today|my\saccount)\b"
    r"|\b(?:shares|stock|stake|positions?)\sin\b|\b(?:in|into|to|from|for)\s(?:my|our|the)\s(?:portfolio|account|book|"
    r"positions?|holdings?)\b|\bi(?:'ve)?\s(?:have|own|hold|got)\b|\bright\s(?:now|away)\b|\bas\ssoon\sas\spossible\b"
    r"|\b(?:if|when(?:ever)?)\s(?:you\s(?:can|could|don't\smind|get\s(?:a|the)\schance|have\sa\smoment)|possible"
    r"|(?:that's|it's)\s(?:ok|okay|fine|possible)|convenient)\b|\bthat\si\sown\b"
    r"|\bbecause\b(?:(?!\b(?:not|no|but|don't|unless|if|only|after|before|when|until|on|by|hold|said|says|so)\b)[^0-9,;:])*$",
    re.IGNORECASE,
)
MATTERS = frozenset("+<>/~=%$\u00a3\u20ac\u00a4")
"""Signs that are a word of their own; other tokens without a letter or a digit (emoji, dashes) say nothing."""
TOKEN = re.compile(rf"[^\s{re.escape(BLANK)}]+")
EDGES = ",.;:!?()\"'\u2013\u2014\u2026-"
THOUSANDS = re.compile(r"[0-9]{1,3}(?:\.000)+")

# A sentence beside an order that says nothing of it; with any other the order waits for a plainer word.
SAYS_NOTHING = re.compile(
    r"\W*(?:(?:no|there's\sno|there\sis\sno)\s(?:rush|hurry)|don't\swait|(?:i|we)\s(?:really\s)?(?:think|believe|like|love"
    r"|expect|feel|reckon|trust)\b|(?:it|they|the\s(?:stock|company|shares?|market|price)|(?:its|their)\s\w+)\s(?:is|are|looks?"
    r"|seems?|has|have|had|was|were|will|keeps?)\b|hope\s|i\shope\s|good\s(?:morning|afternoon|evening|day)\b|hi\b|hello\b"
    r"|hey\b|dear\b|thank|regards|best\b|cheers)(?:(?!\b(?:not|no|don't|wait|hold|if|when|until|unless|should|but|only"
    r"|tomorrow|maybe|yesterday|actually|sure)\b)[^0-9?:])*\W*",
    re.IGNORECASE,
)
_FIRST = listed("and then also but plus please so ok okay now can could would will you i i'd like want to let me us")
_OPENING = rf"^\W*(?:{_FIRST}[\s,]+){{0,6}}"
_ASKING = listed(r"""
    what how who why where which when\s(?:did|do|does|is|was|will) is are do does did has have am was were any show list
    tell give get check find look see compare research analy[sz]e summari[sz]e explain display know
""")
_NAMING, _STATING = (
    listed("price quote news headlines latest updates? my"),
    listed("is are must has have should only stays? needs? below above under over not no"),
)
# A sentence beside an order that asks for something; one that states something, of a price, say, may bound the order.
ASKS = compiled(r"\?\W*$", rf"{_OPENING}{_ASKING}(?:'s)?\b", rf"{_OPENING}{_NAMING}\b(?!.*\b{_STATING}\b)")
CORRECTS = re.compile(
    r"\b(?:i\smeant?|nope|scratch\sthat|oops|wait|between|price\sis|now\sat)\b|\bbecause\b[^|]*[0-9]|\bno\b(?!\s(?:more|less|lower|higher|greater|cheaper))",
    re.IGNORECASE,
)
QUOTED = re.compile(r"(?:^|\s)[\"'\u201c>]")
PLEASE = re.compile(r"\b(?:please|pls|plz|kindly)\b", re.IGNORECASE)

ODD_MONEY = re.compile(r"\$\s?[0-9][0-9.,]*\s[0-9]|\$\s?[0-9]+,[0-9]{1,2}(?![0-9])|\$\s?[0-9]{1,3}\.[0-9]{3}(?![0-9])")
LIMIT_FIRST = re.compile(r"\s*(?:limit|lmt|lim)\s\$?[0-9]", re.IGNORECASE)
AN_ORDER = re.compile(r"\b(?:orders?|trades?)\b", re.IGNORECASE)
OUT_OF_MINE = re.compile(r"\b(?:of|for|from)\s(?:my|our)\b(?!\s(?:account|portfolio))|\bfrom\smy\b", re.IGNORECASE)
ITSELF = re.compile(r"\b(?:it|they|that|the\s(?:price|stock|shares?)|price)\b", re.IGNORECASE)

QUESTION = "whether that is an order or a question"
OTHERS_WORDS = "whether these are your own words"
ANOTHER_SENTENCE = "whether what you say beside it changes it or takes it back"
CORRECTED = "which of the two you mean"
ORDER_OR_SHARES = "whether you mean the order or the shares"
WHICH_SIDE = "whether to buy or to sell"
WHICH_NUMBER = "which number is the price"
FOR_ALL = "whether the price or how long it holds is for all of them"
HOW_MANY_OF_EACH = "how many of each you mean"
WHOSE_PRICE = "whose price you mean"
PART_OF_WHAT = "how many shares that is: for a purchase I need the number"
WHICH_WAY = (
    "whether it should trade once the price is there or only up to it: I take market and limit orders, no stops, and "
    "this limit could trade at once"
)


def unread(rest: str, read: Amounts) -> tuple[int, int] | None:
    """Where the words stand that nothing accounts for. rest: the item with all that was read blanked out."""
    known = KNOWN | (WITH_MONEY if read.amount_usd else frozenset()) | (WITH_PRICE if read.limit_price else frozenset())
    known |= WITH_PART if read.fraction else frozenset()
    text = HARMLESS.sub(lambda match: BLANK * len(match[0]), rest)
    left = [token for token in TOKEN.finditer(text) if _says(token[0]) and token[0].strip(EDGES).lower() not in known]
    return (left[0].start(), left[-1].end()) if left else None


def of_amounts(read: Amounts, said: str, *, side: str) -> str:
    """What is unclear about how much of it; "" when nothing is. said: the item after the verb, as written."""
    if LIMIT_FIRST.match(said):
        return WHICH_NUMBER
    if side == "buy" and OUT_OF_MINE.search(said):
        return WHICH_SIDE
    if side == "sell" and AN_ORDER.search(HARMLESS.sub("", said)):
        return ORDER_OR_SHARES
    if side == "buy" and read.fraction is not None:
        return PART_OF_WHAT
    if read.is_twofold or (read.fraction or 0) > 1 or ODD_MONEY.search(said):
        return "how many shares that is"
    return f"whether {read.quantity} is a thousandfold" if THOUSANDS.fullmatch(read.quantity) else ""


def _says(token: str) -> bool:
    return any(map(str.isalnum, token)) or bool(MATTERS & set(token))

"""Numbers in plain English: how many shares, which part of a holding, how many dollars, at which price.

Every reader takes a text, and returns what it read and the same text with that part blanked out by bars, so
that positions stay valid and nothing is read twice. All patterns are bounded or possessive: reading time is
linear.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from agents.intents.patterns import words

BLANK = "|"
UNREAD = "\u00a4"
"""Stands in `Amounts.rest` for each letter of what is a number, but none of an order's."""


_UNITS = words("zero one two three four five six seven eight nine")
_TEENS = words("ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen")
_TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")
WORD_VALUES = {
    **{word: value for value, word in enumerate(_UNITS + _TEENS)},
    **{word: value * 10 for value, word in enumerate(_TENS, start=2)},
    "a": 1,
    "an": 1,
    "single": 1,
    "couple": 2,
    "fourty": 40,
}
SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
ZEROS = {"k": 3, "hundred": 2, "thousand": 3, "million": 6, "m": 6}

DIGITS = r"[-+]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})++(?![0-9])|[0-9]++)(?:\.[0-9]++)?|\.[0-9]++)(?:e[-+]?[0-9]{1,4})?"
SCALE = r"(?:\s?k|\s(?:hundred|thousand|million|dozen))"
_WORD = "|".join(sorted((*WORD_VALUES, *SCALES), key=len, reverse=True))
_COUNTED = "|".join((*SCALES, "couple", "single"))
_SPELLED = (
    rf"(?:(?:minus|negative)\s)?(?:an?\s(?=(?:{_COUNTED})\b)|(?!an?\b))(?:{_WORD})\b"
    rf"(?:(?:(?<=hundred)\sand\s|(?<=thousand)\sand\s"
    rf"|[\s-])(?!an?\b)(?:{_WORD})\b){{0,8}}(?:\sand\sa\shalf\b)?"
)
NUMBER = re.compile(
    rf"(?<![\w.$£€¥])(?<![0-9],)(?:x(?=[0-9]))?(?:(?P<digits>{DIGITS})(?P<scale>{SCALE})?x?(?![\w%/$£€¥])(?!\.[0-9])"
    r"(?!\s?(?:euros?|eur|pounds?|gbp|quid|yen|francs?)\b)"
    rf"|(?P<half>half(?:\san?)?\s(?:dozen\b|share\b))|(?P<share>an?(?=\s(?:single\s)?share\b))"
    rf"|(?P<spelled>{_SPELLED}))",
    re.IGNORECASE,
)
VAGUE_ONE = re.compile(r"\b(?:that|this|the|which|any|no|last|first|other|each|every|another)\s$", re.IGNORECASE)
RANGE = re.compile(r"\s?(?:-|to|or)\s?(?:[0-9][\w.,]*|(?:two|three|four|five|six|ten|twenty)\b)", re.IGNORECASE)

# What is a number but neither a quantity nor a price.
OTHER_NUMBERS = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b"
    r"|\bof\s(?:my|our|the|those|these)\s[0-9][\w.,]*"
    r"|\b(?:instead\s+of|rather\s+than|not)\s+(?:the\s+)?[0-9][\w.,]*"
    r"|\b(?:order|no\.|number)\s?#?\s?[0-9]+\b|#[0-9]+\b",
    re.IGNORECASE,
)
# The same, and what it says is nothing that an order here can have.
NOT_OFFERED = re.compile(
    r"\b(?:account|acct|desk)\s?#?\s?[0-9]+\b"
    r"|\b(?:at\s)?[0-9]{1,2}(?::[0-9]{2})?\s?(?:am|pm|a\.m|p\.m|o'clock)\b|\b(?:at\s)?[0-9]{1,2}:[0-9]{2}\b"
    r"|\b(?:in|for|within|over|after)\s+(?:the\s+(?:last|next)\s+)?[0-9]{1,4}\s+(?:minute|hour|day|week"
    r"|month|year)s?\b",
    re.IGNORECASE,
)
TIMES_IN_FORCE = (
    ("gtc", re.compile(r"\b(?:gtc|(?:good\s+)?(?:till?|until|'til)\s+cancel\w{0,3})\b", re.IGNORECASE)),
    ("ioc", re.compile(r"\b(?:ioc|immediate[\s-]or[\s-]cancel)\b", re.IGNORECASE)),
    ("fok", re.compile(r"\b(?:fok|fill[\s-]or[\s-]kill)\b", re.IGNORECASE)),
    (
        "day",
        re.compile(
            r"\b(?:day\s+only|day\s+order|good\s+for\s+(?:the\s+|to)?day"
            r"|(?<!\ba\s)(?<!each\s)(?<!every\s)(?<!per\s)(?<!some\s)(?<!another\s)(?<!that\s)(?<!any\s)(?<!one\s)day)\b",
            re.IGNORECASE,
        ),
    ),
)

_PRICE = (
    rf"\s?\$?\s?(?P<price>{DIGITS}(?:\s?k)?)(?:\s?(?:dollars|bucks|usd)\b)?(?![\w%/])(?!\.[0-9])"
    r"(?!\s?(?:%|percent\b|o'clock\b|shares?\b|stocks?\b|units?\b|of\b|worth\b|days\b|dozen\b|hundred\b))"
    r"(?:\s?(?:each|apiece|a\s(?:share|piece|pop)|per\s(?:share|unit)|/\s?share|flat|limit"
    r"|or\s(?:better|lower|less|below|under|cheaper|higher|more|above|over|up))\b){0,3}"
)
_FALL = r"drops?|falls?|dips?|slips?|sinks?|declines?|slides?"
_FALL += r"|(?:goes|comes|gets|moves|pulls)\s(?:back\s)?(?:down|back)"
_RISE = r"rises?|climbs?|rall(?:y|ies)|jumps?|gains?|(?:goes|gets|moves)\s(?:back\s)?up"
_FLAT = r"hits?|reach(?:es)?|touch(?:es)?|gets|goes|trades|is|are|comes"
CONDITION = re.compile(
    rf"\b(?:if|when|once|whenever|as\ssoon\sas|should)\s(?:[\w.$&']{{1,20}}\s){{1,4}}?"
    rf"(?:(?P<fall>{_FALL})|(?P<rise>{_RISE})|(?:{_FLAT}))?\s?"
    rf"(?P<side>(?:back\s)?(?:to|at|below|under|above|over|past|down\sto|up\sto))?{_PRICE}",
    re.IGNORECASE,
)
LIMIT = re.compile(
    r"(?:\b(?:at|with|on|for)\s(?:a|the|my)?\s?)?\b(?:limit|lmt|lim|price|cap|ceiling|floor)(?:\sprice)?(?:\sof"
    r"|\sat|\sis|\sto)?\s?[:=@]?"
    + _PRICE
    + r"|(?:\bat(?:\s(?:around|about|roughly|only|just))?\b|@)"
    + _PRICE.replace("price>", "at>")
    + r"|(?<![\w.,$])\$?(?P<before>[0-9]++(?:\.[0-9]++)?)\s(?:(?:limit|lmt|lim)(?!\s(?:price\s)?(?:of\s|at\s)?\$?[0-9])"
    r"|or\s(?:better|lower|less|higher))\b",
    re.IGNORECASE,
)
# After the share count these words bound the price; right after the verb they bound the count.
BOUND = re.compile(
    r"\b(?:(?:for|at|pay|paying)\s)?(?:(?:no|not|nothing)\s(?:more|less|higher|lower|cheaper|greater)\sthan"
    r"|(?:don't|do\snot|not|never)\s(?:exceed(?:ing)?|go\s(?:over|above|below|under)|pay\s(?:more\sthan"
    r"|over|above))"
    r"|not\s(?:above|below|over|under)|at\s(?:most|least)|a?\s?max(?:imum)?(?:\sof)?"
    r"|a?\s?min(?:imum)?(?:\sof)?"
    r"|under|below|above|over|up\sto|less\sthan|more\sthan)" + _PRICE,
    re.IGNORECASE,
)
AND_LESS = re.compile(r"\bor\s(?:lower|less|below|under|cheaper)\b", re.IGNORECASE)
AND_MORE = re.compile(r"\bor\s(?:higher|more|above|over|up)\b", re.IGNORECASE)
EACH_PRICE = re.compile(
    rf"(?:\bfor\s)?\$?(?P<price>{DIGITS})(?:\s(?:dollars|bucks|usd))?\s(?:apiece|a\sshare|per\sshare"
    rf"|a\spiece)\b"
    rf"|\bfor\s\$?(?P<each>{DIGITS})(?:\s(?:dollars|bucks|usd))?\seach\b",
    re.IGNORECASE,
)
MONEY = re.compile(
    rf"(?:(?P<minus>-)?\$\s?(?P<dollars>{DIGITS})(?P<scale>{SCALE}|\s?m)?(?![\w%/])"
    rf"|(?<![\w.$£€¥])(?<![0-9],)(?P<named>{DIGITS})(?P<named_scale>{SCALE})?"
    r"(?=\s?(?:\$(?![0-9A-Za-z])|(?:dollars?|bucks|usd|us\sdollars)\b)|\sworth\b)"
    rf"|\b(?P<spelled>{_SPELLED})(?=\s(?:dollars|bucks|usd|us\sdollars)\b))"
    r"(?:\s?\$|\s?(?:dollars?|bucks|usd|us\sdollars)\b)?(?P<spent>\s(?:worth|of|in|into|on)\b)?",
    re.IGNORECASE,
)
_FUNDS = r"cash|money|funds|buying\spower|balance|savings"
_OF_MONEY = rf"(?!\s(?:of\s)?(?:my\s|the\s)?(?:available\s)?(?:{_FUNDS}))"
_OF_WEALTH = rf"(?!\s(?:of\s)?(?:my\s|the\s)?(?:available\s)?(?:{_FUNDS}|portfolio|account|equity|net\sworth))"
PERCENT = re.compile(
    rf"(?<![\w.,$-])(?P<percent>[0-9]{{1,9}}(?:\.[0-9]{{1,9}})?)\s?(?:%|per\s?cent\b){_OF_WEALTH}",
    re.IGNORECASE,
)
_PARTS = {"half": 2, "third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "tenth": 10}
PART = re.compile(
    rf"(?<![\w/])(?<!and\s)(?<!and\sa\s)(?:(?P<over>[1-9])/(?P<under>[1-9][0-9]?)(?![\w/])"
    rf"|(?:(?P<count>an?|one|two|three)[\s-])?(?P<part>half|thirds?|quarters?|fourths?|fifths?|tenths?)\b)"
    rf"(?!-)(?!\s(?:an?\s|one\s)?(?:share|dozen|hour|order|price))(?!\s(?:a\s)?million){_OF_WEALTH}",
    re.IGNORECASE,
)
WHOLE = re.compile(
    r"\b(?:all|everything|entire|whole|the\s(?:lot|rest)|what(?:ever)?\si\s(?:have|own|hold)|every(?:\s(?:last|single))?\s(?:share|one))\b"
    rf"(?!-)(?!\s(?:time|or\snone|in\son|at\sonce)){_OF_MONEY}",
    re.IGNORECASE,
)

PERIODS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
PERIOD = re.compile(
    r"\b(?:(?:last|past|previous|recent)\s(?P<count>[0-9]{1,4}|two|three|four|five|six|ten|few"
    r"|couple(?:\sof)?)?\s?"
    r"|(?P<dashed>[0-9]{1,4})[\s-]|this\s)(?P<trading>(?:trading|business|market)\s)?"
    r"(?P<period>day|week|month|quarter|year)s?\b",
    re.IGNORECASE,
)
NAMED_PERIODS = (
    (365, re.compile(r"\b(?:ytd|year\sto\sdate|so\sfar\sthis\syear)\b", re.IGNORECASE)),
    (2, re.compile(r"\b(?:since\s)?yesterday\b", re.IGNORECASE)),
    (1, re.compile(r"\btoday\b", re.IGNORECASE)),
)


@dataclass(frozen=True, kw_only=True)
class Amounts:
    """What an order's wording says in numbers. rest: the same text, what was read blanked out by bars. is_twofold:
    both a part and a number are said ("half of 10")."""

    quantity: str = ""
    fraction: Decimal | None = None
    amount_usd: Decimal | None = None
    limit_price: str = ""
    time_in_force: str = "day"
    is_twofold: bool = False
    rest: str


def read(text: str, *, side: str) -> Amounts:
    """The amounts in the part of an order that follows its verb; side is "buy" or "sell"."""
    rest = NOT_OFFERED.sub(lambda match: UNREAD * len(match[0]), OTHER_NUMBERS.sub(_bars, text))
    time_in_force, rest = _time_in_force(rest)
    limit_price, rest = _limit(rest)
    amount, bare, rest = _money(rest)
    fraction, rest = _fraction(rest, side=side)
    quantity, rest = _quantity(rest)
    if amount and bare and not limit_price and (quantity or fraction is not None):
        limit_price, amount = amount, ""
    return Amounts(
        quantity=quantity,
        fraction=None if quantity else fraction,
        amount_usd=Decimal(amount) if amount else None,
        limit_price=limit_price,
        time_in_force=time_in_force,
        is_twofold=bool(quantity) and fraction is not None and fraction != 1,
        rest=rest,
    )


def is_stop(text: str, *, side: str) -> bool:
    """Whether the price is that of a stop: to sell when it falls or to buy when it rises; or whether it could be one.

    A limit order cannot express one; it would trade at once.
    """
    found = CONDITION.search(text)
    if found is None:
        return any(_is_ceiling(bound[0]) == (side == "sell") for bound in _prices_bound(text)) or bool(
            (AND_LESS if side == "sell" else AND_MORE).search(text)
        )
    where = (found["side"] or "").lower()
    falls = bool(found["fall"]) or where.endswith(("below", "under", "down to"))
    rises = bool(found["rise"]) or where.endswith(("above", "over", "past", "up to"))
    return falls if side == "sell" else rises


def is_either(text: str) -> bool:
    """Whether a condition leaves open from which side the price comes: "when it hits 400"."""
    found = CONDITION.search(text)
    if found is None or found["fall"] or found["rise"] or AND_LESS.search(text) or AND_MORE.search(text):
        return False
    return not (found["side"] or "").lower().endswith(("below", "under", "down to", "above", "over", "past", "up to"))


def _prices_bound(text: str) -> Iterator[re.Match[str]]:
    """The bounds of a price; one right after the verb bounds the count."""
    return (bound for bound in BOUND.finditer(text) if text[: bound.start()].strip(f" ,{BLANK}"))


def _is_ceiling(bound: str) -> bool:
    """Whether "under 50", "no more than 50" and the like mean that price and less."""
    if re.search(r"\b(?:at\s(?:most|least)|max\w*|min\w*|up\sto)\b", bound, re.IGNORECASE):
        return not re.search(r"\b(?:least|min\w*)\b", bound, re.IGNORECASE)
    is_low = bool(re.search(r"\b(?:less|lower|cheaper|below|under)\b", bound, re.IGNORECASE))
    return is_low != bool(re.search(r"\b(?:no|not|nothing|never|don't)\b", bound, re.IGNORECASE))


def starts_item(text: str, start: int) -> bool:
    """Whether the next item of a list begins here: with a count, a sum or a part, which is not a price."""
    is_price = any(pattern.match(text, start) for pattern in (LIMIT, EACH_PRICE, BOUND))
    return not is_price and any(pattern.match(text, start) for pattern in (NUMBER, MONEY, PERCENT, PART, WHOLE))


def has_number(text: str) -> bool:
    """Whether a count stands in the text, except the pronoun "one" and the article of "a share"."""
    return any(found[0].lower() != "one" and not found["share"] for found in NUMBER.finditer(text))


def days(text: str) -> int:
    """The length in calendar days of the period a question is about; 0 when it names none."""
    named = next((length for length, pattern in NAMED_PERIODS if pattern.search(text)), 0)
    found = PERIOD.search(text)
    if found is None:
        return named
    count = (found["count"] or found["dashed"] or "1").lower().removesuffix(" of")
    number = int(count) if count.isdigit() else WORD_VALUES.get(count, 3)
    length = number * PERIODS[found["period"].lower()]
    return -(-length * 7 // 5) if found["trading"] else length


def value(match: re.Match[str]) -> str:
    """The plain decimal string of a NUMBER match; "" when its words do not make one number."""
    if match["digits"]:
        return scaled(match["digits"], match["scale"] or "")
    if match["half"]:
        return "6" if "dozen" in match["half"].lower() else "0.5"
    return "1" if match["share"] else _spelled(match["spelled"].lower())


def scaled(digits: str, scale: str) -> str:
    """Digits without separators, multiplied by a scale word by moving the point, however long they are."""
    plain, scale = digits.replace(",", "").removeprefix("+").lower(), scale.strip().lower()
    if scale == "dozen":
        return str(int(plain) * 12) if len(plain) < 10 and plain.isdigit() else ""
    if not scale or "e" in plain:
        return plain
    whole, _, part = plain.partition(".")
    zeros = ZEROS[scale]
    moved, left = part[:zeros].ljust(zeros, "0"), part[zeros:]
    number = (whole + moved).lstrip("0") or "0"
    return f"{number}.{left}" if left else number


def _spelled(words: str) -> str:
    sign = "-" if words.startswith(("minus ", "negative ")) else ""
    whole, half, _ = words.removeprefix("minus ").removeprefix("negative ").partition(" and a half")
    number = _counted(re.findall("[a-z]+", whole))
    return "" if number is None else f"{sign}{number}{'.5' if half else ''}"


def _counted(words: list[str]) -> int | None:
    """Adds up number words in their usual order; None for others ("five ten")."""
    total = group = 0
    for word in words:
        if word in {"a", "an", "and"}:
            continue
        if word in SCALES:
            group = max(group, 1) * SCALES[word]
            if SCALES[word] >= 1000:
                total, group = total + group, 0
        elif group % (100 if WORD_VALUES[word] > 9 else 10) or group % 100 == 10:
            return None
        else:
            group += WORD_VALUES[word]
    return total + group


def _bars(match: re.Match[str]) -> str:
    return BLANK * len(match[0])


def _blank(text: str, match: re.Match[str]) -> str:
    return text[: match.start()] + _bars(match) + text[match.end() :]


def _time_in_force(text: str) -> tuple[str, str]:
    for code, pattern in TIMES_IN_FORCE:
        if found := pattern.search(text):
            return code, _blank(text, found)
    return "day", text


def _limit(text: str) -> tuple[str, str]:
    for pattern in (CONDITION, LIMIT, EACH_PRICE, BOUND):
        for found in pattern.finditer(text):
            is_count = pattern is BOUND and not text[: found.start()].strip(f" ,{BLANK}")
            if not is_count:
                price = next(group for name, group in found.groupdict().items() if group and name not in _NOT_PRICE)
                return _price(price), _blank(text, found)
    return "", text


_NOT_PRICE = frozenset(("fall", "rise", "side"))


def _price(written: str) -> str:
    scale = "k" if written[-1:] in {"k", "K"} else ""
    return scaled(written.removesuffix("k").removesuffix("K").strip(), scale)


def _money(text: str) -> tuple[str, bool, str]:
    """The dollars, whether they stand bare (no "of" or "worth" after them), and the rest."""
    found = MONEY.search(text)
    if found is None:
        return "", False, text
    if found["spelled"]:
        return _spelled(found["spelled"].lower()), not found["spent"], _blank(text, found)
    digits, scale = found["dollars"] or found["named"], found["scale"] or found["named_scale"] or ""
    amount = (found["minus"] or "") + scaled(digits, scale)
    return amount, not found["spent"], _blank(text, found)


def _fraction(text: str, *, side: str) -> tuple[Decimal | None, str]:
    if found := PERCENT.search(text):
        return Decimal(found["percent"]) / 100, _blank(text, found)
    if found := PART.search(text):
        return _part(found), _blank(text, found)
    found = WHOLE.search(text) if side == "sell" else None
    return (Decimal(1), _blank(text, found)) if found else (None, text)


def _part(match: re.Match[str]) -> Decimal:
    if match["over"]:
        return Decimal(match["over"]) / Decimal(match["under"])
    parts = _PARTS[match["part"].lower().removesuffix("s")]
    return Decimal(WORD_VALUES[(match["count"] or "one").lower()]) / parts


def _quantity(text: str) -> tuple[str, str]:
    for found in NUMBER.finditer(text):
        vague = found[0].lower() == "one" and VAGUE_ONE.search(text, max(0, found.start() - 12), found.start())
        if not vague:
            choice = RANGE.match(text, found.end())
            return ("", _blank(_blank(text, found), choice)) if choice else (value(found), _blank(text, found))
    return "", text

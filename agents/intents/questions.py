"""Questions, greetings and thanks: the first row of one table that fits."""

import re

from agents.intents import amounts
from agents.intents.intent import Intent, Kind, Part
from agents.intents.names import company_in, order_id_in, phrase_in, sides_in, symbols_in
from agents.intents.patterns import any_of, compiled
from agents.intents.verbs import NEGATION, TRADING_WORD
from orders import instruments

MOST_QUOTES = 5
STATUSES = {
    **dict.fromkeys(("open", "pending", "outstanding", "working", "live", "active", "unfilled", "waiting"), "open"),
    **dict.fromkeys(("filled", "executed", "completed"), "filled"),
    **dict.fromkeys(("cancelled", "canceled"), "canceled"),
    **{word: word for word in ("declined", "rejected", "denied", "expired", "approved", "withdrawn", "submitted")},
}
_STATUS = any_of(*STATUSES)
STATUS = re.compile(
    rf"\b(?:(?P<before>{_STATUS})\s(?:\w{{1,20}}\s){{0,2}}?orders?\b|orders?\s(?:that\s(?:are|were|got"
    rf"|have\sbeen)\s|which\s(?:are|were)\s|were\s|are\s|got\s|been\s|get\s)"
    rf"(?:still\s)?(?P<after>{_STATUS})\b|(?:what(?:'s|\sis)|everything|anything|all)\s(?:that's\s"
    rf"|that\sis\s)?(?:still\s)?(?P<what>{_STATUS})\b)",
    re.IGNORECASE,
)
_WH = r"(?:what|how|who|where|which)(?:'s|s|\sis|\sare|\shas|\shave)?"
# In order: the first row whose pattern is in the part, and whose need is met, names the kind.
QUESTIONS: tuple[tuple[Kind, str, re.Pattern[str]], ...] = (
    (
        Kind.HELP,
        "",
        compiled(
            r"\bwho\s(?:can\s|must\s|will\s|has\sto\s|needs\sto\s|gets\sto\s)?(?:approves?|signs?\soff"
            r"|reviews?|authori[sz]es?)\b",
            r"\bhow\s(?:does|do|is|are|will)\b.{0,40}\b(?:approv\w{0,6}|work|works|function)\b"
            r"|\bapproval\s(?:process|rules?|flow|work)",
            r"\bhow\s(?:do|can|would|should)\s(?:i|we|you)\s(?:\w{1,12}\s)?(?:place|buy|sell|trade|cancel"
            r"|withdraw|use|approve|start|begin|ask|order)\b",
            r"\bwhat\s(?:else\s)?(?:can|do|could)\s(?:you|i)\s(?:do|help|ask|say|understand|know)\b"
            r"|\bwhat\sare\syour?\s(?:able|capab)",
            r"^\W*(?:(?:please|now|system:)\s)*(?:approve|authori[sz]e)\b",
            r"\bwhat\shappens\b(?!\s(?:with|at|to|in))|\bwhat\s(?:would|will)\shappen\b|\bwhat\sif\b"
            r"|\bwho\sare\syou\b|\bwhat\sare\syou\b|\babout\syourself\b",
            r"^\W*(?:please\s|i\sneed\s|some\s)*help(?:\sme)?(?:\splease)?\W*$|\bcommands\b"
            r"|\binstructions\b|\bneeds?\sapproval\b",
        ),
    ),
    (
        Kind.EXECUTIONS,
        "",
        compiled(
            r"\b(?:did|have|had|why|when|what|where|which)\b.{0,30}\b(?:i|you|we)\b.{0,20}\b(?:buy|bought"
            r"|sell|sold|trade[d]?|purchased?)\b",
            r"\bmy\s(?:(?:last|latest|recent|newest)\s(?:trade|fill|execution|purchase|sale)|sells|sales|buys|purchases)\b",
            r"\bat\swhat\sprice\sdid\b|\bdid\s(?:i|we)\spay\b|\b(?:last|recent)\sthing\si\s(?:bought|sold)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "",
        compiled(
            r"\b(?:should|shall|would|could)\s(?:i|we|you|one)\b.{0,40}\b(?:buy|sell|own|hold|invest|get"
            r"|keep|dump|purchase|pick|add|trim)",
            r"\b(?:good|smart|wise|bad|right|safe)\s(?:\w{1,12}\s)?(?:buy|time|idea|investment|moment"
            r"|bet)\b|\bworth\s(?:buying|owning|it|holding)\b",
            r"\b(?:thinking|wondering|considering)\b|\bbuy\sor\s(?:sell|hold)\b",
            r"^\W*(?:\S{1,20}\s)?(?:buy|sell|hold)\b.{0,60}\?",
        ),
    ),
    (
        Kind.COMPARE,
        "two",
        compiled(
            r"\bcompar|\bvs\b|\bversus\b|\bagainst\b|\bdifference|\bbetter\b|\bor\b|\bstack\sup\b"
            r"|\bside\sby\sside\b|\bhead\sto\shead\b"
        ),
    ),
    (Kind.COMPARE, "", compiled(r"\b(?:compare|comparison)\b")),
    (
        Kind.CASH,
        "",
        compiled(
            r"\b(?:cash|buying\spower|funds|afford|purchasing\spower|left\sto\s(?:spend|invest)|dry\spowder)\b"
            r"|\b(?:account\s)?balance\b(?!\ssheet)",
            r"\bhow\smuch\s(?:money(?!\s(?:have|did|am)\s(?:i|we)\s(?:ma[dk]e|los|earn))|can\si\s(?:still\s)?(?:spend"
            r"|invest|buy))\b|\bmoney\s(?:can|is|left|available)\b|\bmy\smoney\b|\bmoney\sleft\b",
        ),
    ),
    (
        Kind.ORDERS,
        "",
        compiled(
            r"\borders\b|\b(?:my|the|that|this|last|any|an|latest|previous|recent"
            r"|of)\s(?:\S{1,20}\s){0,2}order\b|\bwhat(?:'s|\sis)\s(?:still\s)?(?:pending|open|outstanding)\b",
            r"\border\s(?:status|book|history|list)\b|\bpending\b|\bwaiting\sfor\sapproval\b"
            r"|\bawaiting\sapproval\b",
        ),
    ),
    (
        Kind.EXECUTIONS,
        "",
        compiled(
            r"\b(?:trades|fills?|executions?|transactions?|trade\shistory|trading\shistory|trade\slog)\b"
            r"|\bi\s(?:\w{1,10}\s)?(?:bought|sold|traded)\b|\b(?:did|have|was|am)\si\s(?:get|gotten|been)?\s?filled\b"
        ),
    ),
    (
        Kind.NEWS,
        "",
        compiled(
            r"\bnews\b|\bheadlines?\b|\bin\sthe\s(?:papers|press)\b|\bintel\s(?:on|about)\b",
        ),
    ),
    (
        Kind.NEWS,
        "one",
        compiled(
            r"\b(?:happening|going\son|new)\s(?:with|at|to|for|over\sat)\b|\blatest\s(?:on|about|from)\b"
            r"|\bupdates?\s(?:on|about)\b|\bwhat's\sup\swith\b|\bhappened\s(?:to|with|at)\b"
        ),
    ),
    (Kind.HOLDINGS, "", compiled(r"\bmy\s(?:average|avg|cost)\b|\bcost\sbasis\b|\bbreak-?\s?even\b")),
    (
        Kind.QUOTE,
        "one",
        compiled(
            rf"\b(?:{_WH}|how\sis)\s(?!(?:is\s|are\s)?my\b|did\b)(?:.{{0,40}}\b)?(?:doing|trading|performing"
            rf"|looking|holding\sup|priced|moving|at)\b",
            r"\bhow\smuch\s(?:is|are|does|for)\b(?!.{0,60}\b(?:in\smy|of\smy|my)\b)|\bcost\sof\b",
        ),
    ),
    (
        Kind.HOLDINGS,
        "",
        compiled(
            r"\b(?:how\s(?:much|many)|what|which|do|does|show|list|everything|stocks|shares)\b.{0,60}\b(?:i"
            r"|we)\b.{0,12}\b(?:own|hold|have|got|holding|owning)\b",
        ),
    ),
    (
        Kind.PERFORMANCE,
        "",
        compiled(
            r"\bp\s?(?:&|and|n|/)?\s?l\b|\b(?:profits?|performance|performed|performing|gains?|loss(?:es)?"
            r"|returns?|drawdown|roi)\b",
            r"\bhow\s?(?:am|are|'s|is|has|have|did|do|was|were)\s(?:i|we|it|they|that|my|our|things"
            r"|everything|the\s(?:portfolio|account|book))\b.{0,60}\b(?:do|did|doing|done|going|stand"
            r"|fared?|looking|performed)\b",
            r"\bhow\s(?:did|has|have)\b.{0,60}\b(?:do|done|fared?|performed|perform|gone)\b"
            r"|\b(?:how\smuch|what)\s(?:money\s)?(?:have|did|am)\s(?:i|we)\s(?:ma[dk]e|lost|lose|earn|earned|up|down)\b",
            r"\bam\si\s(?:up|down|winning|losing|making|in\sthe\s(?:green|red|black))\b|\b(?:made|make|lost"
            r"|lose|making|losing)\s(?:any\s)?money\b|\bin\sthe\s(?:green|red)\b",
        ),
    ),
    (
        Kind.HOLDINGS,
        "",
        compiled(
            r"\b(?:portfolio|positions?|holdings?|my\s(?:\S{1,20}\s)?(?:stocks?|shares|investments"
            r"|stake))\b|\bdo\s(?:i|we)\s(?:own|hold|have)\b|\bi\s(?:own|hold)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "",
        compiled(
            r"\b(?:research|analy[sz]e|analysis|outlook|opinion|deep\sdive|fundamentals|due\sdiligence"
            r"|forecast|recommend\w{0,6}|thesis)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "one",
        compiled(
            r"\b(?:volatil\w{1,5}|rsi|macd|sma|ema|moving\saverages?|draw-?downs?|technicals|indicators?|trend(?:ing)?)\b",
            r"\b(?:tell\sme\s(?:more\s)?about|think\s(?:of|about)|look\s(?:into|at)|thoughts?|view\son"
            r"|dig\sinto|report\son|study|brief\sme|dd\son|learn\s(?:more\s)?about)\b",
            r"\b(?:overvalued|undervalued|bull|bear|bullish|bearish|earnings|revenue|valuation|dividends?"
            r"|p/e|pe\sratio|margins?|risks?|prospects|expensive|cheap|like|explain|growth|business)\b",
            r"\b(?:rundown|overview|primer|briefing|lowdown)\b|\binfo(?:rmation)?\s(?:on|about)\b|\bsummar"
            r"|\bwho\sis\b|\bwhat\sdoes\b|\bwhat\sis\s\S{1,20}\W*$|\babout\b",
        ),
    ),
    (Kind.PERFORMANCE, "one", compiled(r"\b(?:highs?|lows?|highest|lowest|rose|risen|fell|fallen|peak(?:ed)?)\b")),
    (
        Kind.QUOTE,
        "",
        compiled(
            r"\b(?:quotes?|prices?|priced|stock\sprice|share\sprice|trading\sat|going\sfor|market\sprice"
            r"|last\sprice|ticker\sfor)\b",
            r"\bhow(?:'s|\sis)\s(?!life|the\b|your?\b|every|business)\S{1,20}\s(?:doing|trading"
            r"|performing)\b",
            r"\bhow\smuch\s(?:is|are|does)\b(?!\s(?:it|that|this)\b)|^\W*\$?[A-Z]{2,5}\s?\?\W*$",
        ),
    ),
    (
        Kind.QUOTE,
        "one",
        compiled(
            r"\b(?:worth|cost|value|trading|trade|level|check|up|down|today|now|moving|where's|pull\sup"
            r"|doing|shares?|stock)\b|\?",
        ),
    ),
    (
        Kind.THANKS,
        "",
        compiled(
            r"^\W*(?:(?:ok|great|perfect|awesome|cool|many|nice|brilliant|super)[\s,!]+){0,2}(?:thanks?"
            r"|thank\syou|thankyou|thx|tks|ty|tysm|cheers|much\sappreciated|appreciate(?:d|\sit)"
            r"|i\sappreciate)\b",
        ),
    ),
    (
        Kind.GREETING,
        "",
        compiled(
            r"^\W*(?:hi+|hello|hey+|hiya|howdy|yo|gm|greetings|good\s(?:morning|afternoon|evening|day)"
            r"|morning|evening|sup|hola|how\sare\syou)\b(?:\W+(?:there|again|all|team|everyone|nextrade|bot"
            r"|assistant|mate|folks|morning|how\sare\syou))*\W*$",
        ),
    ),
)
ABOUT_A_COMPANY = frozenset((Kind.QUOTE, Kind.RESEARCH, Kind.NEWS, Kind.COMPARE))
WITHOUT_PERIOD = frozenset((Kind.UNKNOWN, Kind.QUOTE, Kind.CASH, Kind.HELP, Kind.GREETING, Kind.THANKS))
NEEDS = {"": 0, "one": 1, "two": 2}
ASKING = re.compile(r"\W*(?:should|shouldn't|why|what|when|how|did|didn't|is|can|who|which)\b", re.IGNORECASE)
CHANGE = compiled(r"\W*(?:please\s)?(?:ignore|disregard|forget|skip|change|modify|amend|edit|make)\b")
WHO = compiled(r"\bwho\b")
OWN_BOOKS = frozenset((Kind.ORDERS, Kind.EXECUTIONS))
ASKED_THING = compiled(
    r"\b(?:price|quotes?|news|headlines|research|compare|analy[sz]e|analysis|outlook|opinion|about"
    r"|into)\b(?:\s(?:of|on|for|about|the))*",
    r"\b(?:how\smuch|what|how|where)(?:'s|\sis|\sare)\b",
    r"^\W*(?=\$?[A-Z]{2,5}\s?\?)",
)


def read_question(part: Part) -> Intent:
    symbols, sides, days = symbols_in(part.text), sides_in(part.text), amounts.days(part.text)
    kind = _kind(part.text, len(symbols)) or (Kind.QUOTE if _bare_name(part.text) else Kind.UNKNOWN)
    if kind is Kind.QUOTE and symbols and days > 1:
        kind = Kind.PERFORMANCE
    bare = _bare_name(part.text) if kind is Kind.QUOTE else ""
    symbol = symbols[0] if symbols else bare
    status = STATUS.search(part.text) if kind is Kind.ORDERS and not WHO.search(part.text) else None
    return Intent(
        kind=kind,
        words=part.said,
        side=sides[0] if kind in OWN_BOOKS and len(sides) == 1 else "",
        symbol="" if kind in {Kind.COMPARE, Kind.UNKNOWN, Kind.HELP} else symbol,
        company=_asked_company(part, kind) if kind in ABOUT_A_COMPANY and not bare else "",
        symbols=symbols if kind is Kind.COMPARE else (),
        days=0 if kind in WITHOUT_PERIOD else days,
        status=STATUSES[next(filter(None, status.groups())).lower()] if status else "",
        order_id=order_id_in(part.text),
    )


def _kind(text: str, named: int) -> Kind | None:
    if CHANGE.match(text) or (NEGATION.search(text) and TRADING_WORD.search(text) and not ASKING.match(text)):
        return None
    return next((kind for kind, need, pattern in QUESTIONS if named >= NEEDS[need] and pattern.search(text)), None)


def _bare_name(text: str) -> str:
    named = instruments.resolve(text.strip(" ?!.,\"'"))
    return named.symbol if named else ""


def _asked_company(part: Part, kind: Kind) -> str:
    """What a question is about when it is no instrument of the reference; "" when it names nothing else."""
    named = instruments.mentions(part.text)
    if named and (kind is not Kind.COMPARE or len(named) > 1):
        return ""
    asked = ASKED_THING.search(part.text)
    phrase = phrase_in(part.text, asked.end(), len(part.text)) if asked else None
    if named and (phrase is None or phrase[1] > named[0].start):
        phrase = phrase_in(part.text, named[0].end, len(part.text))
    return company_in(part, phrase) if phrase else ""

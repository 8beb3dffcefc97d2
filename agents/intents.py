"""What the embedded offline model understands of plain English.

A text is cut into sentences, a sentence into parts with one verb each, and each part is read by the first
reader that knows it: withdrawals, orders, then the table of questions. Context: an order must come from the
person's own words. Choice: closed tables of words, and whatever only talks about trading (questions,
negations, reports) is no order. Cost: an unusual wording is UNKNOWN and is asked again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from itertools import islice

from agents import amounts, doubts
from agents.amounts import Amounts, words
from orders import instruments
from orders.instruments import Mention

LONGEST_TEXT = 2_000
LONGEST_COMPANY = 60
MOST_QUOTES = 5
MOST_PARTS = 20  # of one sentence; each may be read again together with the next


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


def _any(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


def _listed(patterns: str) -> str:
    """One of the patterns, which are separated by white space."""
    return _any(*patterns.split())


def _compiled(*alternatives: str) -> re.Pattern[str]:
    return re.compile(_any(*alternatives), re.IGNORECASE)


# Verbs that always mean an order, and verbs that do so only next to an instrument or to shares.
BUY = _listed(r"""
    buy buuy b[uy]y by(?=\s[$0-9]) (?<=mind\s)(?:buying|purchasing|picking\sup|getting|grabbing)
    (?:go|get)\slong(?:\s(?:on|in))? purchase purchse purchace puchase purhcase
""")
BUY_SOFTLY = _listed(r"""
    pick\s(?:me\s|us\s)?up grab get(?!\s(?:me\s|us\s)?(?:rid|out|long)\b) give\sme gimme acquire
    snag snap\sup scoop\sup load\sup\son stock\sup\son add(?:\sto)? invest put spend accumulate take
""")
SELL = _listed(r"""
    sell\s?off sell sel selll sll (?<=mind\s)(?:selling|dumping|unloading) dump unload offload
    liquidate
""")
SELL_SOFTLY = _listed(r"""
    get\srid\sof get\s(?:me\s|us\s)?out\sof part\swith close(?:\sout)? exit ditch trim
    cash\s(?:out|in)(?:\sof)? reduce cut lighten(?:\sup)?(?:\son)? drop
""")
VERB = re.compile(
    rf"(?:(?P<buy>{BUY})|(?P<sell>{SELL})|(?P<buy_softly>{BUY_SOFTLY})|(?P<sell_softly>{SELL_SOFTLY})"
    r"|(?P<order>order(?=\s(?:me\s)?[$0-9a])))(?![\w'])",
    re.IGNORECASE,
)
MEANS_ALL = _compiled(
    r"close(?:\sout)?", r"exit", r"liquidate", r"get\s(?:me\s|us\s)?(?:rid|out)\sof", r"cash\sout\sof"
)
MONEY_VERB = _compiled(r"invest", r"spend", r"put")
PUT_INTO = _compiled(r"[0-9km]\s(?:in|into|on)\b")
SHARES = _compiled(r"\b(?:shares?|stocks?|positions?|holdings?|worth\sof)\b")
NOT_AN_ORDER_WORD = _compiled(
    r"\b(?:quotes?|price\s(?:of|for)|(?:share|shares|stock)\sprice|news|headlines|research|report|analysis|chart|orders|trades|fills"
    r"|history|list|info"
    r"|information|details|update|summary|watch\s?list|balance|attention|look|reasons?|range|charts|cost|weeks?|months?"
    r"|[0-9]+[\s-]days?)\b"
)

PREFIX = re.compile(
    r"[^\w$]{0,5}(?>(?:"
    + _listed(r"""
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
NEGATION = _compiled(
    r"\b(?:do\snot|don't|dont|never|won't|will\snot|wouldn't|not\sto|not\sgoing\sto|no\sneed\sto|stop|avoid"
    r"|refuse\sto|didn't"
    r"|did\snot|can't|cannot|shouldn't|should\snot|rather\snot|don\u00b4t|neither|nobody|no\sone"
    r"|not\s(?:yet\s)?(?:buy|sell))\b"
    r"(?!\sforget)"
)
IMPOSSIBLE = _compiled(
    r"\b(?:stop[\s-]?loss|stop\s(?:order|limit|price|at)|trailing|take[\s-]profit|short(?![\s-]term)"
    r"|bracket|calls?\soptions?|puts?\soptions?)\b",
    r"%\s(?:below|under|above|over|off|lower|higher)",
    r"\bor\s(?:buy|sell)\b",
    r"\b(?:except|excluding|besides|other\sthan|(?:apart|aside)\sfrom|(?:all|everything|every\sone"
    r"|anything)\sbut)\b",
    r"\b(?:reduce|trim|cut|lighten)\b.{0,60}\bto\b",
)
# Requests that could be mere questions: an order only when they say how much of what.
TENTATIVE = re.compile(
    r"\W*(?:(?:so|and|but|hey|hi|ok|please)[\s,]+){0,3}(?:(?:can|could|may|would)\s(?:i|we)"
    r"|will\syou\s(?!please|kindly)|would\syou\s(?!mind|please|kindly))\b",
    re.IGNORECASE,
)
POLITE = _compiled(
    r"\bmind\b|\b(?:can|could|will|would)\s(?:you|u|ya|we|i)\b|\bplease\b|\bpls\b|\bplz\b|\b(?:ok|okay"
    r"|thanks|right|alright|deal)\s?\?"
)
OPEN_CONDITION = re.compile(
    r"\b(?:if|unless|until|when|once|as\ssoon\sas)\s(?!you\s(?:can|could|get|have)|possible|that's\s(?:ok"
    r"|fine)|you\sdon't\smind"
    r"|the\smarket\sopens|markets?\sopens?|ready|convenient|cancel)",
    re.IGNORECASE,
)

# Where one part of a sentence ends and the next verb begins.
_STARTERS = _any(
    BUY,
    SELL,
    BUY_SOFTLY,
    SELL_SOFTLY,
    _listed(r"""
    cancel withdraw scrap show tell compare quote list check research what(?:'s)? how(?:'s)? give
    don't do\snot
    """),
)
JOINT = re.compile(
    r"(?:\s?[,;+&]\s?(?:(?:and|then|but|also|plus)\s)?|\s(?:and|then|but|also|plus)\s)"
    r"(?:(?:and|then|also|please|now|for\snow|next|finally|instead|just|maybe|could\syou|can\syou|let's"
    r"|i\swant\sto|i'd\slike\sto)[\s,]{1,2}){0,3}"
    rf"(?={_STARTERS}(?![\w']))",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<!\binc)(?<!\bcorp)(?<!\bco)(?<!\bvs)(?<!\bno)[.!?;]{1,3}\s+|\n+", re.IGNORECASE)
# A sentence that only completes the order before it: "Buy 10 AAPL. Limit 180."
COMPLETION = _compiled(
    r"(?:with\sa\s|use\sa\s|make\sit\sa\s|at\sa\s|a\s)?(?:limit|at|@|no\smore\sthan|not\smore\sthan|max|min"
    r"|up\sto|gtc|ioc|fok|good\s(?:till?|until|for)"
    r"|day\sorder|for\sno\smore|only\sif|but\sonly|as\slong\sas|if\sit|if\sthe\sprice|fill\sor"
    r"|immediate\sor|under|below|above)\b"
)
ITEM_JOINT = re.compile(r"\s?(?:,\s(?:and\s|plus\s)?|\s(?:and|plus|then|&|\+)\s)(?:also\s)?", re.IGNORECASE)
MENTION_JOINT = re.compile(
    r"'?s?(?:\s(?:shares|stock))?(?:\s?,\s?|\s)(?:(?:and|&|plus)\s)?(?:(?:my|the|some)\s)?", re.IGNORECASE
)
ALTERNATIVE = re.compile(r"(?:\s(?:shares|stock))?\s?,?\sor\s(?:some\s|maybe\s)?", re.IGNORECASE)

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
HARD_STOP = _compiled(r"\b(?:because|using|with|via|as|since|instead|not|so|like|rather|while|after|before)\b")
TOKEN = re.compile(r"[^\s|]{1,80}|\|{1,}")

UUID = re.compile(r"(?<![\w-])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![\w-])", re.IGNORECASE)
WITHDRAW = re.compile(
    r"(?:(?P<whole>never\s?mind|nvm|(?:i\s|i've\s)?changed\smy\smind|forget\s(?:about\s)?(?:it|that)\b)"
    r"|(?P<firm>cancell?|cancle|withdraw|scrap|scratch|revoke|undo|abort|retract|rescind|void|call\soff"
    r"|take\sback|nix)"
    r"|(?P<soft>kill|pull(?!\sup)|drop(?!\sme)|stop(?![\s-](?:loss|limit|order))|forget|remove|delete|get\srid\sof"
    r"|take(?=\s.{0,40}\bback\b)))\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
WITHDRAWN_THING = _compiled(
    r"^\W*$|\b(?:orders?|trades?|it|that|this|them|those|these|last\sone|previous\sone|request|proposal"
    r"|purchase|sale|buys?|sells?|both|first\sone)\b"
)
ORDER_THING = _compiled(r"\b(?:orders?|trades?|request|proposal)\b")
WITHDRAW_ALL = _compiled(r"^\W*(?:all|everything|every\s(?:one|order))\b")
WITHDRAWN_WHICH = _compiled(
    r"[0-9]|\b(?:limit|market|stop|first|oldest|second|third|both|other|two|three|half|if|unless|until|when|before"
    r"|after|later|replace\w*|except|but|them|those|these)\b|^(?!\W*(?:all|every)).*\b(?:orders|trades|buys|sells)\b"
)
WITHDRAWN_WORDS = frozenset(
    words("""
    my the a that this it its one last latest previous newest recent just order trade request proposal purchase sale buy
    buying sell selling for of to on about all everything every open pending waiting outstanding unfilled orders trades
    buys sells please pls plz now then thanks thank you again back instead i made placed shares stock s right away me
    immediately asap kindly changed mind
    """)
)
BOUGHT = _compiled(r"\b(?:buys?|buying|purchases?)\b")
SOLD = _compiled(r"\b(?:sells?|selling|sales?)\b")
NOT_WITHDRAWN = _compiled(
    r"\b(?:subscription|meeting|account|appointment|cash|money|funds|dollars|noise|instructions?|rules?)\b|\$"
)

STATUSES = {
    **dict.fromkeys(("open", "pending", "outstanding", "working", "live", "active", "unfilled", "waiting"), "open"),
    **dict.fromkeys(("filled", "executed", "completed"), "filled"),
    **dict.fromkeys(("cancelled", "canceled"), "cancelled"),
    **{word: word for word in ("declined", "rejected", "denied", "expired", "approved", "withdrawn", "submitted")},
}
_STATUS = _any(*STATUSES)
STATUS = re.compile(
    rf"\b(?:(?P<before>{_STATUS})\s(?:\w{{1,20}}\s){{0,2}}?orders?\b|orders?\s(?:that\s(?:are|were|got"
    rf"|have\sbeen)\s|which\s(?:are|were)\s|were\s|are\s|got\s)"
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
        _compiled(
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
        _compiled(
            r"\b(?:did|have|had|why|when|what|where|which)\b.{0,30}\b(?:i|you|we)\b.{0,20}\b(?:buy|bought"
            r"|sell|sold|trade[d]?|purchased?)\b",
            r"\bmy\s(?:(?:last|latest|recent|newest)\s(?:trade|fill|execution|purchase|sale)|sells|sales|buys|purchases)\b",
            r"\bat\swhat\sprice\sdid\b|\bdid\s(?:i|we)\spay\b|\b(?:last|recent)\sthing\si\s(?:bought|sold)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "",
        _compiled(
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
        _compiled(
            r"\bcompar|\bvs\b|\bversus\b|\bagainst\b|\bdifference|\bbetter\b|\bor\b|\bstack\sup\b"
            r"|\bside\sby\sside\b|\bhead\sto\shead\b"
        ),
    ),
    (Kind.COMPARE, "", _compiled(r"\b(?:compare|comparison)\b")),
    (
        Kind.CASH,
        "",
        _compiled(
            r"\b(?:cash|buying\spower|funds|afford|purchasing\spower|left\sto\s(?:spend|invest)|dry\spowder)\b"
            r"|\b(?:account\s)?balance\b(?!\ssheet)",
            r"\bhow\smuch\s(?:money(?!\s(?:have|did|am)\s(?:i|we)\s(?:made?|los|earn))|can\si\s(?:spend"
            r"|invest))\b|\bmoney\s(?:can|is|left|available)\b|\bmy\smoney\b|\bmoney\sleft\b",
        ),
    ),
    (
        Kind.ORDERS,
        "",
        _compiled(
            r"\borders\b|\b(?:my|the|that|this|last|any|an|latest|previous|recent"
            r"|of)\s(?:\S{1,20}\s){0,2}order\b|\bwhat(?:'s|\sis)\s(?:still\s)?(?:pending|open|outstanding)\b",
            r"\border\s(?:status|book|history|list)\b|\bpending\b|\bwaiting\sfor\sapproval\b"
            r"|\bawaiting\sapproval\b",
        ),
    ),
    (
        Kind.EXECUTIONS,
        "",
        _compiled(
            r"\b(?:trades|fills?|executions?|transactions?|trade\shistory|trading\shistory|trade\slog)\b"
            r"|\bi\s(?:\w{1,10}\s)?(?:bought|sold|traded)\b"
        ),
    ),
    (
        Kind.NEWS,
        "",
        _compiled(
            r"\bnews\b|\bheadlines?\b|\bin\sthe\s(?:papers|press)\b|\bintel\s(?:on|about)\b",
        ),
    ),
    (
        Kind.NEWS,
        "one",
        _compiled(
            r"\b(?:happening|going\son|new)\s(?:with|at|to|for|over\sat)\b|\blatest\s(?:on|about|from)\b"
            r"|\bupdates?\s(?:on|about)\b|\bwhat's\sup\swith\b|\bhappened\s(?:to|with|at)\b"
        ),
    ),
    (
        Kind.QUOTE,
        "one",
        _compiled(
            rf"\b(?:{_WH}|how\sis)\s(?!(?:is\s|are\s)?my\b|did\b)(?:.{{0,40}}\b)?(?:doing|trading|performing"
            rf"|looking|holding\sup|priced|moving|at)\b",
            r"\bhow\smuch\s(?:is|are|does|for)\b(?!.{0,60}\b(?:in\smy|of\smy|my)\b)|\bcost\sof\b",
        ),
    ),
    (
        Kind.HOLDINGS,
        "",
        _compiled(
            r"\b(?:how\s(?:much|many)|what|which|do|does|show|list|everything|stocks|shares)\b.{0,60}\b(?:i"
            r"|we)\b.{0,12}\b(?:own|hold|have|got|holding|owning)\b",
        ),
    ),
    (
        Kind.PERFORMANCE,
        "",
        _compiled(
            r"\bp\s?(?:&|and|n|/)?\s?l\b|\b(?:profits?|performance|performed|performing|gains?|loss(?:es)?"
            r"|returns?|drawdown|roi)\b",
            r"\bhow\s?(?:am|are|'s|is|has|have|did|do|was|were)\s(?:i|we|it|they|that|my|our|things"
            r"|everything|the\s(?:portfolio|account|book))\b.{0,60}\b(?:do|did|doing|done|going|stand"
            r"|fared?|looking|performed)\b",
            r"\bhow\s(?:did|has|have)\b.{0,60}\b(?:do|done|fared?|performed|perform|gone)\b"
            r"|\bhow\smuch\s(?:money\s)?(?:have|did|am)\s(?:i|we)\s(?:made?|lost|lose|earn|earned|up|down)\b",
            r"\bam\si\s(?:up|down|winning|losing|making|in\sthe\s(?:green|red|black))\b|\b(?:made|lost"
            r"|making|losing)\s(?:any\s)?money\b|\bin\sthe\s(?:green|red)\b",
        ),
    ),
    (
        Kind.HOLDINGS,
        "",
        _compiled(
            r"\b(?:portfolio|positions?|holdings?|my\s(?:\S{1,20}\s)?(?:stocks?|shares|investments"
            r"|stake))\b|\bdo\s(?:i|we)\s(?:own|hold|have)\b|\bi\s(?:own|hold)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "",
        _compiled(
            r"\b(?:research|analy[sz]e|analysis|outlook|opinion|deep\sdive|fundamentals|due\sdiligence"
            r"|forecast|recommend\w{0,6}|thesis)\b",
        ),
    ),
    (
        Kind.RESEARCH,
        "one",
        _compiled(
            r"\b(?:tell\sme\s(?:more\s)?about|think\s(?:of|about)|look\s(?:into|at)|thoughts?|view\son"
            r"|dig\sinto|report\son|study|brief\sme|dd\son|learn\s(?:more\s)?about)\b",
            r"\b(?:overvalued|undervalued|bull|bear|bullish|bearish|earnings|revenue|valuation|dividends?"
            r"|p/e|pe\sratio|margins?|risks?|prospects|expensive|cheap|like|explain|growth|business)\b",
            r"\b(?:rundown|overview|primer|briefing|lowdown)\b|\binfo(?:rmation)?\s(?:on|about)\b|\bsummar"
            r"|\bwho\sis\b|\bwhat\sdoes\b|\bwhat\sis\s\S{1,20}\W*$|\babout\b",
        ),
    ),
    (
        Kind.QUOTE,
        "",
        _compiled(
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
        _compiled(
            r"\b(?:worth|cost|value|trading|trade|level|check|up|down|today|now|moving|where's|pull\sup"
            r"|doing|shares?|stock)\b|\?",
        ),
    ),
    (
        Kind.THANKS,
        "",
        _compiled(
            r"^\W*(?:(?:ok|great|perfect|awesome|cool|many|nice|brilliant|super)[\s,!]+){0,2}(?:thanks?"
            r"|thank\syou|thankyou|thx|tks|ty|tysm|cheers|much\sappreciated|appreciate(?:d|\sit)"
            r"|i\sappreciate)\b",
        ),
    ),
    (
        Kind.GREETING,
        "",
        _compiled(
            r"^\W*(?:hi+|hello|hey+|hiya|howdy|yo|gm|greetings|good\s(?:morning|afternoon|evening|day)"
            r"|morning|evening|sup|hola|how\sare\syou)\b(?:\W+(?:there|again|all|team|everyone|nextrade|bot"
            r"|assistant|mate|folks|morning|how\sare\syou))*\W*$",
        ),
    ),
)

TRADING_WORD = re.compile(rf"\b(?:{BUY}|{SELL}|get\srid\sof|close|exit|purchase|cancel|withdraw)\b", re.IGNORECASE)
DEEDS = frozenset((Kind.TRADE, Kind.WITHDRAW))
ABOUT_ORDERS = frozenset((Kind.RESEARCH, Kind.HELP, Kind.EXECUTIONS, Kind.QUOTE, Kind.PERFORMANCE))
COURTESY = frozenset((Kind.GREETING, Kind.THANKS))
ABOUT_A_COMPANY = frozenset((Kind.QUOTE, Kind.RESEARCH, Kind.NEWS, Kind.COMPARE))
WITHOUT_PERIOD = frozenset((Kind.UNKNOWN, Kind.QUOTE, Kind.CASH, Kind.HELP, Kind.GREETING, Kind.THANKS))
NEEDS = {"": 0, "one": 1, "two": 2}
ASKING = re.compile(r"\W*(?:should|shouldn't|why|what|when|how|did|didn't|is|can|who|which)\b", re.IGNORECASE)
CHANGE = _compiled(r"\W*(?:please\s)?(?:ignore|disregard|forget|skip|change|modify|amend|edit|make)\b")
WISH = _compiled(r"\b(?:i'd\slike|i\swould\slike|i\swant|i\swanna|i\sneed|(?:can|could|may)\si\shave)\s$")
GONE = _compiled(r"\b(?:sold|gone|sell|selling|off|out|cancell?ed|less|fewer)\b")
OR = _compiled(r"\W*or\b")
WHO = _compiled(r"\bwho\b")
LIMIT_WORD = _compiled(r"\b(?:limit|lmt|lim)\b")
EACH = _compiled(r"\beach\b")
NEW_THOUGHT = _compiled(r"[,;]|\b(?:but|instead)\b")
MORE = _compiled(r"\b(?:some|more|my|position|shares|stock)\b")
UNREAD_NUMBER = re.compile(r"(?<![\w.])\$?[0-9][0-9,.]*(?![\w%])")
NAMED_FIRST = re.compile(
    rf"(?P<name>[$\w.&'-]{{1,20}}(?:\s[\w.&'-]{{1,20}})?)(?::|\s-|,)?\s(?=(?:{BUY}|{SELL})\s[$0-9])",
    re.IGNORECASE,
)
ASKED_THING = _compiled(
    r"\b(?:price|quotes?|news|headlines|research|compare|analy[sz]e|analysis|outlook|opinion|about"
    r"|into)\b(?:\s(?:of|on|for|about|the))*",
    r"\b(?:how\smuch|what|how|where)(?:'s|\sis|\sare)\b",
    r"^\W*(?=\$?[A-Z]{2,5}\s?\?)",
)

# Look-alikes with an ASCII lower case, which IGNORECASE would take for the letters s, k and i.
_SAFE = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " ",
    "\u017f": "\u01c0", "\u212a": "\u01c0", "\u0130": "\u01c0", "\u0131": "\u01c0",
})  # fmt: skip


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


def read(text: str) -> tuple[Intent, ...]:
    """Everything wished for in the first 2,000 characters, in order; one UNKNOWN when there is nothing."""
    written = re.sub(r"[^\S\n]+", " ", text[:LONGEST_TEXT])
    whole = Part(text=written.translate(_SAFE), words=written)
    read_all = [intent for sentence in _sentences(whole) for intent in _read_sentence(sentence)]
    read_all = _doubted(read_all)
    understood = [intent for intent in read_all if intent.kind is not Kind.UNKNOWN]
    wishes = [intent for intent in understood if intent.kind not in COURTESY]
    if not any(intent.kind in DEEDS for intent in wishes):
        wishes += [intent for intent in read_all if intent.kind is Kind.UNKNOWN and TRADING_WORD.search(intent.words)]
    return tuple(_merged(wishes) or understood[:1]) or (Intent(kind=Kind.UNKNOWN, words=whole.said),)


def _doubted(intents: list[Intent]) -> list[Intent]:
    """With one doubtful order all are: half of what was meant may be the opposite of it. A negated order before the
    one that is meant ("don't buy Apple, buy Tesla") is understood."""
    doubt = next((intent.doubt for intent in intents if intent.kind is Kind.TRADE and intent.doubt), "")
    trades = [place for place, intent in enumerate(intents) if intent.kind in DEEDS]
    for place, intent in enumerate(intents):
        is_negated = (
            NEGATION.search(intent.words) and TRADING_WORD.search(intent.words) and place < max(trades, default=0)
        )
        is_beside = intent.kind is Kind.UNKNOWN and not doubts.SAYS_NOTHING.fullmatch(intent.words)
        is_asked = intent.kind in ABOUT_ORDERS and (OR.match(intent.words) or not (intent.symbol or intent.company))
        takes_back = intent.kind is Kind.WITHDRAW and place and intents[place - 1].kind is Kind.TRADE
        if trades and not is_negated and (is_beside or is_asked or takes_back):
            doubt = doubt or doubts.ANOTHER_SENTENCE
    return [
        replace(intent, doubt=intent.doubt or doubt) if intent.kind in DEEDS and not intent.company else intent
        for intent in intents
    ]


def _merged(intents: list[Intent]) -> list[Intent]:
    """A question asked twice is one, and so is a withdrawal ("never mind, cancel that")."""
    kept: list[Intent] = []
    for intent in intents:
        if kept and _repeats(intent, kept[-1]):
            kept[-1] = intent if intent.symbol or intent.order_id else kept[-1]
        else:
            kept.append(intent)
    return kept


def _repeats(intent: Intent, before: Intent) -> bool:
    if intent.kind is not before.kind or intent.kind is Kind.TRADE:
        return False
    vague = not (intent.symbol or intent.order_id) or not (before.symbol or before.order_id)
    return replace(intent, words=before.words) == before or (vague and intent.kind is Kind.WITHDRAW)


def _sentences(whole: Part) -> Iterator[Part]:
    start = 0
    for end in SENTENCE_END.finditer(whole.text):
        if not COMPLETION.match(whole.text, end.end()):
            yield whole.cut(start, end.end())
            start = end.end()
    if whole.text[start:].strip():
        yield whole.cut(start, len(whole.text))


def _read_sentence(sentence: Part) -> list[Intent]:
    """The intents of each part; a part which is not understood completes the one before it."""
    orders = not _is_mere_question(sentence.text)
    parts: list[tuple[int, tuple[Intent, ...]]] = []
    start = 0
    for end, joint in _joints(sentence.text):
        part = sentence.cut(start, end)
        intents = _read_part(part, orders=orders)
        if joint and _goes_on(part.text, intents, joint):
            continue
        if parts and intents[0].kind is Kind.UNKNOWN and not TRADING_WORD.search(part.text):
            start, _ = parts.pop()
            intents = _read_part(sentence.cut(start, end), orders=orders)
        parts.append((start, intents))
        start = end + len(joint)
    return [intent for _, intents in parts for intent in intents]


def _joints(text: str) -> Iterator[tuple[int, str]]:
    """Where each part may end and the words that join it to the next; the last ends with the text."""
    for joint in islice(JOINT.finditer(text), MOST_PARTS):
        yield joint.start(), joint[0]
    yield len(text), ""


def _goes_on(text: str, intents: tuple[Intent, ...], joint: str) -> bool:
    """Whether the next verb still belongs to this part's condition, question, report or negation."""
    if OPEN_CONDITION.match(text.lstrip()) and intents[0].kind is not Kind.TRADE:
        return True
    if intents[0].kind in {Kind.TRADE, Kind.WITHDRAW} or not TRADING_WORD.search(text):
        return False
    return not (NEGATION.search(text) and NEW_THOUGHT.search(joint))


def _is_mere_question(text: str) -> bool:
    return text.rstrip().endswith("?") and not POLITE.search(text)


def _read_part(part: Part, *, orders: bool) -> tuple[Intent, ...]:
    if orders and (withdrawal := _read_withdrawal(part)):
        return (withdrawal,)
    if orders and (read_orders := _read_orders(part)):
        return read_orders
    if orders and _is_unreadable_order(part.text):
        return (Intent(kind=Kind.UNKNOWN, words=part.said),)
    question = _read_question(part)
    if question.kind is Kind.QUOTE and len(symbols := _symbols(part.text)) > 1:
        return tuple(replace(question, symbol=symbol) for symbol in symbols[:MOST_QUOTES])
    return (question,)


def _is_unreadable_order(text: str) -> bool:
    """Whether it orders something this desk cannot do; that is no question about the instrument."""
    verb = _verb(text)
    if verb is None or TENTATIVE.match(text) or NOT_AN_ORDER_WORD.search(text):
        return False
    return not verb.is_soft or bool(IMPOSSIBLE.search(text))


def _read_withdrawal(part: Part) -> Intent | None:
    match = WITHDRAW.match(part.text, _after_prefix(part.text, 0))
    if match is None or TENTATIVE.match(part.text):
        return None
    symbols, rest, order_id = _symbols(part.text), match["rest"], _order_id(part.text)
    if not _is_withdrawn(match, is_named=bool(symbols or order_id)):
        return None
    said = {side for side, word in (("buy", BOUGHT), ("sell", SOLD)) if word.search(rest)}
    is_clear = not WITHDRAWN_WHICH.search(rest) and len(symbols) < 2 and len(said) < 2
    is_quoted = doubts.QUOTED.search(part.text[: match.start()] + " ")
    return Intent(
        kind=Kind.WITHDRAW,
        words=part.said,
        side=next(iter(said), "") if len(said) == 1 else "",
        symbol=symbols[0] if symbols else "",
        order_id=order_id,
        fraction=Decimal(1) if WITHDRAW_ALL.search(rest) and not order_id else None,
        doubt="" if not is_quoted and (order_id or (is_clear and _says_which(rest))) else "which order you mean",
    )


def _says_which(rest: str) -> bool:
    """Whether every word after "cancel" is known: "cancel it tomorrow" and "cancel part of it" say something else."""
    for one in instruments.mentions(rest):
        rest = rest[: one.start] + " " * (one.end - one.start) + rest[one.end :]
    return all(word in WITHDRAWN_WORDS for word in re.findall(r"[\w']+", rest.lower()))


def _is_withdrawn(match: re.Match[str], *, is_named: bool) -> bool:
    rest = match["rest"]
    if NOT_WITHDRAWN.search(rest):
        return False
    if match["soft"]:
        return bool(ORDER_THING.search(rest) or UUID.search(rest))
    return bool(WITHDRAWN_THING.search(rest) or (match["firm"] and (is_named or WITHDRAW_ALL.match(rest))))


@dataclass(frozen=True, kw_only=True)
class Verb:
    """The verb of an order, and where it and its condition ("if it drops to 405, buy") stand in the part."""

    side: str
    written: str
    is_soft: bool
    condition: tuple[int, int]
    end: int


def _verb(text: str) -> Verb | None:
    """The verb, when the part opens with it: after polite words, a condition, or the instrument's name."""
    opened = _after_prefix(text, 0)
    condition = CONDITION_FIRST.match(text, opened)
    start = _after_prefix(text, _after_name(text, condition.end() if condition else opened))
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


def _after_prefix(text: str, start: int) -> int:
    prefix = PREFIX.match(text, start)
    return prefix.end() if prefix else start


def _after_name(text: str, start: int) -> int:
    """Past an instrument named before the verb ("AAPL: buy 10"), which needs a number after it."""
    opening = NAMED_FIRST.match(text, start)
    named = opening and instruments.resolve(opening["name"])
    return opening.end() if opening and named else start


def _read_orders(part: Part) -> tuple[Intent, ...]:
    """The orders of a part, one for each item; empty when there are none or this desk cannot express them."""
    verb = _verb(part.text)
    if verb is None or IMPOSSIBLE.search(part.text) or NEGATION.search(part.text, 0, verb.end):
        return ()
    items = tuple(_items(part.text, verb.end))
    read_orders = _distributed(_read_items(part, verb, items), part.text)
    if len(read_orders) > 1 and any(not (order.symbol or order.company) for order in read_orders):
        read_orders = _read_items(part, verb, ((verb.end, len(part.text)),))
    if len(read_orders) > 1 and (strange := next((order.company for order in read_orders if order.company), "")):
        read_orders = tuple(replace(order, doubt=f"what {strange!r} means") for order in read_orders if order.symbol)
    holds = [bool(order.limit_price) or order.time_in_force != "day" for order in read_orders]
    if holds and holds[-1] and not all(holds) and not any(holds[:-1]):
        read_orders = tuple(replace(order, doubt=doubts.FOR_ALL) for order in read_orders)
    sized = all(order.quantity or order.amount_usd or order.fraction for order in read_orders)
    return () if TENTATIVE.match(part.text) and not sized else read_orders


def _read_items(part: Part, verb: Verb, items: tuple[tuple[int, int], ...]) -> tuple[Intent, ...]:
    """The orders of these stretches; empty when anything in one of them was not understood."""
    orders = [order for start, end in items for order in _read_item(part, verb, start, end)]
    understood = tuple(order for order in orders if order is not None)
    return understood if len(understood) == len(orders) else ()


def _distributed(orders: tuple[Intent, ...], text: str) -> tuple[Intent, ...]:
    """Gives the size said last to all: "buy Apple and Nvidia, 10 each"."""
    if len(orders) < 2 or orders[-1].symbol or orders[-1].company or not EACH.search(text):
        return orders
    *named, last = orders
    doubt = doubts.FOR_ALL if last.limit_price or last.time_in_force != "day" else ""
    return tuple(replace(one, quantity=last.quantity, amount_usd=last.amount_usd, doubt=doubt) for one in named)


def _items(text: str, start: int) -> Iterator[tuple[int, int]]:
    """The stretches "10 AAPL", "5 MSFT" and "3 Tesla" of a list.

    A comma or "and" inside a number or price is no joint.
    """
    numbers = [number.span() for number in amounts.NUMBER.finditer(text, start)]
    for joint in ITEM_JOINT.finditer(text, start):
        inside = any(first < joint.end() <= last and first <= joint.start() for first, last in numbers)
        if not inside and amounts.starts_item(text, joint.end()):
            yield start, joint.start()
            start = joint.end()
    yield start, len(text)


def _read_item(part: Part, verb: Verb, start: int, end: int) -> Iterator[Intent | None]:
    """An order for each instrument of the item; None when something in it was not understood."""
    condition = verb.condition if start == verb.end else (0, 0)
    text = _only(part.text, condition, (start, end))
    said = amounts.read(text, side=verb.side)
    targets = _targets(part, said.rest, start, end) or _named_before(part.text, verb)
    small_talk = verb.is_soft and not _is_order(said, verb, targets, part.text[start:end])
    if small_talk or _is_unreadable(said):
        yield None
        return
    found = _sized(said, verb, part.text[start:end])
    doubt = _doubt(part, verb, text, found, targets)
    shared = bool(EACH.search(found.rest)) or found.fraction is not None
    for place, (symbol, company) in enumerate(targets or (("", ""),)):
        kept = found if shared or place == 0 else replace(found, quantity="", amount_usd=None)
        yield replace(_order(part, verb, kept, symbol, company), doubt="" if company else doubt)


def _only(text: str, *stretches: tuple[int, int]) -> str:
    """The text with bars instead of everything outside these stretches."""
    shown = amounts.BLANK * len(text)
    for start, end in stretches:
        shown = shown[:start] + text[start:end] + shown[end:]
    return shown


def _sized(found: Amounts, verb: Verb, tail: str) -> Amounts:
    """Adds what the verb itself says: "close" means all of it, "invest 500" means dollars."""
    unsized = not found.quantity and found.fraction is None and found.amount_usd is None
    if unsized and MEANS_ALL.fullmatch(verb.written):
        return replace(found, fraction=Decimal(1))
    if found.quantity and MONEY_VERB.fullmatch(verb.written) and PUT_INTO.search(tail) and not SHARES.search(tail):
        return replace(found, quantity="", amount_usd=Decimal(found.quantity))
    return found


def _is_unreadable(found: Amounts) -> bool:
    """Whether a condition or a number stays unread."""
    unread = OPEN_CONDITION.search(found.rest) or UNREAD_NUMBER.search(found.rest)
    return bool(unread) or amounts.has_number(found.rest)


def _doubt(part: Part, verb: Verb, text: str, found: Amounts, targets: tuple[tuple[str, str], ...]) -> str:
    """What is unclear about the item that text shows; "" when every word of it is understood."""
    if TENTATIVE.match(part.text) and not doubts.PLEASE.search(part.text):
        return doubts.QUESTION
    if doubts.QUOTED.search(part.text[: verb.end - len(verb.written)]):
        return doubts.OTHERS_WORDS
    if doubts.CORRECTS.search(part.text, verb.end):
        return doubts.CORRECTED
    if amounts.is_stop(text, side=verb.side) or amounts.is_either(text):
        return doubts.WHICH_WAY
    named = {symbol for symbol, _ in targets} - {""}
    if not named:
        return ""
    condition = amounts.CONDITION.search(text)
    if condition and not doubts.ITSELF.search(condition[0]) and not named & set(_symbols(condition[0])):
        return doubts.WHOSE_PRICE
    if len(targets) > 1 and found.limit_price:
        return doubts.FOR_ALL
    rest = found.rest
    for one in instruments.mentions(part.text):
        if one.instrument.symbol not in named and text[one.start : one.end].strip(amounts.BLANK):
            return f"what {one.instrument.symbol} has to do with it"
        if one.instrument.symbol in named:
            rest = rest[: one.start] + amounts.BLANK * (one.end - one.start) + rest[one.end :]
    for token in doubts.TOKEN.finditer(rest):
        resolved = instruments.resolve(token[0].strip(doubts.EDGES))
        if resolved and resolved.symbol in named:
            rest = rest[: token.start()] + amounts.BLANK * len(token[0]) + rest[token.end() :]
    if unclear := doubts.of_amounts(found, text.strip(amounts.BLANK), side=verb.side):
        return unclear
    if left := doubts.unread(rest, found):
        return f"what {part.words[slice(*left)].strip(doubts.EDGES)!r} means"
    return ""


def _is_order(said: Amounts, verb: Verb, targets: tuple[tuple[str, str], ...], tail: str) -> bool:
    """Whether the words after a soft verb ("get", "add", "close") make it an order rather than small talk."""
    if NOT_AN_ORDER_WORD.search(tail):
        return False
    symbol, company = targets[0] if targets else ("", "")
    is_sized = bool(said.quantity or said.amount_usd or said.fraction)
    is_stock = bool(symbol or SHARES.search(tail) or (is_sized and company[:1].isupper()))
    if verb.side == "sell":
        return is_stock or said.fraction == 1
    return is_stock and (is_sized or bool(symbol and MORE.search(tail)))


def _order(part: Part, verb: Verb, found: Amounts, symbol: str, company: str) -> Intent:
    is_limit = bool(found.limit_price or LIMIT_WORD.search(part.text[: verb.end] + found.rest))
    return Intent(
        kind=Kind.TRADE,
        words=part.said,
        side=verb.side,
        symbol=symbol,
        company=company,
        quantity=found.quantity,
        fraction=found.fraction,
        amount_usd=found.amount_usd,
        order_type="limit" if is_limit else "market",
        limit_price=found.limit_price,
        time_in_force=found.time_in_force,
        order_id=_order_id(part.text),
    )


def _targets(part: Part, rest: str, start: int, end: int) -> tuple[tuple[str, str], ...]:
    """(symbol, company) of each thing the item names, one of the two empty; () when it names nothing."""
    hard_stop = HARD_STOP.search(rest, start, end)
    stop = hard_stop.start() if hard_stop else end
    named = [one for one in instruments.mentions(part.text) if start <= one.start and one.end <= stop]
    phrase = _phrase(rest, start, stop)
    if named and not (phrase and _is_other(part.text, phrase, named[0])):
        return _chained(part.text, named)
    if phrase is None:
        return ()
    written = _company(part, phrase)
    known = instruments.resolve(written)
    return ((known.symbol, ""),) if known else (("", written),)


def _is_other(text: str, phrase: tuple[int, int], named: Mention) -> bool:
    """Whether the phrase is another thing listed before the named instrument ("Snapple and Apple")."""
    return phrase[1] <= named.start and bool(re.search(r",|\b(?:and|or)\b|&", text[phrase[1] - 1 : named.start]))


def _chained(text: str, named: list[Mention]) -> tuple[tuple[str, str], ...]:
    """The instruments named in one list; "Apple or Microsoft" is left for the person to decide."""
    chain = [named[0]]
    for one in named[1:]:
        between = text[chain[-1].end : one.start]
        if ALTERNATIVE.fullmatch(between):
            return (("", ""),)
        if not MENTION_JOINT.fullmatch(between):
            break
        chain.append(one)
    symbols = dict.fromkeys(one.instrument.symbol for one in chain)
    return tuple((symbol, "") for symbol in symbols)


def _named_before(text: str, verb: Verb) -> tuple[tuple[str, str], ...]:
    """An instrument named before the verb: "If MSFT drops to 405, buy 5"."""
    named = [one for one in instruments.mentions(text) if one.end <= verb.end]
    return ((named[0].instrument.symbol, ""),) if named else ()


def _phrase(rest: str, start: int, end: int) -> tuple[int, int] | None:
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


def _read_question(part: Part) -> Intent:
    symbols = _symbols(part.text)
    kind = _kind(part.text, len(symbols)) or (Kind.QUOTE if _bare_name(part.text) else Kind.UNKNOWN)
    bare = _bare_name(part.text) if kind is Kind.QUOTE else ""
    symbol = symbols[0] if symbols else bare
    status = STATUS.search(part.text) if kind is Kind.ORDERS and not WHO.search(part.text) else None
    return Intent(
        kind=kind,
        words=part.said,
        symbol="" if kind in {Kind.COMPARE, Kind.UNKNOWN, Kind.HELP} else symbol,
        company=_asked_company(part, kind) if kind in ABOUT_A_COMPANY and not bare else "",
        symbols=symbols if kind is Kind.COMPARE else (),
        days=0 if kind in WITHOUT_PERIOD else amounts.days(part.text),
        status=STATUSES[next(filter(None, status.groups())).lower()] if status else "",
        order_id=_order_id(part.text),
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
    phrase = _phrase(part.text, asked.end(), len(part.text)) if asked else None
    if named and (phrase is None or phrase[1] > named[0].start):
        phrase = _phrase(part.text, named[0].end, len(part.text))
    return _company(part, phrase) if phrase else ""


def _company(part: Part, phrase: tuple[int, int]) -> str:
    return part.words[slice(*phrase)].strip(" ,.;:!?'\"()")[:LONGEST_COMPANY]


def _symbols(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.instrument.symbol for one in instruments.mentions(text)))


def _order_id(text: str) -> str:
    found = UUID.search(text)
    return found[0].lower() if found else ""

"""Withdrawals: "cancel that order", and which one it means."""

import re
from decimal import Decimal

from agents.intents import doubts
from agents.intents.intent import Intent, Kind, Part
from agents.intents.names import UUID, order_id_in, sides_in, symbols_in
from agents.intents.patterns import compiled, words
from agents.intents.verbs import TENTATIVE, after_prefix
from orders import instruments

WITHDRAW = re.compile(
    r"(?:(?P<whole>never\s?mind|nvm|(?:i\s|i've\s)?changed\smy\smind|forget\s(?:about\s)?(?:it|that)\b)"
    r"|(?P<firm>cancell?|cancle|withdraw|scrap|scratch|revoke|undo|abort|retract|rescind|void|call\soff"
    r"|take\sback|take(?=\s(?:it|that|this)\sback\b)|nix)"
    r"|(?P<soft>kill|pull(?!\sup)|drop(?!\sme)|stop(?![\s-](?:loss|limit|order))|forget|remove|delete|get\srid\sof"
    r"|take(?=\s.{0,40}\bback\b)))\b(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
WITHDRAWN_THING = compiled(
    r"^\W*$|\b(?:orders?|trades?|it|that|this|them|those|these|last\sone|previous\sone|request|proposal"
    r"|purchase|sale|buys?|sells?|both|first\sone)\b"
)
ORDER_THING = compiled(r"\b(?:orders?|trades?|request|proposal)\b")
WITHDRAW_ALL = compiled(r"^\W*(?:all|everything|every\s(?:one|order))\b")
WITHDRAWN_WHICH = compiled(
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
NOT_WITHDRAWN = compiled(
    r"\b(?:subscription|meeting|account|appointment|cash|money|funds|dollars|noise|instructions?|rules?)\b|\$"
)


def read_withdrawal(part: Part) -> Intent | None:
    match = WITHDRAW.match(part.text, after_prefix(part.text, 0))
    if match is None or TENTATIVE.match(part.text):
        return None
    symbols, rest, order_id = symbols_in(part.text), match["rest"], order_id_in(part.text)
    if not _is_withdrawn(match, is_named=bool(symbols or order_id)):
        return None
    sides = sides_in(rest)
    is_clear = not WITHDRAWN_WHICH.search(rest) and len(symbols) < 2 and len(sides) < 2
    is_quoted = doubts.QUOTED.search(part.text[: match.start()] + " ")
    return Intent(
        kind=Kind.WITHDRAW,
        words=part.said,
        side=sides[0] if len(sides) == 1 else "",
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

"""What the embedded offline model understands of plain English.

A text is cut into sentences, a sentence into parts with one verb each, and each part is read by the first
reader that knows it: withdrawals, orders, then the table of questions. Context: an order must come from the
person's own words. Choice: closed tables of words, and whatever only talks about trading (questions,
negations, reports) is no order. Cost: an unusual wording is UNKNOWN and is asked again.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from agents.intents import doubts
from agents.intents.intent import Intent, Kind, Part
from agents.intents.names import symbols_in
from agents.intents.orders import OPEN_CONDITION, is_unreadable_order, read_orders
from agents.intents.patterns import any_of, compiled, listed
from agents.intents.questions import MOST_QUOTES, read_question
from agents.intents.verbs import BUY, BUY_SOFTLY, NEGATION, SELL, SELL_SOFTLY, TRADING_WORD
from agents.intents.withdrawals import read_withdrawal

LONGEST_TEXT = 2_000
MOST_PARTS = 20  # of one sentence; each may be read again together with the next
POLITE = compiled(
    r"\bmind\b|\b(?:can|could|will|would)\s(?:you|u|ya|we|i)\b|\bplease\b|\bpls\b|\bplz\b|\b(?:ok|okay"
    r"|thanks|right|alright|deal)\s?\?"
)
# Where one part of a sentence ends and the next verb begins.
_STARTERS = any_of(
    BUY,
    SELL,
    BUY_SOFTLY,
    SELL_SOFTLY,
    listed(r"""
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
COMPLETION = compiled(
    r"(?:with\sa\s|use\sa\s|make\sit\sa\s|at\sa\s|a\s)?(?:limit|at|@|no\smore\sthan|not\smore\sthan|max|min"
    r"|up\sto|gtc|ioc|fok|good\s(?:till?|until|for)"
    r"|day\sorder|for\sno\smore|only\sif|but\sonly|as\slong\sas|if\sit|if\sthe\sprice|fill\sor"
    r"|immediate\sor|under|below|above)\b"
)
DEEDS = frozenset((Kind.TRADE, Kind.WITHDRAW))
ABOUT_ORDERS = frozenset((Kind.RESEARCH, Kind.HELP, Kind.EXECUTIONS, Kind.QUOTE, Kind.PERFORMANCE))
COURTESY = frozenset((Kind.GREETING, Kind.THANKS))
OR = compiled(r"\W*or\b")
NEW_THOUGHT = compiled(r"[,;]|\b(?:but|instead)\b")
# Look-alikes with an ASCII lower case, which IGNORECASE would take for the letters s, k and i.
_SAFE = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u2212": "-", "\u2013": "-", "\u00a0": " ", "\u202f": " ",
    "\u017f": "\u01c0", "\u212a": "\u01c0", "\u0130": "\u01c0", "\u0131": "\u01c0",
})  # fmt: skip


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
    """With one doubtful order or withdrawal all are: half of what was meant may be the opposite of it. A negated order
    before the one that is meant ("don't buy Apple, buy Tesla") is understood."""
    doubt = next((intent.doubt for intent in intents if intent.kind in DEEDS and intent.doubt), "")
    trades = [place for place, intent in enumerate(intents) if intent.kind in DEEDS]
    for place, intent in enumerate(intents):
        is_negated = (
            NEGATION.search(intent.words) and TRADING_WORD.search(intent.words) and place < max(trades, default=0)
        )
        asks = intent.kind is not Kind.UNKNOWN and doubts.ASKS.search(intent.words)
        is_wish = asks or intent.kind in DEEDS or intent.kind in COURTESY
        is_beside = not is_wish and not doubts.SAYS_NOTHING.fullmatch(intent.words)
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
    if orders and (withdrawal := read_withdrawal(part)):
        return (withdrawal,)
    if orders and (ordered := read_orders(part)):
        return ordered
    if orders and is_unreadable_order(part.text):
        return (Intent(kind=Kind.UNKNOWN, words=part.said),)
    question = read_question(part)
    if question.kind is Kind.QUOTE and len(symbols := symbols_in(part.text)) > 1:
        return tuple(replace(question, symbol=symbol) for symbol in symbols[:MOST_QUOTES])
    return (question,)

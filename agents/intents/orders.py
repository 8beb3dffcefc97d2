"""Orders: how much of what, at which price, and what of it is unclear."""

import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from agents.intents import amounts, doubts
from agents.intents.amounts import Amounts
from agents.intents.intent import Intent, Kind, Part
from agents.intents.names import company_in, order_id_in, phrase_in, symbols_in
from agents.intents.patterns import compiled
from agents.intents.verbs import NEGATION, TENTATIVE, Verb, find_verb
from orders import instruments
from orders.instruments import Mention

MEANS_ALL = compiled(r"close(?:\sout)?", r"exit", r"liquidate", r"get\s(?:me\s|us\s)?(?:rid|out)\sof", r"cash\sout\sof")
MONEY_VERB = compiled(r"invest", r"spend", r"put")
PUT_INTO = compiled(r"[0-9km]\s(?:in|into|on)\b")
SHARES = compiled(r"\b(?:shares?|stocks?|positions?|holdings?|worth\sof)\b")
NOT_AN_ORDER_WORD = compiled(
    r"\b(?:quotes?|price\s(?:of|for)|(?:share|shares|stock)\sprice|news|headlines|research|report|analysis|chart|orders|trades|fills"
    r"|history|list|info"
    r"|information|details|update|summary|watch\s?list|balance|attention|look|reasons?|range|charts|cost|weeks?|months?"
    r"|[0-9]+[\s-]days?)\b"
)
IMPOSSIBLE = compiled(
    r"\b(?:stop[\s-]?loss|stop\s(?:order|limit|price|at)|trailing|take[\s-]profit|short(?![\s-]term)"
    r"|bracket|calls?\soptions?|puts?\soptions?)\b",
    r"%\s(?:below|under|above|over|off|lower|higher)",
    r"\bor\s(?:buy|sell)\b",
    r"\b(?:except|excluding|besides|other\sthan|(?:apart|aside)\sfrom|(?:all|everything|every\sone"
    r"|anything)\sbut)\b",
    r"\b(?:reduce|trim|cut|lighten)\b.{0,60}\bto\b",
)
OPEN_CONDITION = re.compile(
    r"\b(?:if|unless|until|when|once|as\ssoon\sas)\s(?!you\s(?:can|could|get|have)|possible|that's\s(?:ok"
    r"|fine)|you\sdon't\smind"
    r"|the\smarket\sopens|markets?\sopens?|ready|convenient|cancel)",
    re.IGNORECASE,
)
ITEM_JOINT = re.compile(r"\s?(?:,\s(?:and\s|plus\s)?|\s(?:and|plus|then|&|\+)\s)(?:also\s)?", re.IGNORECASE)
MENTION_JOINT = re.compile(
    r"'?s?(?:\s(?:shares|stock))?(?:\s?,\s?|\s)(?:(?:and|&|plus)\s)?(?:(?:my|the|some)\s)?", re.IGNORECASE
)
ALTERNATIVE = re.compile(r"(?:\s(?:shares|stock))?\s?,?\sor\s(?:some\s|maybe\s)?", re.IGNORECASE)
HARD_STOP = compiled(r"\b(?:because|using|with|via|as|since|instead|not|so|like|rather|while|after|before)\b")
LIMIT_WORD = compiled(r"\b(?:limit|lmt|lim)\b")
EACH = compiled(r"\beach\b")
MORE = compiled(r"\b(?:some|more|my|position|shares|stock)\b")
UNREAD_NUMBER = re.compile(r"(?<![\w.])\$?[0-9][0-9,.]*(?![\w%])")


def is_unreadable_order(text: str) -> bool:
    """Whether it orders something this desk cannot do; that is no question about the instrument."""
    verb = find_verb(text)
    if verb is None or TENTATIVE.match(text) or NOT_AN_ORDER_WORD.search(text):
        return False
    return not verb.is_soft or bool(IMPOSSIBLE.search(text))


def read_orders(part: Part) -> tuple[Intent, ...]:
    """The orders of a part, one for each item; empty when there are none or this desk cannot express them."""
    verb = find_verb(part.text)
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
    if condition and not doubts.ITSELF.search(condition[0]) and not named & set(symbols_in(condition[0])):
        return doubts.WHOSE_PRICE
    if len(targets) > 1 and found.limit_price:
        return doubts.FOR_ALL
    if len(targets) > 1 and found.quantity and not EACH.search(found.rest) and not _is_counted_first(part, verb):
        return doubts.HOW_MANY_OF_EACH
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


def _is_counted_first(part: Part, verb: Verb) -> bool:
    """Whether the number stands before all that is named; in "buy KO and PEP 10" it may be the last one's alone."""
    named = [one.start for one in instruments.mentions(part.text) if one.start >= verb.end]
    return not named or amounts.has_number(part.text[verb.end : named[0]])


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
        order_id=order_id_in(part.text),
    )


def _targets(part: Part, rest: str, start: int, end: int) -> tuple[tuple[str, str], ...]:
    """(symbol, company) of each thing the item names, one of the two empty; () when it names nothing."""
    hard_stop = HARD_STOP.search(rest, start, end)
    stop = hard_stop.start() if hard_stop else end
    named = [one for one in instruments.mentions(part.text) if start <= one.start and one.end <= stop]
    phrase = phrase_in(rest, start, stop)
    if named and not (phrase and _is_other(part.text, phrase, named[0])):
        return _chained(part.text, named)
    if phrase is None:
        return ()
    written = company_in(part, phrase)
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

"""The embedded model: no network, no learning, rules alone. It speaks the same tool calls as a language model.

Which part it plays follows from the tools it is given. A handler is written as if tools answered at once: `ask` gives
the result if this turn's messages hold it, and otherwise notes the call and leaves; the model then makes the noted
calls and is asked again. Named `offline-rules` wherever a model is named.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from types import MappingProxyType
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from agents import followups
from agents.followups import Past
from agents.intents import Intent, Kind, read
from orders import instruments

SHOWN = 60
MOST_LISTED = 10
MOST_WITHDRAWN = 5
"""At once: each is a call, of which a turn has a dozen."""
OWN = re.compile(r"\bmy\b|\bp\s?&?\s?l\b|\bprofit|\b(?:un)?reali[sz]ed\b|\b(?:have|did|am)\si\b", re.IGNORECASE)
BESIDES = re.compile(r"\b(?:besides|except|without|other\sthan|apart|aside|but)\b", re.IGNORECASE)
ORDER_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FILLS = {"": "fills", "buy": "purchases", "sell": "sales"}
FRACTIONS = {Decimal(1): "all my", Decimal("0.5"): "half of my"}
CAPABILITIES = """I can:
- propose orders: "Buy 10 shares of Apple", "sell half of my NVDA", "buy 5 MSFT" with a limit price
- change or take back an order that waits: "make it 5", "cancel that order"
- look things up: "AAPL?", "research Nvidia", "compare Apple and Microsoft", "how did Tesla do this month"
- tell you what you have: "what do I hold", "how much cash do I have", "am I up this month"
- find what you did: "my open orders", "what did I sell this week", "my fills"

Every order waits for a second person's approval before it is sent. I am NexTrade's built-in rule-based assistant
(offline-rules), not a language model, so plain wording works best: market and limit orders for shares, no stops, no
short sales, no options."""

PLAINLY = '"Buy 10 AAPL", "sell half of my AAPL", "buy 10 AAPL limit 12 gtc"'
"""Its numbers are small enough to count as words: an answer's others must have a source."""

INDICATORS: Mapping[str, str] = MappingProxyType(
    {
        "sma_20_usd": "20-day average",
        "sma_50_usd": "50-day average",
        "ema_20_usd": "20-day exponential average",
        "rsi_14": "14-day RSI",
        "macd_usd": "MACD",
        "volatility_pct": "volatility a year",
        "drawdown_pct": "deepest fall",
    }
)


class Pending(Exception):
    """A handler needs a result that is not there yet."""


class Ask:
    """The results of the tools so far in this turn, and the calls that are still to be made."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        answers = {message.tool_call_id: message.text for message in messages if isinstance(message, ToolMessage)}
        made = [call for message in messages if isinstance(message, AIMessage) for call in message.tool_calls]
        self._results = {
            _key(call["name"], call["args"]): answers[call["id"] or ""] for call in made if call["id"] in answers
        }

    def __call__(self, name: str, **arguments: Any) -> str:
        """The result of a tool, as text. Raises Pending after noting the call."""
        return self.together((name, arguments))[0]

    def together(self, *calls: tuple[str, dict[str, Any]]) -> list[str]:
        """The results of several tools that can be called at once. Raises Pending after noting those that are
        missing."""
        missing = [call for call in calls if _key(*call) not in self._results]
        if missing:
            self.calls += missing
            raise Pending
        return [self._results[_key(*call)] for call in calls]


Handler = Callable[[Intent, Ask], str]


class OfflineRules(BaseChatModel):
    """A chat model by rules. Its answers carry tool calls in the standard form."""

    @property
    def _llm_type(self) -> str:
        return "offline-rules"

    def bind_tools(
        self, tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tool_names=[getattr(tool, "name", "") for tool in tools])

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = _next(messages, frozenset(kwargs.get("tool_names", ())))
        return ChatResult(generations=[ChatGeneration(message=message)])


def _next(messages: Sequence[BaseMessage], tools: frozenset[str]) -> AIMessage:
    """The next message of whoever has these tools."""
    last = max(number for number, message in enumerate(messages) if isinstance(message, HumanMessage))
    ask = Ask(messages[last:])
    context = "\n".join(message.text for message in messages[:last] if isinstance(message, SystemMessage))
    earlier = [message.text for message in messages[:last] if isinstance(message, HumanMessage)]
    answers: list[str] = []
    words = messages[last].text
    if "transfer_to_research" in tools and (quantity := followups.changed_quantity(words)):
        return _spoken_or_asked(
            ask, lambda: _change(quantity, ask, followups.past(context), is_shares="share" in words.lower())
        )
    again = None
    asked = next((message.text for message in reversed(messages[:last]) if isinstance(message, AIMessage)), "")
    if "transfer_to_research" in tools:
        again = followups.answered(words, earlier, asked) or followups.same_again(words, earlier)
    for intent in [again] if again else read(words):
        try:
            answers.append(_answer(intent, ask, tools, context, earlier, asked))
        except Pending:
            continue
    return _message(ask, answers)


def _spoken_or_asked(ask: Ask, answer: Callable[[], str]) -> AIMessage:
    try:
        return _message(ask, [answer()])
    except Pending:
        return _message(ask, [])


def _message(ask: Ask, answers: Sequence[str]) -> AIMessage:
    if not ask.calls:
        return AIMessage("\n\n".join(dict.fromkeys(answers)))
    calls = {_key(*call): call for call in ask.calls}.values()
    return AIMessage("", tool_calls=[{"name": name, "args": args, "id": uuid.uuid4().hex} for name, args in calls])


def _answer(intent: Intent, ask: Ask, tools: frozenset[str], context: str, earlier: Sequence[str], asked: str) -> str:
    if "transfer_to_research" in tools:
        return _supervise(_with_subject(intent, earlier), ask, context, asked)
    handler = (PORTFOLIO if "propose_order" in tools else RESEARCH if "get_price_history" in tools else DATABASE).get(
        intent.kind
    )
    return handler(intent, ask) if handler else CAPABILITIES


# --- the supervisor's part


def _supervise(intent: Intent, ask: Ask, context: str, asked: str) -> str:
    match intent.kind:
        case Kind.TRADE:
            return _missing(intent) or ask("transfer_to_portfolio", instructions=_wish(intent))
        case Kind.WITHDRAW:
            return _withdraw(intent, ask, context, asked)
        case Kind.HOLDINGS | Kind.CASH:
            return ask("transfer_to_portfolio", instructions=intent.words)
        case Kind.PERFORMANCE if not intent.symbol or OWN.search(intent.words):
            what = f"{intent.symbol} position" if intent.symbol else "portfolio"
            span = "" if intent.symbol else _span(intent)
            return ask("transfer_to_portfolio", instructions=f"How is my {what} doing{span}?")
        case Kind.ORDERS | Kind.EXECUTIONS:
            return ask("transfer_to_database", instructions=_lookup(intent))
        case Kind.QUOTE | Kind.RESEARCH if not (intent.symbol or intent.company):
            return "Which company do you mean? Please give its name or its ticker symbol."
        case Kind.COMPARE if len(intent.symbols) < 2:
            unknown = f"I do not know {intent.company!r}. " if intent.company else ""
            return f"{unknown}Which two companies shall I compare?"
        case Kind.QUOTE | Kind.RESEARCH | Kind.COMPARE | Kind.NEWS | Kind.PERFORMANCE:
            return ask("transfer_to_research", instructions=_question(intent))
        case Kind.GREETING:
            return "Hello. What would you like to know or trade?"
        case Kind.THANKS:
            return "You are welcome."
        case Kind.HELP:
            return CAPABILITIES
        case _:
            what = f"“{intent.words[:SHOWN]}”" if len(intent.words) <= SHOWN else "that"
            return f"I did not understand {what}, and did nothing.{_waiting(context)}\n\n{CAPABILITIES}"


def _with_subject(intent: Intent, earlier: Sequence[str]) -> Intent:
    """ "How did it do": it is what this conversation named last."""
    if intent.kind not in (Kind.PERFORMANCE, Kind.QUOTE, Kind.RESEARCH) or intent.symbol or intent.company:
        return intent
    if not re.search(r"\b(?:it|that|they)\b", intent.words, re.IGNORECASE):
        return intent
    for words in reversed(earlier):
        named = instruments.mentions(words)
        if named:
            return replace(intent, symbol=named[-1].instrument.symbol)
    return intent


def _missing(intent: Intent) -> str:
    """What has to be asked before an order can be proposed; empty when nothing is."""
    if intent.doubt:
        return f"I am not sure {intent.doubt}, so nothing was proposed. Please say it plainly: {PLAINLY}."
    if intent.company:
        return f"I do not know {intent.company!r}. Please name the company or its ticker symbol; nothing was proposed."
    if not intent.side:
        return f"Would you like to buy or to sell? {followups.ASKING}"
    if not intent.symbol:
        return f"Which company would you like to {intent.side}? {followups.ASKING}"
    if not intent.quantity and intent.fraction is None and intent.amount_usd is None:
        return f"How many shares of {intent.symbol} would you like to {intent.side}? {followups.ASKING}"
    if intent.order_type == "limit" and not intent.limit_price:
        return f"At which limit price would you like to {intent.side} {intent.symbol}? {followups.ASKING}"
    return ""


def _withdraw(intent: Intent, ask: Ask, context: str, asked: str) -> str:
    """asked: the answer before this message. "Cancel that" is the order that it told of, or none."""
    known = [order.order_id for order in followups.past(context) if _fits(intent, order)]
    is_one = not intent.doubt and intent.fraction is None
    is_vague = not (intent.symbol or intent.side or intent.order_id or "order" in intent.words.lower())
    if known and is_one and is_vague and asked and known[0] not in asked:
        return f"There was nothing to take back in what I said last.{_waiting(context)}"
    if is_one and (intent.order_id or known):
        return ask("transfer_to_portfolio", instructions=f"Withdraw order {intent.order_id or known[0]}")
    found = ask("transfer_to_database", instructions=f"My open orders {intent.symbol}".strip())
    others = [
        order for line in found.splitlines() if line.startswith(f"- {intent.side}") for order in ORDER_ID.findall(line)
    ]
    if not others:
        return f"There is no open {' '.join(filter(None, (intent.side, intent.symbol, 'order')))} to cancel."
    if not intent.doubt and len(others) <= (1 if is_one else MOST_WITHDRAWN):
        calls = [("transfer_to_portfolio", {"instructions": f"Withdraw order {order}"}) for order in others]
        return "\n".join(ask.together(*calls))
    return f'Which one? Please say "cancel order" and its number. Nothing was withdrawn.\n{found}'


def _fits(intent: Intent, order: Past) -> bool:
    return order.is_unsent and intent.symbol in ("", order.symbol) and intent.side in ("", order.side)


def _waiting(context: str) -> str:
    """Of the newest order that is not over, for who may think that it is."""
    order = next((order for order in followups.past(context) if order.is_unsent), None)
    if order is None:
        return ""
    return (
        f" Your order to {order.side} {order.quantity} {order.symbol} still stands: "
        f'"cancel the {order.symbol} order" takes it back, "make it 5" changes the number.'
    )


def _change(quantity: str, ask: Ask, past: Sequence[Past], *, is_shares: bool) -> str:
    """ "Make it 5": an order never changes, so the newest one is withdrawn and another is proposed."""
    if not past:
        return "There is no order in this conversation that I could change. Please say what to buy or sell."
    order = past[0]
    what = f"The order for {order.quantity} {order.symbol}"
    if order.status not in ("pending_approval", "withdrawn"):
        is_open = ", but you can cancel it" if order.is_unsent else ""
        is_over = f"{what} is {order.status.replace('_', ' ')}, so it cannot be changed{is_open}."
        return f"{is_over} You can propose another one."
    if order.order_type not in ("market", "limit"):
        return f"{what} is a {order.order_type.replace('_', ' ')} order, which I cannot propose: it was left as it is."
    if order.limit_price and not is_shares and 1 / 2 < Decimal(quantity) / Decimal(order.limit_price) < 2:
        return (
            f'{what} was left as it is. Is that the number of shares or the limit? "Make it {quantity} shares" '
            "changes the number; for another limit cancel it and propose it anew."
        )
    if Decimal(quantity) <= 0:
        return f'{what} was left as it is. "Cancel it" takes it back.'
    taken = ask("transfer_to_portfolio", instructions=f"Withdraw order {order.order_id}")
    if not taken.startswith("Withdrawn"):
        return taken
    wish = Intent(
        kind=Kind.TRADE,
        words="",
        side=order.side,
        symbol=order.symbol,
        quantity=quantity,
        limit_price=order.limit_price,
        time_in_force=order.time_in_force,
    )
    return f"{taken}\n{ask('transfer_to_portfolio', instructions=_wish(wish))}"


def _wish(intent: Intent) -> str:
    """A trade as one plain sentence, which reads back to the same intent."""
    if intent.fraction is not None:
        share = FRACTIONS.get(intent.fraction) or f"{intent.fraction * 100:f}% of my"
        wish = f"{intent.side} {share} {intent.symbol}"
    elif intent.amount_usd is not None and not intent.quantity:
        wish = f"{intent.side} ${intent.amount_usd:f} of {intent.symbol}"
    else:
        wish = f"{intent.side} {intent.quantity} shares of {intent.symbol}"
    limit = f" limit {intent.limit_price}" if intent.limit_price else ""
    return (
        f"{wish}{limit} {intent.time_in_force}".removesuffix(" day")
        .capitalize()
        .replace(intent.symbol.lower(), intent.symbol)
    )


def _question(intent: Intent) -> str:
    subject, span = intent.symbol or intent.company, _span(intent)
    match intent.kind:
        case Kind.QUOTE:
            return f"Quote {subject}"
        case Kind.RESEARCH:
            return f"Research {subject}"
        case Kind.COMPARE:
            return f"Compare {' and '.join(intent.symbols)}{span}"
        case Kind.NEWS:
            return f"News on {subject}"
        case _:
            return f"How did {subject} do{span or ' over the last 30 days'}?"


def _lookup(intent: Intent) -> str:
    what = FILLS[intent.side] if intent.kind is Kind.EXECUTIONS else f"{intent.status} {intent.side} orders"
    return " ".join(f"Show my {what} {f'for {intent.symbol}' if intent.symbol else ''}{_span(intent)}".split())


def _span(intent: Intent) -> str:
    return f" over the last {intent.days} days" if intent.days else ""


# --- the research agent's part


def _quote(intent: Intent, ask: Ask) -> str:
    if not intent.symbol:
        return _unknown(intent, ask)
    return _price_line(_result(ask("get_quote", symbol=intent.symbol)))


def _research(intent: Intent, ask: Ask) -> str:
    if not intent.symbol:
        return _unknown(intent, ask)
    symbol = {"symbol": intent.symbol}
    texts = ask.together(
        ("get_company_profile", symbol), ("get_quote", symbol), ("get_price_history", {**symbol, "days": 90})
    )
    profile, quote, history = map(_result, texts)
    return (
        f"{profile['name']} ({profile['symbol']}) is in the {profile['sector']} sector. "
        f"{_price_line(quote)}\n{_history_line(history)}\n{_indicator_line(history)}\nThese are facts, not advice."
    )


def _compare(intent: Intent, ask: Ask) -> str:
    calls = [
        call
        for symbol in intent.symbols
        for call in (("get_quote", {"symbol": symbol}), _history(symbol, intent.days or 90))
    ]
    results = list(map(_result, ask.together(*calls)))
    pairs = zip(results[::2], results[1::2], strict=True)
    return "\n".join(
        f"- {_price_line(quote)} {_history_line(history)} {_indicator_line(history)}" for quote, history in pairs
    )


def _performance(intent: Intent, ask: Ask) -> str:
    if not intent.symbol:
        return _unknown(intent, ask)
    texts = ask.together(_history(intent.symbol, intent.days or 30), ("get_quote", {"symbol": intent.symbol}))
    history, quote = map(_result, texts)
    return f"{_history_line(history)} {_price_line(quote)}"


def _news(intent: Intent, ask: Ask) -> str:
    found = _result(ask("search_news", query=intent.symbol or intent.company or intent.words))
    if "error" in found:
        return f"I cannot search the news: {found['message']}."
    if not found["articles"]:
        return f"No news found ({found['source']})."
    lines = [f"- {_article_line(article)}" for article in found["articles"]]
    return "\n".join([f"Found ({found['source']}); titles and links are in the sources beside this answer:", *lines])


def _article_line(article: Mapping[str, Any]) -> str:
    day = f", {article['published'][:10]}" if article["published"] else ""
    about = f" on {', '.join(article['tickers'])}" if article["tickers"] else ""
    return f"[{article['n']}]{day}: {article['sentiment']}{about}, by a word list"


def _unknown(intent: Intent, ask: Ask) -> str:
    found = _result(ask("lookup_symbol", company=intent.company or intent.words))
    return (
        _price_line(_result(ask("get_quote", symbol=found["symbol"])))
        if "symbol" in found
        else f"Sorry, {found['message']}."
    )


def _history(symbol: str, days: int) -> tuple[str, dict[str, Any]]:
    return "get_price_history", {"symbol": symbol, "days": days}


def _price_line(quote: Mapping[str, Any]) -> str:
    if "error" in quote:
        return f"Sorry, {quote['message']}."
    as_of = f"{quote['as_of'][:10]} {quote['as_of'][11:16]} UTC"
    return f"{quote['name']} ({quote['symbol']}) is at {_usd(quote['price_usd'])} ({quote['source']}, {as_of})."


def _history_line(history: Mapping[str, Any]) -> str:
    if "error" in history:
        return f"Sorry, {history['message']}."
    change = Decimal(history["change_pct"])
    moved = f"rose {change} %" if change > 0 else f"fell {-change} %" if change < 0 else "did not move"
    return (
        f"From {history['from']} to {history['to']} {history['symbol']} {moved}, from {_usd(history['first_usd'])} "
        f"to {_usd(history['last_usd'])}, between {_usd(history['low_usd'])} and {_usd(history['high_usd'])} "
        f"({history['source']})."
    )


def _indicator_line(history: Mapping[str, Any]) -> str:
    known: Mapping[str, str] = history.get("indicators", {})
    named = [
        f"{name} {_usd(known[key]) if key.endswith('_usd') else known[key]}{' %' if key.endswith('_pct') else ''}"
        for key, name in INDICATORS.items()
        if key in known
    ]
    return f"{history['symbol']}: {', '.join(named)} (TA-Lib on {history['source']} closes)." if named else ""


# --- the portfolio agent's part


def _trade(intent: Intent, ask: Ask) -> str:
    quantity, remark = _quantity(intent, ask)
    if not quantity:
        return remark
    order = _result(
        ask(
            "propose_order",
            symbol=intent.symbol,
            side=intent.side,
            quantity=quantity,
            order_type=intent.order_type,
            limit_price=intent.limit_price,
            time_in_force=intent.time_in_force,
            rationale="asked for by the trader in their own words",
        )
    )
    return f"{remark}{_order_line(order)}"


def _quantity(intent: Intent, ask: Ask) -> tuple[str, str]:
    """Shares to trade, and what to say of how they were reckoned; no shares and why, where it cannot be done."""
    if intent.quantity:
        return intent.quantity, ""
    if intent.fraction is not None:
        books = _result(ask("get_portfolio", symbol=intent.symbol))
        if "error" in books:
            return "", f"Sorry, {books['message']}. Nothing was proposed."
        held = sum((Decimal(position["quantity"]) for position in books["positions"]), Decimal(0))
        shares = (held * intent.fraction).to_integral_value(ROUND_DOWN)
        if not shares:
            return "", f"You hold {held:f} {intent.symbol}, so there is nothing to {intent.side}. Nothing was proposed."
        return f"{shares:f}", f"You hold {held:f} {intent.symbol}; that makes {shares:f}. "
    quote = _result(ask("get_quote", symbol=intent.symbol))
    if "error" in quote or intent.amount_usd is None:
        return (
            "",
            f"I cannot reckon how many shares that is: {quote.get('message', 'no amount')}. Nothing was proposed.",
        )
    price = Decimal(intent.limit_price or quote["price_usd"])
    shares = (intent.amount_usd / price).to_integral_value(ROUND_DOWN)
    if shares < 1:
        return (
            "",
            f"One {intent.symbol} costs {_usd(price)}, more than {_usd(intent.amount_usd)}. Nothing was proposed.",
        )
    return f"{shares:f}", f"At {_usd(price)} a share, {_usd(intent.amount_usd)} is {shares:f} whole shares. "


def _take_back(intent: Intent, ask: Ask) -> str:
    order = _result(ask("withdraw_order", order_id=intent.order_id))
    if "error" in order:
        return f"I could not take it back: {order['message']}."
    if order["status"] == "withdrawn":
        return f"Withdrawn: {_terms(order)} (order {order['order_id']}). It was never sent."
    return f"I asked the broker to cancel {_terms(order)} (order {order['order_id']})."


def _holdings(intent: Intent, ask: Ask) -> str:
    symbol = "" if BESIDES.search(intent.words) else intent.symbol
    books = _result(ask("get_portfolio", symbol=symbol))
    if "error" in books:
        return f"Sorry, {books['message']}."
    lines = [f"- {position['quantity']} {position['symbol']}{_worth(position)}" for position in books["positions"]]
    more = ["Smaller ones are on the portfolio's page."] if books["has_more"] else []
    held = "\n".join(["You hold:", *lines, *more]) if lines else f"You hold no {symbol or 'positions'}."
    return f"{held}\n{_cash_line(books)}"


def _cash(intent: Intent, ask: Ask) -> str:
    books = _result(ask("get_portfolio", symbol=""))
    return f"Sorry, {books['message']}." if "error" in books else _cash_line(books)


def _own_performance(intent: Intent, ask: Ask) -> str:
    if intent.days:
        return _gained(_result(ask("get_performance", days=intent.days)))
    books = _result(ask("get_portfolio", symbol=intent.symbol))
    if "error" in books:
        return f"Sorry, {books['message']}."
    told = []
    if books["positions"]:
        made = _signed(Decimal(books["pnl_usd"]))
        told = [f"Your open positions have made {made}, with what was realised of them:"]
        told += [f"- {position['symbol']}: {_signed(Decimal(position['pnl_usd']))}" for position in books["positions"]]
    if closed := Decimal(books["closed_pnl_usd"]):
        of = f" of {intent.symbol}" if intent.symbol else ""
        told.append(f"What you have closed{of} made {_signed(closed)}.")
    none = f"You hold no {intent.symbol or 'positions'}, so there is nothing to measure."
    return "\n".join([*(told or [none]), _cash_line(books)])


def _gained(account: Mapping[str, Any]) -> str:
    if "error" in account:
        return f"Sorry, {account['message']}."
    if account["gain_usd"] is None:
        return "I cannot say what your account is worth: something that you hold has no price at the moment."
    share = f" ({Decimal(account['gain_pct']):+} %)" if account["gain_pct"] is not None else ""
    then, paid_in = Decimal(account["equity_then_usd"]), Decimal(account["paid_in_usd"])
    was = f"it was worth {_usd(then)} then" if then else "it was opened then"
    paid = f", {_usd(paid_in)} were paid in" if paid_in else ""
    made = _signed(Decimal(account["gain_usd"]))
    return (
        f"Since {account['since']} your account has made {made}{share}: "
        f"{was}{paid}, and it is worth {_usd(account['equity_usd'])} now."
    )


def _worth(position: Mapping[str, Any]) -> str:
    if position["market_value_usd"] is None:
        return ", no price at the moment"
    return (
        f", bought at {_usd(position['avg_cost_usd'])}, now {_usd(position['price_usd'])} ({position['source']}): "
        f"{_usd(position['market_value_usd'])}, {_signed(Decimal(position['unrealized_pnl_usd']))}"
    )


def _cash_line(books: Mapping[str, Any]) -> str:
    equity = "" if books["equity_usd"] in (None, "None") else f" Equity: {_usd(books['equity_usd'])}."
    reserved = (
        f", of which {_usd(books['reserved_usd'])} is reserved for open orders"
        if Decimal(books["reserved_usd"])
        else ""
    )
    return f"Cash: {_usd(books['cash_usd'])}{reserved}.{equity}"


# --- the database agent's part


def _orders(intent: Intent, ask: Ask) -> str:
    wanted = {"status": intent.status, "symbol": intent.symbol, "side": intent.side, "days": intent.days}
    found = _result(ask("list_orders", **wanted, limit=MOST_LISTED))
    if "error" in found:
        return f"Sorry, {found['message']}."
    if not found["orders"]:
        return f"You have no such orders{_since(found)}." if any(wanted.values()) else "You have no orders yet."
    refused = any(order["status"] in ("declined", "rejected") for order in found["orders"])
    where = "\nWho declined or rejected an order, and why, stands on its page." if refused else ""
    return f"{_listed('orders', found, map(_order_row, found['orders']))}{where}"


def _executions(intent: Intent, ask: Ask) -> str:
    wanted = {"symbol": intent.symbol, "side": intent.side, "days": intent.days}
    found = _result(ask("list_executions", **wanted, limit=MOST_LISTED))
    if "error" in found:
        return f"Sorry, {found['message']}."
    if not found["executions"]:
        return f"You have no such fills{_since(found)}." if any(wanted.values()) else "You have no fills yet."
    rows = (
        f"{fill['executed_at'][:10]} {fill['side']} {fill['quantity']} {fill['symbol']} at {_usd(fill['price_usd'])}"
        for fill in found["executions"]
    )
    return _listed("fills", found, rows)


def _listed(what: str, found: Mapping[str, Any], rows: Iterable[str]) -> str:
    more = ["Older ones are on the desk's pages."] if found["has_more"] else []
    return "\n".join([f"Your {what}{_since(found)}, newest first:", *(f"- {row}" for row in rows), *more])


def _since(found: Mapping[str, Any]) -> str:
    return f" since {found['since']}" if found["since"] else ""


def _order_row(order: Mapping[str, Any]) -> str:
    at = f" at {_usd(order['avg_px'])}" if order["avg_px"] else ""
    by = f", approved by {' and '.join(order['approved_by'])}" if order["approved_by"] else ""
    status = order["status"].replace("_", " ")
    if status == "denied" and (reasons := [denial["why"] for denial in order["denied"]]):
        status = f"denied, {reasons[0]}{f' and {len(reasons) - 1} more' if len(reasons) > 1 else ''}"
    return f"{_terms(order)}: {status}{at}{by} (order {order['order_id']} of {order['created_at'][:10]})"


def _order_line(order: Mapping[str, Any]) -> str:
    if "error" in order:
        return f"No order was made: {order['message']}."
    if order["status"] == "denied":
        reasons = "; ".join(denial["why"] for denial in order["denied"])
        return f"Denied: {_terms(order)}. Why: {reasons}."
    about = f", about {_usd(order['estimated_usd'])}" if order["estimated_usd"] else ""
    return f"Proposed: {_terms(order)}{about}. It now waits for a second person's approval (order {order['order_id']})."


def _terms(order: Mapping[str, Any]) -> str:
    limit = f" limit {_usd(order['limit_price'])}" if order["limit_price"] else ""
    kind = limit or (" at market" if order["order_type"] == "market" else f" {order['order_type'].replace('_', ' ')}")
    until = "" if order["time_in_force"] == "day" else f" {order['time_in_force']}"
    return f"{order['side']} {order['quantity']} {order['symbol']}{kind}{until}"


def _result(text: str) -> dict[str, Any]:
    """A tool's JSON. A result that is none, such as a message about its arguments, is an error to be told."""
    try:
        value = json.loads(text)
    except ValueError:
        return {"error": "unreadable", "message": text[:200]}
    return value if isinstance(value, dict) else {"error": "unreadable", "message": text[:200]}


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    return json.dumps([name, arguments], sort_keys=True)


def _usd(amount: str | Decimal) -> str:
    return _signed(Decimal(amount)).removeprefix("+")


def _signed(amount: Decimal) -> str:
    return f"{'-' if amount < 0 else '+'}${abs(amount):,.2f}"


RESEARCH: Mapping[Kind, Handler] = MappingProxyType(
    {
        Kind.QUOTE: _quote,
        Kind.RESEARCH: _research,
        Kind.COMPARE: _compare,
        Kind.PERFORMANCE: _performance,
        Kind.NEWS: _news,
    }
)
PORTFOLIO: Mapping[Kind, Handler] = MappingProxyType(
    {
        Kind.TRADE: _trade,
        Kind.WITHDRAW: _take_back,
        Kind.HOLDINGS: _holdings,
        Kind.CASH: _cash,
        Kind.PERFORMANCE: _own_performance,
    }
)
DATABASE: Mapping[Kind, Handler] = MappingProxyType({Kind.ORDERS: _orders, Kind.EXECUTIONS: _executions})

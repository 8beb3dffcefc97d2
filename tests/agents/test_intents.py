import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.intents import COURTESY, Intent, Kind, read
from agents.intents.patterns import words

UTTERANCES = [
    json.loads(line) for line in Path(__file__).with_name("utterances.jsonl").read_text(encoding="utf-8").splitlines()
]
PLAIN, MISLEADING = (
    Path(__file__).with_name(f"{name}.txt").read_text(encoding="utf-8").splitlines() for name in ("plain", "misleading")
)
PASS_MARK = Decimal("0.95")


def wanted(fields: dict[str, Any]) -> Intent:
    """The whole intent a line of the file stands for: what it leaves out must be empty."""
    typed = {**fields, "kind": Kind(fields["kind"]), "words": ""}
    for name in ("fraction", "amount_usd"):
        typed[name] = Decimal(fields[name]) if name in fields else None
    typed["symbols"] = tuple(fields.get("symbols", ()))
    return Intent(**typed)


def understood(text: str) -> list[dict[str, Any]]:
    return [{**asdict(intent), "words": ""} for intent in read(text)]


def kinds(text: str) -> list[Kind]:
    return [intent.kind for intent in read(text)]


def only(text: str) -> Intent:
    (intent,) = read(text)
    return intent


@pytest.mark.parametrize("group", ["dev", "held_out"])
def test_at_least_19_in_20_utterances_are_read_exactly_right(group: str) -> None:
    lines = [line for line in UTTERANCES if line["set"] == group]
    wrong = [
        f"{line['text']!r}: {understood(line['text'])}"
        for line in lines
        if understood(line["text"]) != [asdict(wanted(fields)) for fields in line["intents"]]
    ]
    print(f"{group}: {len(lines) - len(wrong)} of {len(lines)}", *wrong, sep="\n")
    assert Decimal(len(wrong)) <= len(lines) * (1 - PASS_MARK), "\n".join(wrong)


def test_each_group_has_enough_utterances() -> None:
    groups = [line["set"] for line in UTTERANCES]
    assert groups.count("dev") + groups.count("held_out") >= 160
    assert groups.count("held_out") == 40


@pytest.mark.parametrize(
    "text",
    [
        "should I buy Tesla?",
        "Should I buy Tesla, sell Apple, or hold?",
        "did you buy Apple and sell Tesla",
        "what happens if I sell 5 Apple",
        "If I sell Tesla and buy Apple, what happens?",
        "when did I buy Apple",
        "why did you sell 10 Tesla",
        "Buy Apple?",
        "buy or sell Tesla?",
        "I was wondering whether to buy 10 Apple and sell 5 Tesla",
    ],
)
def test_a_question_about_trading_is_no_order(text: str) -> None:
    assert Kind.TRADE not in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "don't buy Apple",
        "don\u2019t buy 10 Apple",
        "do not sell anything",
        "never sell my Tesla",
        "don't buy apple and sell tesla",
        "Do not sell Tesla and buy 5 Apple",
        "my friend said to buy 10 Apple, sell 5 Tesla",
    ],
)
def test_a_negation_or_a_report_is_no_order(text: str) -> None:
    assert kinds(text) == [Kind.UNKNOWN]


@pytest.mark.parametrize(
    "text",
    [
        "sell everything except Apple",
        "sell all but 5 Apple",
        "sell Tesla if it drops to 150",
        "buy 10 Apple if it rises to 300",
        "buy 10 Apple if earnings are good",
        "buy 10 Apple 5% below market",
        "buy 10 Apple 180",
        "buy 10 Apple at one hundred eighty",
        "reduce my Apple to 5 shares",
        "buy 500\u20ac of Apple",
        "buy \u00a3500 of Apple",
        "buy 5 Apple or sell 5 Tesla",
    ],
)
def test_an_order_that_cannot_be_expressed_is_asked_again_and_not_made_simpler(text: str) -> None:
    assert all(intent.kind is Kind.UNKNOWN or (intent.kind is Kind.TRADE and intent.doubt) for intent in read(text))


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_order_leaves_no_doubt(text: str) -> None:
    orders = [intent for intent in read(text) if intent.kind not in COURTESY]
    assert orders
    for order in orders:
        assert (order.kind, order.doubt, order.company) == (Kind.TRADE, "", "")
        assert order.symbol
        assert order.quantity or order.fraction or order.amount_usd


@pytest.mark.parametrize("text", MISLEADING)
def test_what_only_looks_like_an_order_or_a_withdrawal_is_none(text: str) -> None:
    """Each was once taken for one: of the other side, another size or price, somebody else's, or taken back."""
    for intent in read(text.replace("\u23ce", "\n")):
        assert intent.kind not in {Kind.TRADE, Kind.WITHDRAW} or intent.doubt or intent.company


@pytest.mark.parametrize("text", ["buy 10 KO limit", "buy 10 KO lmt", "lim buy 10 KO"])
def test_a_limit_without_its_price_is_no_market_order(text: str) -> None:
    assert all(intent.order_type == "limit" or intent.kind is not Kind.TRADE for intent in read(text))


def test_one_doubtful_order_stops_those_beside_it() -> None:
    first, second = read("buy 10 AAPL and sell all MSFT but keep 5")
    assert first.doubt == second.doubt == "what 'but keep' means"


def test_a_withdrawal_says_which() -> None:
    assert only("cancel the buy").side == "buy"
    assert only("cancel my sell order for MSFT").side == "sell"
    assert only("cancel all my orders").fraction == 1
    assert only("cancel PEP").symbol == "PEP"
    assert not only("cancel my last order").doubt
    assert all(only(text).doubt for text in ("cancel both", "cancel the first one", "cancel KO and PEP"))


def test_a_part_that_completes_an_order_is_not_lost() -> None:
    assert only("buy 10 AAPL. Limit 180.").limit_price == "180"
    assert only("buy 10 Apple, add limit 180").limit_price == "180"


def test_buying_instead_of_the_number_before_takes_the_new_number_and_invents_no_symbol() -> None:
    intent = only("Ignore the previous order and buy 5 instead of 15")
    assert (intent.side, intent.quantity, intent.symbol, intent.company) == ("buy", "5", "", "")


@pytest.mark.parametrize(
    ("text", "company"),
    [
        ("buy 10 Snapple", "Snapple"),
        ("buy 10 shares of XYZQ at market", "XYZQ"),
        ("buy 10 \u0391APL", "\u0391APL"),
        ("buy 10 Snapple using Apple Pay", "Snapple"),
        ("buy 10 Snapple and Apple", "Snapple"),
        ("buy 10 metal", "metal"),
        ("buy 10 GOOG", "GOOG"),
    ],
)
def test_an_unknown_company_keeps_its_own_name(text: str, company: str) -> None:
    intent = only(text)
    assert (intent.kind, intent.symbol, intent.company) == (Kind.TRADE, "", company)


def test_a_choice_is_left_to_the_person() -> None:
    assert only("buy 10 Apple or Microsoft").symbol == ""
    assert only("buy 10 or 20 Apple").quantity == ""
    assert only("buy 10-15 Apple").quantity == ""


def test_only_each_gives_the_second_instrument_a_quantity() -> None:
    assert [intent.quantity for intent in read("buy 10 Apple and Microsoft")] == ["10", ""]
    assert [intent.quantity for intent in read("buy Apple and Microsoft, 10 each")] == ["10", "10"]


def test_a_comma_before_the_number_does_not_make_two_orders() -> None:
    intent = only("Purchase Visa, 7 shares, limit 300, good til cancelled")
    assert (intent.symbol, intent.quantity, intent.limit_price, intent.time_in_force) == (
        "V",
        "7",
        "300",
        "gtc",
    )


def test_a_limit_belongs_to_its_own_item() -> None:
    assert [intent.order_type for intent in read("buy 10 AAPL limit 180 and 5 MSFT")] == ["limit", "market"]


def test_orders_keep_the_words_they_were_read_from() -> None:
    assert [intent.words for intent in read("Please buy 10 Apple and SELL 5 Microsoft")] == [
        "Please buy 10 Apple",
        "SELL 5 Microsoft",
    ]


@pytest.mark.parametrize("text", ["close the window", "close", "get me a coffee", "take it easy", "add a note", ""])
def test_small_talk_is_no_order(text: str) -> None:
    assert kinds(text) == [Kind.UNKNOWN]


def test_an_order_id_is_read_from_a_withdrawal() -> None:
    order_id = "3f2b8c1e-0d4a-4c6b-9e57-1a2b3c4d5e6f"
    assert only(f"withdraw order {order_id.upper()} please").order_id == order_id


@pytest.mark.parametrize(
    "text",
    [
        *(
            "9" * 5000,
            "buy " + "9" * 5000 + " Apple",
            "buy " * 2000,
            "a " * 3000,
            "$" * 5000,
            "buy 10 Apple and " * 500,
        ),
        *(
            "don't buy and " * 500,
            "if it drops to " * 500,
            "twenty " * 1000,
            "one hundred and " * 500,
            "(" * 5000,
        ),
        *(
            "please could you " * 500,
            "not more than " * 500,
            "Apple, " * 1000,
            "buy 1" + ",000" * 900 + " AAPL",
        ),
        *(
            "\n" * 5000,
            ". " * 3000,
            "how " * 1200,
            "my order " * 600,
            "\u0130\u0131\u017f\u212a" * 1000,
            "e" * 5000,
        ),
        *(
            "cancel " * 700,
            "buy 1e9999 Apple",
            "buy 1e99999999999 Apple",
            "invest 1e9999 in Apple",
            "x1" * 1500,
        ),
    ],
)
def test_a_hostile_text_is_read_quickly(text: str) -> None:
    start = process_time()
    assert read(text)
    assert process_time() - start < 1


PIECES = st.sampled_from(
    words(
        "buy sell 10 -5 1e308 half all a third of my Apple MSFT $500 $ % at limit 180 if it drops to and or , . ? don't"
        " cancel order dozen couple hundred thousand k each gtc Snapple not instead last 30 days one two point 1/0 1/2"
        " \u0391APL \u017fix \u212a \u0130 invest in dollars worth no more than minus"
    )
)


@given(st.one_of(st.text(), st.lists(PIECES, max_size=25).map(" ".join)))
def test_reading_never_raises_and_is_never_empty(text: str) -> None:
    intents = read(text)
    assert intents
    assert all(intent.kind in Kind and intent.side in {"", "buy", "sell"} for intent in intents)


@given(st.lists(PIECES, max_size=25).map(" ".join))
def test_no_symbol_or_number_is_invented(text: str) -> None:
    for intent in read(text):
        assert intent.symbol in {"", "AAPL", "MSFT"}
        assert not intent.quantity or intent.kind is Kind.TRADE
        assert not intent.company or intent.company in " ".join(text.split())

from dataclasses import FrozenInstanceError
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.instruments import ALL, Instrument, find, mentions, resolve


def named(text: str) -> list[str]:
    return [mention.instrument.symbol for mention in mentions(text)]


def test_the_reference_holds_large_companies_with_plausible_prices() -> None:
    assert len(ALL) >= 42
    assert all(symbol == instrument.symbol for symbol, instrument in ALL.items())
    assert all(Decimal(5) < instrument.reference_price_usd < Decimal(2000) for instrument in ALL.values())
    assert all(instrument.currency == "USD" and instrument.lot_size == 1 for instrument in ALL.values())


def test_the_reference_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        ALL["AAPL"] = ALL["MSFT"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        ALL["AAPL"].symbol = "X"  # type: ignore[misc]


def test_no_two_instruments_share_a_name() -> None:
    aliases = [alias for instrument in ALL.values() for alias in instrument.aliases]
    assert len(aliases) == len(set(aliases))
    assert all(alias == alias.lower() for alias in aliases)


@pytest.mark.parametrize("instrument", ALL.values(), ids=lambda one: one.symbol)
def test_every_instrument_is_resolved_and_mentioned_by_each_of_its_names(instrument: Instrument) -> None:
    for name in (instrument.symbol, instrument.name, *instrument.aliases):
        assert resolve(name) is instrument
    for name in (f"${instrument.symbol}", instrument.name, *instrument.aliases):
        assert named(f"the {name}, I think") == [instrument.symbol]


@pytest.mark.parametrize("written", ["BRK.B", "brk-b", "BRK/B", "$BRK.B", " brk.b "])
def test_a_share_class_may_be_written_in_any_usual_way(written: str) -> None:
    assert find(written) is ALL["BRK.B"]


@pytest.mark.parametrize(
    "written",
    [
        "\u0391APL",
        "AAP\uff2c",
        "\uff21\uff21\uff30\uff2c",
        "AAPLE",
        "GOOG",
        "BRK.A",
        "",
        "$",
        "$$AAPL",
        "A APL",
    ],
)
def test_what_only_looks_like_a_ticker_is_nobodys(written: str) -> None:
    assert find(written) is None
    assert resolve(written) is None


@pytest.mark.parametrize(
    ("company", "symbol"),
    [
        ("Apple", "AAPL"),
        ("META", "META"),
        ("Meta", "META"),
        ("Tesla Inc", "TSLA"),
        ("McDonald\u2019s", "MCD"),
    ],
)
def test_a_company_is_resolved_by_its_whole_name(company: str, symbol: str) -> None:
    assert resolve(company) is ALL[symbol]


@pytest.mark.parametrize("company", ["Snapple", "metal", "apple pie", "Pineapple", "Johnson", "ni\u212ae", "App"])
def test_a_similar_name_is_another_company(company: str) -> None:
    assert resolve(company) is None
    assert named(f"buy 10 {company}") == []


@pytest.mark.parametrize(
    ("text", "symbols"),
    [
        ("Apple, microsoft and $TSLA", ["AAPL", "MSFT", "TSLA"]),
        ("Apple's margins against Bank of America", ["AAPL", "BAC"]),
        ("coca-cola or P&G or AT&T", ["KO", "PG", "T"]),
        ("buy 10 BRK.B and brk-b", ["BRK.B", "BRK.B"]),
        ("CAT and KO look cheap", ["CAT", "KO"]),
        ("my cat will cost a lot, ma", []),
        ("BUY 10 CAT AND 5 KO", ["CAT", "KO"]),
        ("THE CAT DID COST A LOT", []),
        ("10 shares of F", ["F"]),
        ("buy 5 T", ["T"]),
        ("quote V", ["V"]),
        ("compare MA and V", ["MA", "V"]),
        ("sell my F shares", ["F"]),
        ("$F and $V", ["F", "V"]),
        ("Give it a T and an F, V day", []),
        ("I don't", []),
        ("5 T-shirts", []),
        ("10 T bills", []),
        ("apple pie, apple juice, a travel visa, which i can afford", []),
        ("SnapplePie metal Francisco", []),
        ("AAPL.L is a London line", []),
        ("GE Vernova is another company than GE", ["GE"]),
        ("Berkshire Hathaway class A", []),
        ("\u0391META m\u0435ta META\u0301", []),
    ],
)
def test_mentions_are_whole_words_in_order(text: str, symbols: list[str]) -> None:
    assert named(text) == symbols


@given(st.text())
def test_a_mention_points_into_the_text(text: str) -> None:
    for mention in mentions(text + " Apple " + text):
        assert 0 <= mention.start < mention.end <= len(text) * 2 + 7

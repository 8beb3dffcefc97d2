import pytest

from agents.grounding import is_grounded

ORDER = {"symbol": "AAPL", "side": "buy", "quantity": "10", "limit_price": "", "stop_price": ""}


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("Buy 10 shares of Apple", {}),
        ("please buy ten AAPL", {}),
        ("buy 10 apple limit 200", {"limit_price": "200.00"}),
        ("buy 3 Tesla and 10 Apple", {}),
        ("buy $2,000 of Apple", {"quantity": "8"}),
        ("sell half of my Apple", {"side": "sell", "quantity": "5"}),
    ],
)
def test_what_was_said_is_grounded(words: str, changes: dict[str, str]) -> None:
    assert is_grounded(words, facts="", **{**ORDER, **changes})


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("Summarise the news on Apple", {}),
        ("Buy 10 shares of Apple", {"quantity": "100"}),
        ("Buy 10 shares of Apple", {"symbol": "MSFT"}),
        ("Buy 10 shares of Apple", {"side": "sell"}),
        ("Buy 10 shares of Apple", {"limit_price": "900"}),
        ("Buy 10 shares of Apple", {"stop_price": "900"}),
        ("don't buy 10 Apple", {}),
        ("should I buy 10 Apple?", {}),
        ("buy 3 Apple and 10 Tesla", {}),
        ("", {}),
    ],
)
def test_what_was_not_said_is_not(words: str, changes: dict[str, str]) -> None:
    assert not is_grounded(words, facts="", **{**ORDER, **changes})

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import codes, risk
from orders.codes import Code, Phase
from orders.risk import Facts, Proposal

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BUY = Proposal(symbol="AAPL", side="buy", quantity=Decimal(10))


def test_with_no_facts_at_all_nothing_passes_but_what_needs_none() -> None:
    for phase in Phase:
        passed = {check.code for check in risk.assess(BUY, Facts(at=NOON, limits=None), phase=phase) if check.passed}
        assert passed <= {Code.INVALID_PRICE, Code.PRICE_COLLAR, Code.INSUFFICIENT_POSITION}


def test_a_rule_that_breaks_stops_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(proposal: Proposal, facts: Facts) -> risk.Measure:
        raise ZeroDivisionError

    monkeypatch.setattr(risk, "RULES", (risk.Rule(code=Code.TRADING_HALTED, phases="P", measure=broken),))
    (check,) = risk.assess(BUY, Facts(at=NOON, limits=None), phase=Phase.PROPOSAL)
    assert not check.passed


def test_every_code_has_a_meaning() -> None:
    assert set(codes.MEANING) == set(Code)


@given(st.text(max_size=40))
def test_a_number_is_read_or_not_but_never_breaks(text: str) -> None:
    value = risk.number(text)
    assert value is None or (value.is_finite() and abs(value) < Decimal(10) ** 12)


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6))
def test_a_plain_decimal_is_read_exactly(value: Decimal) -> None:
    assert risk.number(f"{value:f}") == value

"""The short form of `python -m tests.performance.lists`: no list counts its table, and each takes few queries."""

from typing import Any

import pytest

from tests.performance import filling, lists


@pytest.fixture
def past(db: None, settings: Any) -> None:
    settings.RATE_LIMIT = "100000/min"
    filling.fill(events=1_500, orders=300)


def test_no_list_counts_its_table_and_each_takes_few_queries(past: None) -> None:
    found = {case.name: lists.asked(case) for case in lists.cases()}

    assert {name for name, seen in found.items() if seen["table_counts"]} == set()
    assert {name for name, seen in found.items() if name.startswith("API") and seen["queries"] > 8} == set()
    assert {name for name, seen in found.items() if name != "home" and seen["queries"] > 30} == set()


def test_the_stock_lists_do_count(past: None) -> None:
    next(lists.cases())  # makes the people

    assert lists.asked(next(lists.stock()))["table_counts"] >= 1

"""Words that lean on what was said before."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents import followups, services
from agents.intents import Kind
from orders.models import Order, Status

NEW = "11111111-1111-1111-1111-111111111111"


@pytest.mark.parametrize(
    ("words", "quantity"),
    [
        ("make it 5", "5"),
        ("Make that 1,500 please", "1500"),
        ("actually, change it to twenty", "20"),
        ("no wait, make it 3 shares instead", "3"),
        ("set the quantity to 12", "12"),
        ("I meant 7", "7"),
        ("make it snappy", ""),
        ("make it so", ""),
        ("buy 5 AAPL", ""),
        ("make it 5 AAPL and sell everything", ""),
        ("change it", ""),
    ],
)
def test_a_change_of_the_number_is_read(words: str, quantity: str) -> None:
    assert followups.changed_quantity(words) == quantity


@pytest.mark.parametrize(
    ("words", "earlier", "kind", "symbol"),
    [
        ("and Microsoft?", ["AAPL?"], Kind.QUOTE, "MSFT"),
        ("what about Tesla", ["research Nvidia"], Kind.RESEARCH, "TSLA"),
        ("and Microsoft?", ["AAPL?", "and Tesla?"], Kind.QUOTE, "MSFT"),
        ("same for AMZN please", ["how did Tesla do this month"], Kind.PERFORMANCE, "AMZN"),
        ("and Microsoft?", ["buy 10 shares of Apple"], Kind.TRADE, "MSFT"),
    ],
)
def test_the_last_question_is_asked_again_of_another_company(
    words: str, earlier: list[str], kind: Kind, symbol: str
) -> None:
    again = followups.same_again(words, earlier)
    assert again is not None
    assert (again.kind, again.symbol, again.quantity) == (kind, symbol, "")


@pytest.mark.parametrize(
    ("words", "earlier"), [("and Microsoft?", []), ("and then what", ["AAPL?"]), ("and sell all of it now", ["AAPL?"])]
)
def test_what_is_no_follow_up_is_none(words: str, earlier: list[str]) -> None:
    assert followups.same_again(words, earlier) is None


def talk(ann: User, *messages: str) -> list[services.Answer]:
    answers: list[services.Answer] = []
    for message in messages:
        thread_id = answers[-1].thread_id if answers else None
        answers.append(services.process_chat_request(by=ann, message=message, thread_id=thread_id, at=timezone.now()))
    return answers


@pytest.mark.django_db(transaction=True)
def test_make_it_5_withdraws_and_proposes_anew_in_the_person_s_own_words(ann: User) -> None:
    first, second = talk(ann, "Buy 10 shares of Apple limit 150", "make it 5")
    old, new = first.orders[0], second.orders[0]
    assert Order.objects.get(pk=old.pk).status == Status.WITHDRAWN
    assert (new.symbol, new.side, new.quantity, new.limit_price) == ("AAPL", "buy", Decimal(5), Decimal(150))
    assert new.status == Status.PENDING_APPROVAL
    assert not new.is_tainted
    assert "Withdrawn" in second.response
    assert "Proposed" in second.response


@pytest.mark.django_db(transaction=True)
def test_there_is_nothing_to_make_5_without_an_order(ann: User) -> None:
    hello, change = talk(ann, "hi", "make it 5")
    assert not hello.orders
    assert not change.orders
    assert "no order in this conversation" in change.response


@pytest.mark.django_db(transaction=True)
def test_a_conversation_leans_on_what_it_said(ann: User) -> None:
    _, microsoft, _, more, gone = talk(
        ann, "AAPL?", "and Microsoft?", "buy 3 shares of Apple", "and Microsoft?", "cancel that"
    )
    assert "MSFT" in microsoft.response
    assert not more.orders
    assert "How many shares of MSFT" in more.response
    assert "Withdrawn" in gone.response
    assert Order.objects.get().status == Status.WITHDRAWN

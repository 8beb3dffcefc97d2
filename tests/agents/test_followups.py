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
    _, microsoft, _, more, none, gone = talk(
        ann,
        "AAPL?",
        "and Microsoft?",
        "buy 3 shares of Apple",
        "and Microsoft?",
        "cancel that",
        "cancel the AAPL order",
    )
    assert "MSFT" in microsoft.response
    assert not more.orders
    assert "How many shares of MSFT" in more.response
    assert "nothing to take back in what I said last" in none.response
    assert "buy 3 AAPL still stands" in none.response
    assert "Withdrawn" in gone.response
    assert Order.objects.get().status == Status.WITHDRAWN


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "words", "said"),
    [
        ("buy KO", "10", ("buy", "KO", 10)),
        ("buy KO.", "10 please", ("buy", "KO", 10)),
        ("buy 10", "coke", ("buy", "KO", 10)),
        ("buy 10 KO limit", "50", ("buy", "KO", 10)),
    ],
)
def test_an_answer_completes_the_order_in_the_person_s_own_words(
    ann: User, before: str, words: str, said: tuple[str, str, int]
) -> None:
    question, answer = talk(ann, before, words)
    assert question.response.endswith(followups.ASKING)
    (order,) = answer.orders
    assert (order.side, order.symbol, order.quantity) == said
    assert not order.is_tainted


@pytest.mark.django_db(transaction=True)
def test_a_number_out_of_the_blue_is_no_order(ann: User) -> None:
    for words in (["KO?", "10"], ["buy 3 KO", "10"], ["buy KO", "what is it worth?"], ["buy KO", "no"]):
        assert not talk(ann, *words)[-1].orders


@pytest.mark.django_db(transaction=True)
def test_a_changed_number_keeps_all_else(ann: User) -> None:
    _, changed = talk(ann, "buy 20 KO limit 53 gtc", "make it 10")
    (order,) = changed.orders
    assert (order.quantity, order.limit_price, order.time_in_force) == (10, 53, "gtc")
    assert not order.is_tainted


@pytest.mark.django_db(transaction=True)
def test_a_change_to_nothing_leaves_the_order_alone(ann: User) -> None:
    first, second = talk(ann, "buy 20 KO", "make it 0")
    assert "left as it is" in second.response
    assert Order.objects.get(pk=first.orders[0].pk).status == Status.PENDING_APPROVAL


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("words", ["no", "stop", "I meant PEP", "double it"])
def test_whoever_may_think_that_it_is_off_is_told_that_it_stands(ann: User, words: str) -> None:
    first, second = talk(ann, "buy 20 KO", words)
    assert "still stands" in second.response
    assert Order.objects.get(pk=first.orders[0].pk).status == Status.PENDING_APPROVAL


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_takes_the_order_that_was_named(ann: User) -> None:
    bought, sold, _, _ = talk(ann, "buy 3 KO", "buy 4 PEP", "cancel the KO order", "cancel the order for 4 KO")
    assert Order.objects.get(pk=bought.orders[0].pk).status == Status.WITHDRAWN
    assert Order.objects.get(pk=sold.orders[0].pk).status == Status.PENDING_APPROVAL


@pytest.mark.django_db(transaction=True)
def test_all_are_withdrawn_from_every_conversation(ann: User) -> None:
    talk(ann, "buy 3 KO")
    *_, gone = talk(ann, "buy 4 PEP", "cancel all my orders")
    assert gone.response.count("Withdrawn") == 2
    assert set(Order.objects.values_list("status", flat=True)) == {Status.WITHDRAWN}


@pytest.mark.django_db(transaction=True)
def test_a_question_without_its_company_is_asked_back(ann: User) -> None:
    assert "Which company" in talk(ann, "stock price?")[0].response
    assert "Which two companies" in talk(ann, "compare")[0].response
    assert "'foo'" in talk(ann, "compare tesla with foo")[0].response
    assert {"KO", "PEP"} <= set(talk(ann, "quote KO and PEP")[0].response.replace("(", " ").replace(")", " ").split())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("words", ["cancel all my sell orders", "cancel all sells"])
def test_all_of_a_side_are_withdrawn_and_no_other(ann: User, words: str) -> None:
    bought, _ = talk(ann, "buy 4 PEP", words)
    assert Order.objects.get(pk=bought.orders[0].pk).status == Status.PENDING_APPROVAL


@pytest.mark.django_db(transaction=True)
def test_a_number_near_the_limit_is_asked_about(ann: User) -> None:
    _, asked, changed = talk(ann, "buy 20 KO limit 53", "make it 52", "make it 52 shares")
    assert "the number of shares or the limit" in asked.response
    assert not asked.orders
    assert [order.quantity for order in changed.orders] == [52]


@pytest.mark.django_db(transaction=True)
def test_a_doubt_names_what_is_unclear_and_needs_no_source(ann: User) -> None:
    (answer,) = talk(ann, "sell all KO but keep 5")
    assert "what 'but keep' means" in answer.response
    assert "No source" not in answer.response
    assert not answer.orders


@pytest.mark.django_db(transaction=True)
def test_a_withdrawal_that_is_taken_back_withdraws_nothing(ann: User) -> None:
    (bought,) = talk(ann, "buy 4 PEP")
    order_id = bought.orders[0].pk
    for words in (f"cancel order {order_id}. No, keep it.", "cancel all my orders. Hold on.", "cancel it tomorrow"):
        assert "Nothing was withdrawn" in talk(ann, words)[0].response
    assert Order.objects.get(pk=order_id).status == Status.PENDING_APPROVAL
    assert "no open sell KO order" in talk(ann, "cancel my KO sell order")[0].response


@pytest.mark.parametrize("before", ["buy 10 KO", "sell all KO but keep 5", "KO?", "hi", ""])
def test_what_lacks_nothing_is_not_completed(before: str) -> None:
    """Else "thanks" would make an order that was taken the person's own words once more."""
    assert followups.completed(before, "thanks") == ""


def test_what_lacks_its_number_is_completed_by_it() -> None:
    assert followups.completed("buy KO.", "10") == "buy KO 10"

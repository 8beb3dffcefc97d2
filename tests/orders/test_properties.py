"""Properties of orders, tried on many. `CAMPAIGN=long` tries as many as docs/figures.md reports."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from compliance.models import ComplianceEvent
from nextrade.errors import NexTradeError
from orders import books, brokers, execution, payload, safeguards, services
from orders.brokers.base import Ticket
from orders.brokers.paper import Fault
from orders.models import OPEN, Account, Approval, Execution, Order, Outbox, PaperOrder, Status
from tests.conftest import NOON
from tests.fakes import WatchedBroker

LONG = os.environ.get("CAMPAIGN") == "long"
HASHES = 10_000 if LONG else 100
WALKS = int(os.environ.get("WALKS", "5000" if LONG else "15"))
STEPS = 50
SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck), database=None)
PRICES = st.decimals(min_value=1, max_value=500, places=2)


@contextmanager
def rolled_back() -> Iterator[None]:
    """One example's changes, undone at its end; services may open durable transactions within, as in Django's
    TestCase."""
    atomic = transaction.atomic()
    atomic._from_testcase = True  # type: ignore[attr-defined]
    with atomic:
        yield
        transaction.set_rollback(True)


def ticket_sha256(order: Order, ticket: Ticket) -> str:
    """The hash of what was sent, reckoned from the ticket alone."""
    sent = Order(account_id=order.account_id, **{name: getattr(ticket, name) for name in SENT})
    return payload.sha256(sent)


SENT = ("client_order_id", "symbol", "side", "quantity", "order_type", "limit_price", "stop_price", "time_in_force")


@pytest.mark.django_db
def test_what_is_shown_is_what_is_approved_is_what_is_sent(
    ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Ticket] = []

    class Catcher(WatchedBroker):
        def submit(self, ticket: Ticket, *, at: datetime) -> Any:
            sent.append(ticket)
            return super().submit(ticket, at=at)

    monkeypatch.setattr(brokers, "BROKERS", {"paper": Catcher()})

    @settings(SLOW, max_examples=HASHES)
    @given(
        st.sampled_from(["AAPL", "MSFT", "F", "BRK.B"]),
        st.integers(1, 60),
        st.sampled_from(["market", "limit", "stop", "stop_limit"]),
        PRICES,
        PRICES,
        st.sampled_from(["day", "gtc", "ioc", "fok"]),
    )
    def run(symbol: str, quantity: int, kind: str, limit: Decimal, stop: Decimal, tif: str) -> None:
        with rolled_back():
            request = services.Request(
                key=uuid.uuid4().hex,
                symbol=symbol,
                side="buy",
                quantity=f"{quantity}.0",
                order_type=kind,
                limit_price=str(limit),
                stop_price=str(stop),
                time_in_force=tif,
            )
            order = services.propose(request, owner=ann, by="agent:portfolio", at=NOON)
            if order.status != Status.PENDING_APPROVAL:
                return
            shown = payload.sha256(Order.objects.get(pk=order.pk))
            services.approve(order.pk, by=bob, version=order.version, at=NOON)
            execution.execute(order.pk, Outbox.Kind.SUBMIT, at=NOON)
            assert shown == Approval.objects.get(order=order).payload_sha256 == ticket_sha256(order, sent.pop())
            assert shown != ticket_sha256(order, replace(_ticket(order), quantity=order.quantity + 1))

    run()


def _ticket(order: Order) -> Ticket:
    return Ticket(**{name: getattr(order, name) for name in SENT})


class OrderLife(RuleBasedStateMachine):
    """A random walk over the life of orders: people, the clock, the market, the broker's faults, in any order."""

    @initialize()
    def begin(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic._from_testcase = True  # type: ignore[attr-defined]
        self.atomic.__enter__()
        self.people = {name: User.objects.get(username=name) for name in ("ann", "bob", "bea")}
        self.line = WatchedBroker()
        brokers.BROKERS = {"paper": self.line}
        self.at = NOON
        self.ids: list[uuid.UUID] = []

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @rule(
        symbol=st.sampled_from(["AAPL", "F"]),
        side=st.sampled_from(["buy", "sell"]),
        quantity=st.integers(1, 400),
        kind=st.sampled_from(["market", "limit", "stop"]),
        price=PRICES,
        tif=st.sampled_from(["day", "gtc", "ioc", "fok"]),
        is_tainted=st.booleans(),
    )
    def propose(
        self, symbol: str, side: str, quantity: int, kind: str, price: Decimal, tif: str, is_tainted: bool
    ) -> None:
        request = services.Request(
            key=uuid.uuid4().hex,
            symbol=symbol,
            side=side,
            quantity=str(quantity),
            order_type=kind,
            limit_price=str(price),
            stop_price=str(price),
            time_in_force=tif,
            is_tainted=is_tainted,
        )
        order = services.propose(request, owner=self.people["ann"], by="agent:portfolio", at=self.at)
        self.ids.append(order.pk)

    @rule(
        data=st.data(),
        who=st.sampled_from(["ann", "bob", "bea"]),
        behind=st.integers(0, 1),
        reason=st.sampled_from(["", "yes"]),
    )
    def approve(self, data: st.DataObject, who: str, behind: int, reason: str) -> None:
        self._try(
            data,
            lambda order: services.approve(
                order.pk, by=self.people[who], version=order.version - behind, reason=reason, at=self.at
            ),
        )

    @rule(data=st.data(), who=st.sampled_from(["ann", "bob"]))
    def decline(self, data: st.DataObject, who: str) -> None:
        self._try(
            data,
            lambda order: services.decline(
                order.pk, by=self.people[who], version=order.version, reason="no", at=self.at
            ),
        )

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self._try(data, lambda order: services.cancel(order.pk, owner=self.people["ann"], by="user:1", at=self.at))

    @rule(data=st.data(), kind=st.sampled_from(list(Outbox.Kind)))
    def execute(self, data: st.DataObject, kind: Outbox.Kind) -> None:
        self._try(data, lambda order: execution.execute(order.pk, kind, at=self.at))

    @rule(fault=st.sampled_from(list(Fault)))
    def break_the_line(self, fault: Fault) -> None:
        self.line.faults.append(fault)

    @rule()
    def reconcile(self) -> None:
        execution.reconcile(at=self.at)

    @rule(seconds=st.sampled_from([1, 20, 60, 1200, 30_000]))
    def wait(self, seconds: int) -> None:
        self.at += timedelta(seconds=seconds)
        services.expire_stale(at=self.at)

    @rule(is_halted=st.booleans())
    def halt(self, is_halted: bool) -> None:
        if is_halted:
            safeguards.halt(symbol="F", reason="walk", by="user:1", at=self.at)
        else:
            safeguards.resume_trading(symbol="F", reason="walk", by="user:1", at=self.at)

    @invariant()
    def nothing_is_executed_without_enough_approvals_of_other_people(self) -> None:
        for order in Order.objects.filter(client_order_id__in=PaperOrder.objects.values("client_order_id")):
            approvals = Approval.objects.filter(order=order, payload_sha256=order.payload_sha256)
            assert (
                len(set(approvals.exclude(checker=order.maker).values_list("checker", flat=True)))
                >= order.approvals_needed
            )

    @invariant()
    def an_order_is_at_the_broker_once_and_filled_within_its_quantity(self) -> None:
        ours = Order.objects.values("client_order_id")
        assert not PaperOrder.objects.exclude(client_order_id__in=ours).exists()
        assert not self.line.known_again
        executed = Execution.objects.values("order").annotate(total=Sum("quantity"))
        assert not executed.filter(total__gt=F("order__quantity")).exists()

    @invariant()
    def the_books_follow_from_the_fills(self) -> None:
        account = Account.objects.get(owner__username="ann")
        assert books.rebuild(account) == []
        assert account.cash_usd >= 0
        assert not account.positions.filter(quantity__lt=0).exists()

    @invariant()
    def every_move_is_in_the_trail(self) -> None:
        moves = ComplianceEvent.objects.exclude(order_id=None).filter(details__to__isnull=False).count()
        assert moves == (Order.objects.aggregate(moves=Sum("version"))["moves"] or 0)

    @invariant()
    def what_is_over_needs_no_cash(self) -> None:
        done = Order.objects.exclude(status__in=OPEN).exclude(status=Status.PROPOSED)
        assert not done.filter(in_doubt=True).exists()

    def _try(self, data: st.DataObject, act: Any) -> None:
        """Do something to one of the orders; a refusal by name is an answer, a surprise is not."""
        if not self.ids:
            return
        order = Order.objects.get(pk=data.draw(st.sampled_from(self.ids)))
        try:
            act(order)
        except NexTradeError:
            return


@pytest.mark.django_db
def test_a_random_walk_over_the_lives_of_orders_breaks_nothing(
    ann: User, bob: User, bea: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(brokers, "BROKERS", brokers.BROKERS)  # put back whatever the walk leaves there
    assert connection.in_atomic_block
    run_state_machine_as_test(OrderLife, settings=settings(SLOW, max_examples=WALKS, stateful_step_count=STEPS))

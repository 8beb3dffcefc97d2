import itertools
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction

from compliance.models import ComplianceEvent
from orders import transitions, triggers
from orders.models import Event, Order, Status
from orders.transitions import IllegalTransition, StaleOrder
from tests.conftest import NOON, Propose

pytestmark = [pytest.mark.django_db, pytest.mark.owner]


@pytest.mark.parametrize(("status", "event"), [*itertools.product(Status, Event)])
def test_every_status_and_event_moves_by_the_table_or_not_at_all(
    propose: Propose, status: Status, event: Event
) -> None:
    order = propose()
    _without_trigger()
    filled = status == Status.FILLED
    Order.objects.filter(pk=order.pk).update(status=status, cum_qty=Decimal(10) if filled else Decimal(0))
    order.refresh_from_db()
    events = ComplianceEvent.objects.count()
    target = transitions.TABLE.get((status, event))
    changes = {"cum_qty": order.quantity} if event == Event.FILL else {}
    if target is None:
        with pytest.raises(IllegalTransition), transaction.atomic():
            transitions.move(order, event, actor="system:test", at=NOON, changes=changes)
        assert (Order.objects.get(pk=order.pk).status, ComplianceEvent.objects.count()) == (status, events)
    else:
        transitions.move(order, event, actor="system:test", at=NOON, changes=changes)
        moved = Order.objects.get(pk=order.pk)
        assert (moved.status, moved.version) == (target, order.version)
        assert ComplianceEvent.objects.order_by("-id").first().details["to"] == target  # type: ignore[union-attr]


def test_the_second_of_two_movers_is_refused(propose: Propose) -> None:
    order = propose()
    first, second = Order.objects.get(pk=order.pk), Order.objects.get(pk=order.pk)
    transitions.move(first, Event.DECLINE, actor="user:1", at=NOON)
    with pytest.raises(StaleOrder):
        transitions.move(second, Event.APPROVE, actor="user:2", at=NOON)


def _without_trigger() -> None:
    """The state to start from may have no legal way to it. The test's rollback puts the trigger back."""
    on_table = "" if connection.vendor == "sqlite" else " ON orders_order"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # no trigger changes while foreign keys wait to be checked
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"DROP TRIGGER {triggers.NAME}{on_table}")


@pytest.mark.parametrize(("status", "target"), [*itertools.permutations(Status, 2)])
def test_the_database_itself_refuses_a_move_that_is_not_in_the_table(
    propose: Propose, status: Status, target: Status
) -> None:
    order = propose()
    _without_trigger()
    full = {"cum_qty": order.quantity}
    Order.objects.filter(pk=order.pk).update(status=status, **(full if status == Status.FILLED else {}))
    triggers.reinstall()
    is_legal = target in {to for (source, _), to in transitions.TABLE.items() if source == status}
    move = Order.objects.filter(pk=order.pk)
    changes = {"status": target, **(full if target == Status.FILLED else {})}
    if is_legal:
        assert move.update(**changes) == 1
    else:
        with pytest.raises(DatabaseError, match="illegal transition"), transaction.atomic():
            move.update(**changes)


def test_every_event_has_its_action() -> None:
    assert set(transitions.ACTIONS) == set(Event)

"""R4: who may do what to an order in which state. Every cell but the named ones leaves the order as it was, and
nothing is ever executed by a decision alone."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection

from nextrade.errors import NexTradeError
from orders import execution, services, triggers
from orders.models import AT_BROKER, Delegation, Execution, Order, Outbox, Status
from tests.conftest import NOON, Propose

pytestmark = [pytest.mark.django_db, pytest.mark.owner]
ROLES = (
    *("maker", "maker_and_approver", "maker_and_superuser", "other_trader", "approver", "gone_approver"),
    *("superuser", "compliance", "operations", "delegate", "late_delegate", "maker_s_delegate", "nobody"),
)
DECIDERS = {"approver", "superuser", "delegate"}
MAKERS = {"maker", "maker_and_approver", "maker_and_superuser"}
VERBS = ("approve", "decline", "cancel")
MAY_CANCEL = {Status.PENDING_APPROVAL, Status.APPROVED, *AT_BROKER} - {Status.PENDING_CANCEL}


@pytest.fixture
def somebody(ann: User, bob: User) -> Callable[[str], User]:
    """A person in a role towards ann's order."""

    def make(role: str) -> User:
        if role in MAKERS:
            if role == "maker_and_approver":
                ann.groups.add(Group.objects.get(name="Approvers"))
            ann.is_superuser = role == "maker_and_superuser"
            ann.save()
            return User.objects.get(pk=ann.pk)
        groups = {"other_trader": "Traders", "compliance": "Compliance", "operations": "Operations"}
        groups |= dict.fromkeys(("approver", "gone_approver"), "Approvers")
        user = User.objects.create_user(role, is_active=role != "gone_approver", is_superuser=role == "superuser")
        if role in groups:
            user.groups.add(Group.objects.get(name=groups[role]))
        if "delegate" in role:
            _lend(user, bob if role != "maker_s_delegate" else _approving(ann), late=role == "late_delegate")
        return User.objects.get(pk=user.pk)

    return make


def _approving(user: User) -> User:
    user.groups.add(Group.objects.get(name="Approvers"))
    return User.objects.get(pk=user.pk)


def _lend(taker: User, giver: User, *, late: bool) -> None:
    end = NOON - timedelta(hours=1) if late else NOON + timedelta(hours=1)
    Delegation.objects.create(giver=giver, taker=taker, starts_at=NOON - timedelta(days=1), ends_at=end, reason="away")


def act(verb: str, order: Order, by: User) -> None:
    decision: dict[str, Any] = {"by": by, "version": order.version, "reason": "because", "at": NOON}
    if verb == "cancel":
        services.cancel(order.pk, owner=by, by=f"user:{by.pk}", at=NOON)
    else:
        getattr(services, verb)(order.pk, **decision)


@pytest.mark.parametrize(("role", "status"), [*itertools.product(ROLES, Status)])
def test_only_the_named_cells_of_role_state_and_verb_change_anything(
    propose: Propose, somebody: Callable[[str], User], role: str, status: Status
) -> None:
    by = somebody(role)
    with (
        connection.cursor() as cursor
    ):  # a state may have no legal way to it; the test's rollback puts the trigger back
        cursor.execute(f"DROP TRIGGER {triggers.NAME}{'' if connection.vendor == 'sqlite' else ' ON orders_order'}")
    for number, verb in enumerate(VERBS):
        order = propose(quantity=str(number + 1))
        full = {"cum_qty": order.quantity} if status == Status.FILLED else {}
        Order.objects.filter(pk=order.pk).update(status=status, **full)
        order.refresh_from_db()
        may_decide = role in DECIDERS and status == Status.PENDING_APPROVAL
        may = (role in MAKERS and status in MAY_CANCEL) if verb == "cancel" else may_decide
        try:
            act(verb, order, by)
            changed = True
        except NexTradeError:
            changed = False
        assert changed == may, (role, status, verb)
        assert (Order.objects.get(pk=order.pk).status == status) != changed
        sends = Outbox.objects.filter(order=order, kind=Outbox.Kind.SUBMIT).exists()
        assert sends == (may and verb == "approve")
    assert not Execution.objects.exists()


def test_the_matrix_has_more_than_three_hundred_cells() -> None:
    assert len(ROLES) * len(Status) * len(VERBS) >= 300


def test_an_old_approval_is_none_for_a_new_order_alike(propose: Propose, bob: User) -> None:
    first = propose()
    services.approve(first.pk, by=bob, version=first.version, at=NOON)
    second = propose(at=NOON + timedelta(minutes=1))
    assert second.client_order_id != first.client_order_id
    execution.execute(second.pk, Outbox.Kind.SUBMIT, at=NOON + timedelta(minutes=1))
    assert Order.objects.get(pk=second.pk).status == Status.PENDING_APPROVAL

import re
from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from compliance.models import ComplianceEvent
from nextrade import break_glass
from nextrade.errors import Invalid, NotPermitted
from nextrade.ops.models import BreakGlass
from orders import services
from orders.services import SelfApproval
from tests.conftest import Propose, person

REASON = "The only approver is in hospital and the book is short"
RIGHT = "orders.approve_order"


@pytest.fixture
def oscar(db: None) -> User:
    return person("oscar", "Operations", is_staff=True)


def fresh(user: User) -> User:
    return User.objects.get(pk=user.pk)


def approvers() -> Group:
    return Group.objects.get(name="Approvers")


def test_the_rights_hold_for_an_hour_and_end_by_the_clock_alone(oscar: User) -> None:
    now = timezone.now()
    assert not fresh(oscar).has_perm(RIGHT)
    break_glass.take(approvers(), by=oscar, reason=REASON, at=now)
    assert fresh(oscar).has_perm(RIGHT)
    assert fresh(oscar).has_module_perms("orders")
    with time_machine.travel(now + timedelta(minutes=59)):
        assert fresh(oscar).has_perm(RIGHT)
    with time_machine.travel(now + timedelta(minutes=61)):
        assert not fresh(oscar).has_perm(RIGHT)


def test_everybody_on_call_is_told_and_the_reason_stays(oscar: User) -> None:
    break_glass.take(approvers(), by=oscar, reason=REASON, at=timezone.now())
    taken = ComplianceEvent.objects.get(action="break_glass_taken")
    assert taken.details["reason"] == REASON
    assert taken.severity == "WARNING"
    assert ComplianceEvent.objects.get(action="alert_raised").details["alert"] == "break_glass"


@pytest.mark.parametrize("reason", ["", "urgent", "         x        "])
def test_no_rights_without_a_reason(oscar: User, reason: str) -> None:
    with pytest.raises(Invalid):
        break_glass.take(approvers(), by=oscar, reason=reason, at=timezone.now())
    assert not BreakGlass.objects.exists()


def test_it_is_not_for_everybody_nor_for_everything_nor_twice(oscar: User, ann: User, bob: User) -> None:
    for who in (ann, bob):
        with pytest.raises(NotPermitted):
            break_glass.take(approvers(), by=who, reason=REASON, at=timezone.now())
    with pytest.raises(Invalid):
        break_glass.take(Group.objects.get(name="Traders"), by=oscar, reason=REASON, at=timezone.now())
    break_glass.take(approvers(), by=oscar, reason=REASON, at=timezone.now())
    with pytest.raises(Invalid):
        break_glass.take(Group.objects.get(name="Compliance"), by=fresh(oscar), reason=REASON, at=timezone.now())


def test_nobody_approves_their_own_whatever_they_took(propose: Propose, ann: User) -> None:
    ann.is_staff = True
    ann.save()
    ann.groups.add(Group.objects.get(name="Operations"))
    break_glass.take(approvers(), by=fresh(ann), reason=REASON, at=timezone.now())
    order = propose()
    with pytest.raises(SelfApproval):
        services.approve(order.pk, by=fresh(ann), version=order.version, reason="", at=order.created_at)


def test_it_is_taken_and_given_back_in_the_admin(oscar: User) -> None:
    browser = Client()
    browser.force_login(oscar, backend="nextrade.lockout.PasswordBackend")
    page = "/admin/ops/breakglass/"
    form = browser.get(f"{page}add/").content.decode()
    assert re.search(r'<input[^>]* name="reason"[^>]* class="[^"]*\bborder\b', form), "no theme: invisible"
    refused = browser.post(f"{page}add/", {"group": approvers().pk, "reason": "now"})
    assert "say what the emergency is" in refused.content.decode()
    assert browser.get("/admin/orders/order/").status_code == 200
    assert browser.post(f"{page}add/", {"group": approvers().pk, "reason": REASON}).status_code == 302
    taken = BreakGlass.objects.get()
    assert (taken.user, taken.group) == (oscar, approvers())
    assert "holds" in browser.get(page).content.decode()
    browser.post(page, {"action": "give_back", "_selected_action": [taken.pk]})
    assert not fresh(oscar).has_perm(RIGHT)
    assert ComplianceEvent.objects.filter(action="break_glass_ended").count() == 1
    assert browser.post(f"{page}{taken.pk}/delete/", {"post": "yes"}).status_code == 403

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from compliance.models import ComplianceEvent
from nextrade import service_accounts
from nextrade.errors import Invalid
from nextrade.ops import tasks
from nextrade.ops.models import ServiceAccount
from orders import queries


def make(owner: User, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    capsys.readouterr()
    call_command("service_account", "create", "feed", "--owner", owner.username, "--purpose", "nightly report", *more)
    return capsys.readouterr().out.strip()


def read(token: str) -> int:
    return Client().get("/api/v1/orders/", headers={"Authorization": f"Bearer {token}"}).status_code


def test_its_token_reads_and_does_nothing_else(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    token = make(ann, capsys)
    assert read(token) == 200
    bearer = {"Authorization": f"Bearer {token}"}
    said = Client().post("/api/v1/chat/", {"message": "hi"}, content_type="application/json", headers=bearer)
    assert said.status_code == 403
    assert not User.objects.get(username="feed").has_usable_password()
    assert ComplianceEvent.objects.filter(action="service_account_made").count() == 1


def test_it_never_approves_and_its_owner_does_not_decide_on_its_orders(
    ann: User, bob: User, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (("--scopes", "approve"), ("--days", "0")):
        with pytest.raises(CommandError):
            make(ann, capsys, *more)
    with pytest.raises(CommandError):
        make(ann, capsys, "--group", "Approvers")
    make(bob, capsys)
    assert queries.is_conflict(User.objects.get(username="feed").pk, bob.pk)


def test_it_ends_with_its_date_and_with_its_owner(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    token = make(ann, capsys)
    ann.is_active = False
    ann.save()
    assert read(token) == 401
    assert ComplianceEvent.objects.filter(action="service_account_ended").count() == 1


def test_the_hourly_work_ends_what_is_past(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    token = make(ann, capsys)
    ServiceAccount.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    tasks.prune()
    assert read(token) == 401
    assert not User.objects.get(username="feed").is_active


def test_a_program_does_not_answer_for_a_program_and_a_name_is_used_once(
    ann: User, capsys: pytest.CaptureFixture[str]
) -> None:
    make(ann, capsys)
    later = timezone.now() + timedelta(days=1)
    terms = {"purpose": "-", "group": "Traders", "wanted": ["read"], "expires_at": later, "at": timezone.now()}
    with pytest.raises(Invalid, match="person"):
        service_accounts.create("other", owner=User.objects.get(username="feed"), **terms)  # type: ignore[arg-type]
    with pytest.raises(Invalid, match="taken"):
        service_accounts.create("feed", owner=ann, **terms)  # type: ignore[arg-type]


def test_they_are_listed_and_ended_by_hand(ann: User, capsys: pytest.CaptureFixture[str]) -> None:
    token = make(ann, capsys)
    call_command("service_account", "list", "--json")
    assert '"owner": "ann"' in capsys.readouterr().out
    call_command("service_account", "end", "feed", "--reason", "not used")
    assert read(token) == 401
    with pytest.raises(CommandError):
        call_command("service_account", "end", "nobody", "--reason", "-")

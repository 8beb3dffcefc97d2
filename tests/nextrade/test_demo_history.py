"""A made-up past adds up as a real one does, and is made up in the demo alone."""

from datetime import UTC, date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from agents.models import Message
from compliance import mac, verify
from compliance.models import ComplianceEvent, ReviewItem
from nextrade.ops.demo import script
from nextrade.ops.models import Heartbeat
from orders import books
from orders.models import Account, Break, EquityDay, Execution, Order, Status
from tests.conftest import Propose

pytestmark = pytest.mark.owner


@pytest.fixture(autouse=True)
def demo(tmp_path: Path, settings: Any) -> None:
    settings.DEMO, settings.DATA_DIR, settings.KEYS_DIR = True, tmp_path, tmp_path / "keys"
    settings.ANCHORS = [f"file:{tmp_path / 'trail.jsonl'}"]
    mac.forget()


def test_the_past_is_whole(transactional_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("demo_history", days=8, seed=3)

    now = timezone.now()
    assert "8 days" in capsys.readouterr().out
    found = verify.verify()
    assert found.faults == []
    assert found.unsealed == 0
    assert Execution.objects.filter(executed_at__lt=now - timedelta(days=1)).count() > 5
    waiting = Order.objects.filter(status=Status.PENDING_APPROVAL)
    assert all(order.expires_at > now for order in waiting)
    assert waiting.count() == 4
    for account in Account.objects.all():
        with transaction.atomic():
            assert books.rebuild(account) == []
        assert EquityDay.objects.filter(account=account).count() == 8
    assert not Break.objects.exists()
    happened = ComplianceEvent.objects.values_list("action", flat=True)
    assert {"order_filled", "order_denied", "trading_halted", "limits_approved", "login_failed"} <= set(happened)
    assert ReviewItem.objects.exclude(signed_at=None).exists()
    assert Message.objects.filter(role="notice", content__startswith="Filled").exists()


def test_the_same_seed_gives_the_same_day() -> None:
    def lines(seed: int) -> list[script.Line]:
        return list(script.day(Random(seed), date(2026, 11, 23), {}))

    assert lines(7) == lines(7) != lines(8)
    assert all(line.at.tzinfo is UTC for line in lines(7))


@pytest.mark.django_db
def test_it_is_refused_outside_the_demo_beside_a_running_worker_and_after_the_first_order(
    settings: Any, propose: Propose
) -> None:
    def refused(**changes: Any) -> str:
        for name, value in changes.items():
            setattr(settings, name, value)
        with pytest.raises(CommandError) as caught:
            call_command("demo_history", days=1)
        return str(caught.value)

    Heartbeat.objects.create(name="scheduler", at=timezone.now())
    assert "running" in refused()
    propose()
    assert "orders already" in refused()
    assert "not the demo" in refused(QUOTES="yahoo")
    assert "not the demo" in refused(QUOTES="simulated", DEMO=False)
    assert User.objects.filter(username="bob").count() == 0

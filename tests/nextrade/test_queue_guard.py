"""Who can write to the queue's tables runs no code by it."""

import base64
import os
import pickle
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.scheduler import scheduler
from django_q.signing import SignedPackage
from django_q.tasks import async_task

from nextrade.errors import Refused
from nextrade.ops import queue_guard, schedules

pytestmark = pytest.mark.django_db(transaction=True)


def queued() -> list[dict[str, object]]:
    return [SignedPackage.loads(row.payload) for row in OrmQ.objects.order_by("pk")]


@pytest.mark.parametrize(
    "planted",
    [
        {"func": "os.mkdir", "args": "'{folder}'"},
        {"func": schedules.RUNNER, "kwargs": "job='heartbeat'", "hook": "os.abort"},
        {"func": schedules.RUNNER, "kwargs": "{{'job': 'heartbeat', 'q_options': {{'hook': 'os.abort'}}}}"},
        {"func": schedules.RUNNER, "kwargs": "{{'q_options': {{'chain': [('os.mkdir', ('{folder}',))]}}}}"},
        {"func": "os.mkdir", "args": "'{folder}'", "kwargs": "{{'q_options': {{'sync': True}}}}"},
        {"func": schedules.RUNNER, "kwargs": "{{'job': 'heartbeat', 'q_options': {{'sync': True}}}}"},
    ],
)
def test_a_planted_schedule_runs_nothing(
    planted: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "made"
    Schedule.objects.all().delete()
    row = {name: text.format(folder=folder) for name, text in planted.items()}
    Schedule.objects.create(**row, next_run=timezone.now() - timedelta(seconds=5), schedule_type=Schedule.ONCE)
    scheduler()
    (task,) = queued()
    assert task["func"] == queue_guard.REFUSED
    assert not task.keys() & queue_guard.UNUSED
    assert not folder.exists()
    assert "which nothing of ours asks for" in caplog.text
    with pytest.raises(Refused, match="who wrote that row"):
        queue_guard.refuse(**task["kwargs"])  # type: ignore[arg-type]


def test_the_jobs_of_the_table_go_on_beside_it() -> None:
    Schedule.objects.create(func="os.getpid", name="planted", next_run=timezone.now() - timedelta(seconds=5))
    Schedule.objects.filter(name="heartbeat").update(next_run=timezone.now() - timedelta(seconds=5))
    scheduler()
    assert {task["func"] for task in queued()} == {queue_guard.REFUSED, schedules.RUNNER}


def test_all_that_we_queue_may_be_queued() -> None:
    folders = ("agents", "orders", "compliance", "nextrade")
    sources = "".join(file.read_text() for folder in folders for file in (settings.BASE_DIR / folder).rglob("*.py"))
    named = set(re.findall(r'async_task\(\s*"([\w.]+)"', sources))
    assert len(named) >= 4
    assert named <= queue_guard.QUEUED
    async_task("orders.tasks.reconcile")
    assert [task["func"] for task in queued()] == ["orders.tasks.reconcile"]


class Planted:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_a_planted_pickle_is_not_read(tmp_path: Path, client: Client, olga: User) -> None:
    client.force_login(olga)
    now = timezone.now()
    task = Task.objects.create(id="a" * 32, name="x", func="f", started=now, stopped=now, success=True, result=(1, "a"))
    task.refresh_from_db()
    assert task.result == (1, "a")
    folder = tmp_path / "made"
    evil = base64.b64encode(pickle.dumps(Planted(folder))).decode()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE django_q_task SET result = %s, args = %s", [evil, evil])
    assert client.get(f"/admin/django_q/success/{task.pk}/change/").status_code == 200
    assert not folder.exists()
    pickle.loads(base64.b64decode(evil))
    assert folder.exists()

"""Every run has a row; jobs that are missed, late, failed or overrun are found by whoever asks."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from agents.models import Message, Thread
from compliance.models import ComplianceEvent
from nextrade.errors import Refused
from nextrade.ops import aggregation, locks, log_rotation, maintenance, punctuality, schedules
from nextrade.ops.models import KnownJob, MaintenanceRun, MetricAggregate
from nextrade.ops.schedules import Job
from orders.models import Order
from tests.conftest import person

Status = MaintenanceRun.Status
pytestmark = pytest.mark.django_db(transaction=True)
NIGHT = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
calls: list[str] = []


def works() -> maintenance.Done:
    calls.append("works")
    return maintenance.Done(summary="three things", artefact="/backups/x", sha256="ab" * 32)


def refuses() -> None:
    raise Refused("the disk is full")


def breaks() -> None:
    raise ValueError("password=hunter2")


def job(function: str = "works", **more: Any) -> Job:
    given = {"name": "nightly", "cron": "0 3 * * *", "what": "a test", "function": f"{__name__}.{function}", **more}
    return Job(**given)


@pytest.fixture
def nightly(monkeypatch: pytest.MonkeyPatch) -> Job:
    """The table holds this one job, known since the day before."""
    only = job()
    monkeypatch.setattr(schedules, "JOBS", (only,))
    KnownJob.objects.create(name="nightly", since=NIGHT - timedelta(days=1, hours=12))
    return only


def problems(at: datetime) -> tuple[str, ...]:
    return punctuality.states(at=at)[0].problems


def events(action: str) -> list[dict[str, Any]]:
    return [event.details for event in ComplianceEvent.objects.filter(action=action).order_by("id")]


def test_a_run_is_a_row_and_an_event() -> None:
    row = maintenance.run(job(), by="user:7", scheduled_for=NIGHT)
    row.refresh_from_db()
    assert (row.status, row.exit, row.summary, row.artefact) == (Status.SUCCEEDED, 0, "three things", "/backups/x")
    assert (row.scheduled_for, row.started_by, row.sha256) == (NIGHT, "user:7", "ab" * 32)
    assert row.finished_at >= row.started_at
    assert events("maintenance_run")[0]["artefact"] == "/backups/x"


@pytest.mark.parametrize(("function", "summary"), [("refuses", "the disk is full"), ("breaks", "ValueError")])
def test_a_failure_is_written_down_without_secrets_and_goes_on_to_the_queue(function: str, summary: str) -> None:
    with pytest.raises((Refused, ValueError)):
        maintenance.run(job(function), by="system:test")
    row = MaintenanceRun.objects.get()
    assert (row.status, row.exit, row.summary) == (Status.FAILED, 1, summary)
    assert ComplianceEvent.objects.get(action="maintenance_run").outcome == "failed"


def test_of_a_job_of_each_minute_only_failures_are_on_the_trail() -> None:
    maintenance.run(job(cron="* * * * *"), by="system:test")
    assert events("maintenance_run") == []
    with pytest.raises(Refused):
        maintenance.run(job("refuses", cron="* * * * *"), by="system:test")
    assert len(events("maintenance_run")) == 1


def test_a_job_runs_once_at_a_time() -> None:
    calls.clear()
    with locks.held("job.nightly") as is_ours:
        assert is_ours
        assert maintenance.run(job(), by="system:test").status == Status.SKIPPED
    assert calls == []
    assert maintenance.run(job(), by="system:test").status == Status.SUCCEEDED


def test_a_dead_holder_lets_go_and_its_row_says_so(settings: Any) -> None:
    """The holder is another process, killed with -9."""
    code = (
        "import django, time; django.setup()\nfrom nextrade.ops import locks\n"
        "with locks.held('job.nightly') as ours: print(ours, flush=True); time.sleep(60)"
    )
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "nextrade.settings", "NEXTRADE_DATA_DIR": str(settings.DATA_DIR)}
    name = settings.DATABASES["default"]["NAME"]
    env["DATABASE_URL"] = (
        f"sqlite:///{name}" if settings.SQLITE else os.environ["TEST_DATABASE_URL"].rsplit("/", 1)[0] + f"/{name}"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout
        assert holder.stdout.readline().strip() == "True"
        row = MaintenanceRun.objects.create(job="nightly", started_at=timezone.now(), started_by="system:schedule")
        assert maintenance.run(job(), by="system:test").status == Status.SKIPPED
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    until = time.monotonic() + 10
    while maintenance.run(job(), by="system:test").status != Status.SUCCEEDED:
        assert time.monotonic() < until
    row.refresh_from_db()
    assert (row.status, row.exit) == (Status.DIED, None)


def test_a_job_that_nobody_started_is_found_by_whoever_asks(nightly: Job) -> None:
    """The worker is dead: only rows tell."""
    with time_machine.travel(NIGHT - timedelta(days=1), tick=False):
        maintenance.run(nightly, by="system:schedule", scheduled_for=NIGHT - timedelta(days=1))
    assert problems(NIGHT + timedelta(minutes=9)) == ()
    assert problems(NIGHT + timedelta(minutes=11)) == ("missed",)
    assert punctuality.missed(at=NIGHT + timedelta(hours=1)) == ["nightly"]
    assert problems(NIGHT + timedelta(hours=3)) == ("missed", "stale")
    with time_machine.travel(NIGHT + timedelta(hours=4), tick=False):
        maintenance.run(nightly, by="system:schedule", scheduled_for=NIGHT)
    assert problems(NIGHT + timedelta(hours=5)) == ()


def test_failed_and_overrun_are_problems_and_a_new_job_has_none(nightly: Job) -> None:
    KnownJob.objects.update(since=NIGHT + timedelta(minutes=1))
    assert problems(NIGHT + timedelta(hours=1)) == ()
    row = MaintenanceRun.objects.create(job="nightly", started_at=NIGHT, started_by="system:schedule")
    assert problems(NIGHT + timedelta(minutes=1)) == ()
    assert problems(NIGHT + timedelta(minutes=3)) == ("overrun",)
    row.status = Status.FAILED
    row.save()
    assert problems(NIGHT + timedelta(minutes=3)) == ("failed",)


def test_the_figures_tell_of_jobs(nightly: Job) -> None:
    maintenance.run(nightly, by="system:schedule")
    text = Client().get("/metrics").content.decode()
    assert 'nextrade_job_last_success_timestamp{job="nightly"}' in text
    assert 'nextrade_job_problem{job="nightly",kind="missed"} 0.0' in text


def test_the_queue_calls_each_job_through_the_one_runner() -> None:
    schedules.install()
    row = Schedule.objects.get(name="heartbeat")
    assert (row.func, row.cron, row.intended_date_kwarg) == (schedules.RUNNER, "* * * * *", "scheduled_for")
    assert maintenance.scheduled(job="heartbeat", scheduled_for=NIGHT.isoformat()) == Status.SUCCEEDED
    assert MaintenanceRun.objects.get().scheduled_for == NIGHT
    with pytest.raises(schedules.NoSuchJob):
        maintenance.scheduled(job="os.getpid")


def test_every_job_has_a_bound_above_its_interval() -> None:
    for each in schedules.JOBS:
        at = NIGHT
        gaps = []
        for _ in range(100):
            following = punctuality._edge(each.cron, at, is_next=True)
            gaps.append(following - at)
            at = following
        assert max(gaps[1:]) + punctuality.GRACE <= each.max_age + timedelta(hours=1), each.name
        assert each.owner


def test_rows_of_frequent_jobs_are_few_and_failures_stay() -> None:
    MaintenanceRun.objects.bulk_create(
        MaintenanceRun(
            job="heartbeat",
            status=Status.FAILED if minute % 10 == 0 else Status.SUCCEEDED,
            started_at=NIGHT + timedelta(minutes=minute),
            started_by="system:schedule",
        )
        for minute in range(200)
    )
    maintenance.prune()
    kept = MaintenanceRun.objects.filter(status=Status.SUCCEEDED)
    assert kept.count() == maintenance.KEEP_FREQUENT
    assert kept.order_by("started_at").first().started_at > NIGHT + timedelta(minutes=130)
    assert MaintenanceRun.objects.filter(status=Status.FAILED).count() == 20


def test_the_command_lists_and_runs(nightly: Job) -> None:
    out = StringIO()
    with (
        pytest.raises(CommandError, match="1 with a problem: nightly"),
        time_machine.travel(NIGHT + timedelta(hours=9)),
    ):
        call_command("maintenance", "list", "--json", stdout=out)
    told = json.loads(out.getvalue())
    assert (told[0]["job"], told[0]["problems"]) == ("nightly", ["missed", "stale"])
    call_command("maintenance", "run", "nightly", stdout=out)
    assert "nightly succeeded: three things" in out.getvalue()
    with pytest.raises(CommandError, match="no job") as caught:
        call_command("maintenance", "run", "nonsense")
    assert caught.value.returncode == 2


def test_operations_run_a_job_from_the_page_and_nobody_else_does(client: Client) -> None:
    olaf = person("olaf", "Operations", is_staff=True)
    client.force_login(olaf)
    page = client.get("/admin/ops/maintenancerun/jobs/").content.decode()
    assert "Run heartbeat now" in page
    assert client.get("/admin/ops/maintenancerun/jobs/heartbeat/run/").status_code == 405
    assert client.post("/admin/ops/maintenancerun/jobs/nonsense/run/").status_code == 404
    assert client.post("/admin/ops/maintenancerun/jobs/heartbeat/run/").status_code == 302
    task = OrmQ.objects.get().task
    assert (task["func"], task["kwargs"]["job"]) == (schedules.RUNNER, "heartbeat")
    assert task["kwargs"]["by"] == f"user:{olaf.pk}"
    assert events("maintenance_requested") == [{"job": "heartbeat"}]
    assert client.get("/admin/ops/maintenancerun/").status_code == 200
    bob = person("bob", "Approvers", is_staff=True)
    client.force_login(bob)
    for path in ("", "jobs/"):
        assert client.get(f"/admin/ops/maintenancerun/{path}").status_code == 403
    assert client.post("/admin/ops/maintenancerun/jobs/heartbeat/run/").status_code == 403


def test_what_a_run_says_is_text(client: Client, olga: User) -> None:
    row = MaintenanceRun.objects.create(
        job="heartbeat", status="failed", summary="<script>x</script>", started_at=NIGHT, started_by="system:x"
    )
    client.force_login(olga)
    for path in ("", "jobs/", f"{row.pk}/change/"):
        page = client.get(f"/admin/ops/maintenancerun/{path}").content.decode()
        assert "<script>x" not in page
        assert "&lt;script&gt;x" in page


def test_an_hour_is_reckoned_twice_and_stays_the_same(ann: User, approved: Order) -> None:
    hour = approved.created_at.replace(minute=0, second=0, microsecond=0)
    thread = Thread.objects.create(owner=ann, created_at=hour, updated_at=hour)
    for number, waited_s in enumerate((1, 2, 3, 40)):
        turn = f"00000000-0000-4000-8000-00000000000{number}"
        for role, at in (("user", hour), ("assistant", hour + timedelta(seconds=waited_s))):
            Message.objects.create(thread=thread, role=role, content="x", turn_id=turn, created_at=at)
    rows = [list(MetricAggregate.objects.order_by("id").values()) for _ in range(2) if aggregation.aggregate(hour)]
    assert rows[0] == rows[1]
    turns = MetricAggregate.objects.get(name="chat_turn_seconds")
    assert (turns.count, turns.sum, turns.p50, turns.p95, turns.max) == (4, 46, 2, 40, 40)
    proposed = MetricAggregate.objects.get(name="audit_events", labels__contains="order_proposed")
    assert (proposed.count, json.loads(proposed.labels)) == (1, {"action": "order_proposed", "outcome": "success"})


def test_the_log_gets_its_date_once_and_not_where_somebody_else_rotates(settings: Any, tmp_path: Path) -> None:
    settings.LOG_FILE = ""
    assert "stderr" in log_rotation.rotate().summary
    settings.LOG_FILE = str(tmp_path / "nextrade.log")
    assert "nothing" in log_rotation.rotate().summary
    Path(settings.LOG_FILE).write_text("a line\n")
    with time_machine.travel(datetime(2025, 11, 6, 0, 0, 20, tzinfo=UTC)):
        assert log_rotation.rotate().artefact.endswith("nextrade.log.2025-11-05")
    assert (tmp_path / "nextrade.log.2025-11-05").read_text() == "a line\n"
    Path(settings.LOG_FILE).write_text("another\n")
    assert "rotated elsewhere" in log_rotation.rotate().summary


def test_a_lock_of_a_file_is_the_kernel_s(settings: Any) -> None:
    if not settings.SQLITE:
        pytest.skip("PostgreSQL has its own locks")
    (settings.DATA_DIR / "locks").mkdir(exist_ok=True)
    with (settings.DATA_DIR / "locks" / "x.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with locks.held("x") as is_ours:
            assert not is_ours
    with locks.held("x") as is_ours:
        assert is_ours

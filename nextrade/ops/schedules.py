"""Every periodic job, one table. `install` writes it into django-q2; nobody edits schedules anywhere else, because one
malformed row stops them all.

The queue calls `nextrade.ops.maintenance.scheduled`, which runs the job under a lock and writes down how it went.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django_q.models import Schedule

from nextrade.errors import Missing
from nextrade.ops.models import KnownJob

RUNNER = "nextrade.ops.maintenance.scheduled"
MINUTES = timedelta(minutes=10)
HOURS = timedelta(hours=3)
DAY = timedelta(hours=26)
WEEKDAYS = timedelta(days=3, hours=12)
WEEK = timedelta(days=8)
MONTH = timedelta(days=33)
QUARTER = timedelta(days=95)


@dataclass(frozen=True, kw_only=True)
class Job:
    """cron: five fields, in TIME_ZONE. function: dotted path, without arguments. max_age: how old the last success may
    be. may_take: what runs longer has overrun. is_detached: it takes longer than a task of the queue may, and runs in
    a process of its own. owner: who is asked when it fails."""

    name: str
    cron: str
    function: str
    what: str
    max_age: timedelta = DAY
    may_take: timedelta = timedelta(minutes=2)
    owner: str = "operations"
    is_detached: bool = False

    @property
    def is_frequent(self) -> bool:
        """Runs more often than once an hour: of its successes only the newest are kept, and none is on the trail."""
        return bool(re.match(r"\*(/\d+)? ", self.cron))


class NoSuchJob(Missing):
    code = "no_such_job"


JOBS = (
    Job(
        name="heartbeat",
        cron="* * * * *",
        function="nextrade.ops.tasks.heartbeat",
        what="proves that scheduled work is done",
        max_age=MINUTES,
    ),
    Job(
        name="look_at_broker",
        cron="* * * * *",
        function="nextrade.ops.tasks.look_at_broker",
        what="asks whether the broker answers, for the health page",
        max_age=MINUTES,
    ),
    Job(
        name="reconcile",
        cron="* * * * *",
        function="orders.tasks.reconcile",
        what="asks the broker about open and doubtful orders",
        max_age=MINUTES,
        owner="trading",
    ),
    Job(
        name="expire_stale",
        cron="* * * * *",
        function="orders.tasks.expire_stale",
        what="lapses orders nobody decided on",
        max_age=MINUTES,
        owner="trading",
    ),
    Job(
        name="breakers",
        cron="* * * * *",
        function="orders.tasks.trip_breakers",
        what="stops accounts that lose too much",
        max_age=MINUTES,
        owner="trading",
    ),
    Job(
        name="compare_open",
        cron="35 13,14 * * 1-5",
        function="orders.tasks.compare_books",
        what="compares books with the broker after the open, in summer and winter time",
        max_age=WEEKDAYS,
        owner="trading",
    ),
    Job(
        name="compare_close",
        cron="5 20,21 * * 1-5",
        function="orders.tasks.compare_books",
        what="compares books with the broker after the close",
        max_age=WEEKDAYS,
        owner="trading",
    ),
    Job(
        name="close_day",
        cron="5 0 * * *",
        function="orders.tasks.close_day",
        what="writes down each account's equity",
        owner="trading",
    ),
    Job(
        name="halt_drill",
        cron="30 6 1 * *",
        function="orders.tasks.halt_drill",
        what="measures how long a halt takes",
        max_age=MONTH,
        owner="trading",
    ),
    Job(
        name="tell_late",
        cron="* * * * *",
        function="agents.tasks.tell_late",
        what="tells threads what they have not heard",
        max_age=MINUTES,
    ),
    Job(
        name="verify_recent",
        cron="23 * * * *",
        function="compliance.tasks.verify_recent",
        what="verifies the trail's last two hours",
        max_age=HOURS,
        owner="compliance",
    ),
    Job(
        name="verify_all",
        cron="40 2 * * *",
        function="compliance.tasks.verify_all",
        what="verifies all of the trail",
        may_take=timedelta(hours=2),
        owner="compliance",
        is_detached=True,
    ),
    Job(
        name="collect_reviews",
        cron="* * * * *",
        function="compliance.tasks.collect_reviews",
        what="puts before a supervisor what needs their eye",
        max_age=MINUTES,
        owner="compliance",
    ),
    Job(
        name="report_reviews",
        cron="0 6 * * 1",
        function="compliance.tasks.report_reviews",
        what="writes last week's report of reviews",
        max_age=WEEK,
        owner="compliance",
    ),
    Job(
        name="apply_retention",
        cron="10 3 * * *",
        function="compliance.tasks.apply_retention",
        what="deletes what is past its retention, under a certificate",
        owner="compliance",
    ),
    Job(
        name="prune_checkpoints",
        cron="50 3 * * *",
        function="agents.tasks.prune_checkpoints",
        what="drops all but the newest memory of each conversation",
    ),
    Job(
        name="make_months",
        cron="20 0 * * *",
        function="agents.tasks.make_months",
        what="makes the tables of the coming months' model calls, on PostgreSQL",
    ),
    Job(
        name="forget_streams",
        cron="*/5 * * * *",
        function="agents.tasks.forget_streams",
        what="drops the events of streamed turns, and queued turns of yesterday",
        max_age=timedelta(minutes=30),
    ),
    Job(
        name="prune",
        cron="17 * * * *",
        function="nextrade.ops.tasks.prune",
        what="drops old replies, rate windows, sessions, tokens and rows of jobs that run each minute",
        max_age=HOURS,
    ),
    Job(
        name="database_backup",
        cron="0 3 * * *",
        function="nextrade.ops.backup.jobs.back_up",
        what="takes a backup, reads it back, sends it off-site",
        may_take=timedelta(hours=1),
        is_detached=True,
    ),
    Job(
        name="keys_backup",
        cron="37 * * * *",
        function="nextrade.ops.backup.jobs.back_up_keys",
        what="takes a backup of the keys, which new people's data cannot be read without",
        max_age=HOURS,
        owner="compliance",
    ),
    Job(
        name="replication",
        cron="* * * * *",
        function="nextrade.ops.backup.replication.measure",
        what="measures how far the copy elsewhere is behind, where there is one",
        max_age=MINUTES,
    ),
    Job(
        name="backup_prune",
        cron="20 3 * * *",
        function="nextrade.ops.backup.jobs.prune_old",
        what="compresses backups over 30 days old and deletes those over 90",
        may_take=timedelta(hours=1),
        is_detached=True,
    ),
    Job(
        name="backup_verify",
        cron="0 5 * * 0",
        function="nextrade.ops.backup.jobs.verify_each",
        what="looks at every backup, here and off-site",
        max_age=WEEK,
        may_take=timedelta(hours=4),
        is_detached=True,
    ),
    Job(
        name="restore_drill",
        cron="30 4 * * *",
        function="nextrade.ops.backup.drill.drill_latest",
        what="restores the newest backup beside the real thing, verifies it and boots the product on it",
        may_take=timedelta(hours=2),
        is_detached=True,
    ),
    Job(
        name="checklist_reminders",
        cron="40 6 * * *",
        function="nextrade.ops.care.checklists.remind_now",
        what="makes a ticket of each checklist that nobody signed",
    ),
    Job(
        name="security_audit",
        cron="20 5 2 * *",
        function="nextrade.ops.care.supplies.security_audit",
        what="looks for known holes in what the product is made of; fails where nobody can be asked",
        max_age=MONTH,
        may_take=timedelta(minutes=10),
        is_detached=True,
    ),
    Job(
        name="dependency_report",
        cron="10 5 2 * *",
        function="nextrade.ops.care.supplies.dependency_report",
        what="lists newer versions; installs nothing",
        max_age=MONTH,
        may_take=timedelta(minutes=10),
        is_detached=True,
    ),
    Job(
        name="log_rotation",
        cron="0 0 * * *",
        function="nextrade.ops.log_rotation.rotate",
        what="begins a new application log, or writes down who else does",
    ),
    Job(
        name="metrics_aggregation",
        cron="0 * * * *",
        function="nextrade.ops.aggregation.aggregate_last_hour",
        what="writes down the last hour's figures, for trends",
        max_age=HOURS,
    ),
)


def job(name: str) -> Job:
    """Raises NoSuchJob."""
    found = next((each for each in JOBS if each.name == name), None)
    if found is None:
        raise NoSuchJob(f"there is no job {name}")
    return found


def install() -> None:
    """Make django-q2's schedules equal to JOBS: new ones added, changed ones changed, others removed."""
    now = timezone.now()
    for each in JOBS:
        wanted = {
            "func": RUNNER,
            "kwargs": str({"job": each.name}),
            "intended_date_kwarg": "scheduled_for",
            "schedule_type": Schedule.CRON,
            "cron": each.cron,
        }
        if not Schedule.objects.filter(name=each.name, **wanted).exists():
            Schedule.objects.update_or_create(name=each.name, defaults=wanted)
        KnownJob.objects.get_or_create(name=each.name, defaults={"since": now})
    names = [each.name for each in JOBS]
    Schedule.objects.exclude(name__in=names).delete()
    KnownJob.objects.exclude(name__in=names).delete()

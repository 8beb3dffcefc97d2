"""Every periodic job, one table. `install` writes it into django-q2; nobody edits schedules anywhere else, because a
schedule may name any importable function and one malformed row stops them all."""

from dataclasses import dataclass

from django_q.models import Schedule


@dataclass(frozen=True, kw_only=True)
class Job:
    """cron: five fields, in TIME_ZONE. function: dotted path of a task without arguments."""

    name: str
    cron: str
    function: str
    what: str


JOBS = (
    Job(
        name="heartbeat",
        cron="* * * * *",
        function="nextrade.ops.tasks.heartbeat",
        what="proves that scheduled work is done",
    ),
    Job(
        name="reconcile",
        cron="* * * * *",
        function="orders.tasks.reconcile",
        what="asks the broker about open and doubtful orders",
    ),
    Job(
        name="expire_stale",
        cron="* * * * *",
        function="orders.tasks.expire_stale",
        what="lapses orders nobody decided on",
    ),
    Job(
        name="breakers",
        cron="* * * * *",
        function="orders.tasks.trip_breakers",
        what="stops accounts that lose too much",
    ),
    Job(
        name="compare_open",
        cron="35 13,14 * * 1-5",
        function="orders.tasks.compare_books",
        what="compares books with the broker after the open, in summer and winter time",
    ),
    Job(
        name="compare_close",
        cron="5 20,21 * * 1-5",
        function="orders.tasks.compare_books",
        what="compares books with the broker after the close",
    ),
    Job(
        name="close_day", cron="5 0 * * *", function="orders.tasks.close_day", what="writes down each account's equity"
    ),
    Job(
        name="halt_drill", cron="30 6 1 * *", function="orders.tasks.halt_drill", what="measures how long a halt takes"
    ),
    Job(
        name="tell_late",
        cron="* * * * *",
        function="agents.tasks.tell_late",
        what="tells threads what they have not heard",
    ),
    Job(
        name="verify_recent",
        cron="23 * * * *",
        function="compliance.tasks.verify_recent",
        what="verifies the trail's last two hours",
    ),
    Job(name="verify_all", cron="40 2 * * *", function="compliance.tasks.verify_all", what="verifies all of the trail"),
    Job(
        name="collect_reviews",
        cron="* * * * *",
        function="compliance.tasks.collect_reviews",
        what="puts before a supervisor what needs their eye",
    ),
    Job(
        name="report_reviews",
        cron="0 6 * * 1",
        function="compliance.tasks.report_reviews",
        what="writes last week's report of reviews",
    ),
    Job(
        name="apply_retention",
        cron="10 3 * * *",
        function="compliance.tasks.apply_retention",
        what="deletes what is past its retention, under a certificate",
    ),
    Job(
        name="prune_checkpoints",
        cron="50 3 * * *",
        function="agents.tasks.prune_checkpoints",
        what="drops all but the newest memory of each conversation",
    ),
    Job(
        name="forget_streams",
        cron="*/5 * * * *",
        function="agents.tasks.forget_streams",
        what="drops the events of streamed turns, and queued turns of yesterday",
    ),
    Job(
        name="prune",
        cron="17 * * * *",
        function="nextrade.ops.tasks.prune",
        what="drops old replies, rate windows, sessions and tokens",
    ),
)


def install() -> None:
    """Make django-q2's schedules equal to JOBS: new ones added, changed ones changed, others removed."""
    for job in JOBS:
        wanted = {"func": job.function, "schedule_type": Schedule.CRON, "cron": job.cron}
        if not Schedule.objects.filter(name=job.name, **wanted).exists():
            Schedule.objects.update_or_create(name=job.name, defaults=wanted)
    Schedule.objects.exclude(name__in=[job.name for job in JOBS]).delete()

import json
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from compliance import audit
from nextrade.errors import NexTradeError
from nextrade.ops import maintenance, punctuality, schedules
from nextrade.ops.models import MaintenanceRun
from nextrade.ops.punctuality import State


class Command(BaseCommand):
    help = "The periodic jobs: what runs when, how it went; run one now."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        listed = actions.add_parser("list", help="each job with its last and next run; exits 1 where one has a problem")
        listed.add_argument("--json", action="store_true")
        one = actions.add_parser("run", help="run one now, here")
        one.add_argument("job")
        one.add_argument("--by", help="your user name; the machine's operator otherwise")
        one.add_argument("--started-by", default="", help="who it is run for, as the trail names them")
        one.add_argument("--scheduled-for", type=datetime.fromisoformat, help="the time by its schedule, ISO 8601")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if action == "list":
            self._list(options)
        else:
            self._run(options)

    def _list(self, options: dict[str, Any]) -> None:
        found = punctuality.states(at=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps([_told(state) for state in found]))
        else:
            for state in found:
                told = _told(state)
                last = f"{told['last_status']} {told['last_started'] or ''}".strip()
                problems = ", ".join(told["problems"]) or "ok"
                self.stdout.write(f"{told['job']:20}{told['cron']:18}{last:32}next {told['next']}  {problems}")
        wrong = [state.job.name for state in found if state.problems]
        if wrong:
            raise CommandError(f"{len(wrong)} with a problem: {', '.join(wrong)}", returncode=1)

    def _run(self, options: dict[str, Any]) -> None:
        try:
            job = schedules.job(options["job"])
        except NexTradeError as error:
            raise CommandError(error.message, returncode=2) from error
        try:
            run = maintenance.run(job, by=_by(options), scheduled_for=options["scheduled_for"])
        except Exception as error:
            raise CommandError(f"{job.name} failed: {maintenance.told(error)}", returncode=1) from error
        if run.status != MaintenanceRun.Status.SUCCEEDED:
            raise CommandError(f"{job.name} {run.status}: {run.summary}", returncode=1)
        self.stdout.write(f"{job.name} succeeded: {run.summary}" if run.summary else f"{job.name} succeeded")


def _told(state: State) -> dict[str, Any]:
    last = state.last
    return {
        "job": state.job.name,
        "what": state.job.what,
        "owner": state.job.owner,
        "cron": state.job.cron,
        "next": _iso(state.next_at),
        "last_status": last.status if last else "not yet",
        "last_started": _iso(last.started_at) if last else None,
        "last_scheduled_for": _iso(last.scheduled_for) if last and last.scheduled_for else None,
        "last_summary": last.summary if last else "",
        "last_success": _iso(state.last_success_at) if state.last_success_at else None,
        "problems": list(state.problems),
    }


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _by(options: dict[str, Any]) -> str:
    if options["started_by"]:
        return str(options["started_by"])
    if not options["by"]:
        return "system:operator"
    user = User.objects.filter(username=options["by"]).first()
    if user is None:
        raise CommandError(f"there is no user {options['by']}", returncode=2)
    return audit.person(user)

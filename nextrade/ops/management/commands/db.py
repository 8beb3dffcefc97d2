import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from nextrade.ops.care import birth, integrity, plans, sweeping, tidying
from nextrade.ops.care.finding import Finding, Verdict


class Command(BaseCommand):
    help = "The database: is it whole, is it tidy, does it use its indexes; and what may be deleted."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser("check", help="pages, keys, contradictions, the trail; 1 for whatever is not fine")
        check.add_argument("--full", action="store_true", help="all of the trail, not only the last two hours")
        optimize = actions.add_parser("optimize", help="give back room, refresh statistics")
        optimize.add_argument("--now", action="store_true", help="VACUUM though the exchange is open")
        explain = actions.add_parser(
            "explain", help="the plans of the hot queries; 1 where one reads a big table whole"
        )
        cleanup = actions.add_parser("cleanup", help="delete what may go at any time")
        cleanup.add_argument("--dry-run", action="store_true")
        for one in (check, optimize, explain, cleanup):
            one.add_argument("--json", action="store_true")
        begin = actions.add_parser("init", help="an empty database; refuses where there is one, or a backup of one")
        begin.add_argument("--i-have-a-backup", metavar="SHA256", default="")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error

    def _check(self, options: dict[str, Any]) -> None:
        self._tell(integrity.check(is_full=options["full"]), options)

    def _optimize(self, options: dict[str, Any]) -> None:
        self._tell(tidying.optimize(at=timezone.now(), is_now=options["now"]), options)

    def _tell(self, found: list[Finding], options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(json.dumps([each.as_json() for each in found]))
        else:
            self.stdout.write("\n".join(each.line() for each in found))
        wrong = [each.what for each in found if each.verdict != Verdict.OK]
        if wrong:
            raise CommandError(f"not fine: {', '.join(wrong)}", returncode=1)

    def _explain(self, options: dict[str, Any]) -> None:
        found = plans.plans(at=timezone.now())
        if options["json"]:
            told = [{"query": p.query.name, "where": p.query.where, "steps": p.steps, "scans": p.scans} for p in found]
            self.stdout.write(json.dumps(told))
        for plan in found if not options["json"] else ():
            self.stdout.write(f"{'SCANS' if plan.scans else 'ok':6}{plan.query.name} ({plan.query.where})")
            self.stdout.write("\n".join(f"      {step}" for step in plan.steps))
        wrong = [plan.query.name for plan in found if plan.scans]
        if wrong:
            raise CommandError(f"{len(wrong)} read a big table whole: {'; '.join(wrong)}", returncode=1)

    def _cleanup(self, options: dict[str, Any]) -> None:
        done = sweeping.sweep(at=timezone.now(), is_dry=options["dry_run"])
        verb = "would go" if options["dry_run"] else "gone"
        told = json.dumps(done) if options["json"] else "\n".join(f"{n:8} {name} {verb}" for name, n in done.items())
        self.stdout.write(told)

    def _init(self, options: dict[str, Any]) -> None:
        self.stdout.write(birth.init(at=timezone.now(), sha256=options["i_have_a_backup"]))

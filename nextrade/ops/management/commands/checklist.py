import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.ops.care import checklists
from nextrade.ops.care.finding import EXIT, Verdict
from nextrade.ops.models import ChecklistRun


class Command(BaseCommand):
    help = "Gather a list's evidence and keep it for whoever signs it off; 0 fine, 1 warning or unknown, 2 failing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=ChecklistRun.Kind.values)
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        run, found = checklists.gather(ChecklistRun.Kind(kind), at=timezone.now())
        if options["json"]:
            told = [each.as_json() for each in found]
            self.stdout.write(json.dumps({"kind": kind, "period": run.period, "verdict": run.verdict, "items": told}))
        for each in found if not options["json"] else ():
            self.stdout.write(each.line())
        verdict = Verdict(run.verdict)
        if EXIT[verdict]:
            wrong = ", ".join(each.what for each in found if each.verdict == verdict)
            raise CommandError(f"{kind} {run.period}: {verdict}: {wrong}", returncode=EXIT[verdict])

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.ops.care import doctor, finding, log_lines
from nextrade.ops.care.finding import Verdict


class Command(BaseCommand):
    help = "What is wrong, and what a person would do next; does none of it. Needs neither database nor web process."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("topic", choices=tuple(doctor.TOPICS))
        parser.add_argument("--since", type=log_lines.span, default=timedelta(hours=1), help="90m, 24h, 7d")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, topic: str, since: timedelta, **options: Any) -> None:
        found = doctor.examine(topic, at=timezone.now(), since=since)
        verdict = finding.worst(found)
        if options["json"]:
            self.stdout.write(json.dumps({"verdict": verdict, "findings": [each.as_json() for each in found]}))
        else:
            self.stdout.write("\n".join(each.line() for each in found))
        if verdict != Verdict.OK:
            first = next(each for each in found if each.verdict == verdict)
            raise CommandError(f"{verdict}: {first.what}: {first.said}", returncode=1)

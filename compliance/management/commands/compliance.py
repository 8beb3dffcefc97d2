import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from compliance import projection
from compliance.models import ComplianceEvent, EventType


class Command(BaseCommand):
    help = "The newest safety violations as lines of compliance.log, the newest last."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        violations = actions.add_parser("violations", help=self.help)
        violations.add_argument("--last", type=int, default=20, metavar="N", help="how many (20)")
        violations.add_argument("--json", action="store_true", help="the events' facts instead")

    def handle(self, *args: Any, **options: Any) -> None:
        newest = ComplianceEvent.objects.filter(type=EventType.SAFETY_VIOLATION).order_by("-id")
        events = list(newest[: max(0, options["last"])])[::-1]
        if options["json"]:
            self.stdout.write(json.dumps([event.facts() for event in events]))
            return
        for event in events:
            self.stdout.write(projection.line(event))

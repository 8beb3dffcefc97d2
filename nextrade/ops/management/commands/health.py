import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nextrade.ops.health import grade
from nextrade.ops.outages import words
from nextrade.ops.results import Watch


class Command(BaseCommand):
    help = "Look at the components from this process: 0 when all work, 1 when one fails, 2 for one that is unknown."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--component", default="", help="this one alone, as for a container's probe")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, component: str, json: bool, **options: Any) -> None:
        seen = Watch().look(component)
        if not seen.results:
            raise CommandError(f"there is no component {component}", returncode=2)
        self.stdout.write(_json(seen.components) if json else "\n".join(map(_line, seen.results)))
        failing = [name for name, is_up in seen.components.items() if not is_up]
        if failing:
            raise CommandError(f"failing: {', '.join(failing)}", returncode=1)


def _json(components: dict[str, bool]) -> str:
    return json.dumps({"status": grade(components), "components": components})


def _line(result: Any) -> str:
    return f"{result.check.component:16} {words(result) or 'ok'} ({1000 * result.time_taken:.0f} ms)"

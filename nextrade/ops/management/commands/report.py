import json
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from nextrade import replica
from nextrade.ops.care.reports import REPORTS


class Command(BaseCommand):
    help = "How long the disk lasts, what it costs, who may do what, what waits for review, what is slow."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("report", choices=list(REPORTS))
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, report: str, **options: Any) -> None:
        with replica.tolerated():
            told = REPORTS[report](at=timezone.now())
        self.stdout.write(json.dumps(told, default=str) if options["json"] else "\n".join(_lines(told)))


def _lines(told: Any, indent: str = "") -> Iterator[str]:
    for name, value in told.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list | tuple):
            yield f"{indent}{name}: {len(value)}"
            yield from (f"{indent}  {_row(each)}" for each in value)
        else:
            yield f"{indent}{name}: {value}"


def _row(each: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in each.items()) if isinstance(each, dict) else str(each)

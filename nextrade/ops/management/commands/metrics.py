import json
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from nextrade.ops import counted, metrics
from nextrade.ops.summary import summary


class Command(BaseCommand):
    help = "What is measured: a summary for people, all of it as /metrics gives it; or tidy up after dead processes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["summary", "show", "gather"])
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, what: str, **options: Any) -> None:
        if what == "show":
            self.stdout.write(metrics.exposition().decode())
        elif what == "gather":
            files = counted.gather(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
            self.stdout.write(f"{files} files of dead processes added up")
        else:
            told = summary()
            self.stdout.write(json.dumps(told) if options["json"] else "\n".join(map(_line, told.items())))


def _line(item: tuple[str, object]) -> str:
    name, value = item
    return f"{name.replace('_', ' '):28} {'unknown' if value is None else value}"

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agents import breakers
from agents.models import Breaker
from nextrade.errors import Missing


class Command(BaseCommand):
    help = "The circuit breakers of the language models: `list`, which exits 1 when one is open, or `reset NAME`."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list").add_argument("--json", action="store_true")
        verbs.add_parser("reset").add_argument("name", help="provider/model, as `list` prints it")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "list":
            self._list(as_json=options["json"])
        else:
            self._reset(options["name"])

    def _list(self, *, as_json: bool) -> None:
        rows = [_row(breaker) for breaker in Breaker.objects.order_by("name")]
        if as_json:
            self.stdout.write(json.dumps(rows))
        for row in () if as_json else rows:
            since = f", since {row['since']}, next probe {row['next_probe']}" if row["since"] else ""
            self.stdout.write(f"{row['name']}: {row['state']}, {row['failures']} failures{since}")
        if any(row["state"] != Breaker.State.CLOSED for row in rows):
            raise SystemExit(1)

    def _reset(self, name: str) -> None:
        try:
            breakers.reset(name, by="system:command", at=timezone.now())
        except Missing as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(f"{name}: closed")


def _row(breaker: Breaker) -> dict[str, Any]:
    opened = breaker.opened_at
    return {
        "name": breaker.name,
        "state": breaker.state,
        "failures": breaker.failures,
        "since": opened and opened.isoformat(timespec="seconds"),
        "next_probe": opened and (opened + breakers.RECOVERY).isoformat(timespec="seconds"),
        "last_error": breaker.last_error,
    }

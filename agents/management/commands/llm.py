import json
import time
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from agents import costs, llm
from agents.models import ModelCall
from nextrade.errors import Unavailable


class Command(BaseCommand):
    help = (
        "`llm ping`: one real request; latency and model, or the class of the error and exit 1. "
        "`llm report`: tokens and cost by person, agent and model."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        report = verbs.add_parser("report")
        report.add_argument("--days", type=int, default=30)
        report.add_argument("--json", action="store_true")
        ping = verbs.add_parser("ping")
        ping.add_argument("--model", default="", help="another model than NEXTRADE_MODEL")
        ping.add_argument("--json", action="store_true")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "report":
            self._report(**options)
        else:
            self._ping(**options)

    def _report(self, *, days: int, **options: Any) -> None:
        calls = ModelCall.objects.filter(at__gte=timezone.now() - timedelta(days=days))
        rows = costs.usage(calls, "user__username", "agent", "model")
        if options["json"]:
            self.stdout.write(json.dumps(rows, default=str))
            return
        for row in rows or [{}]:
            self.stdout.write("\t".join(f"{name}={value}" for name, value in row.items()) or "no calls")

    def _ping(self, *, model: str, **options: Any) -> None:
        start = time.monotonic()
        try:
            found: dict[str, Any] = {"ok": True, "model": llm.ping(model)}
        except Unavailable as error:
            found = {"ok": False, "error": error.message}
        found["latency_ms"] = round((time.monotonic() - start) * 1000)
        what = f"{found['model']} answers" if found["ok"] else found["error"]
        self.stdout.write(json.dumps(found) if options["json"] else f"{what} ({found['latency_ms']} ms)")
        if not found["ok"]:
            raise SystemExit(1)

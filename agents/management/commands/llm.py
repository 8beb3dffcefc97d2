import json
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from agents import llm
from nextrade.errors import Unavailable


class Command(BaseCommand):
    help = "`llm ping`: one real request; latency and model, or the class of the error and exit 1."

    def add_arguments(self, parser: CommandParser) -> None:
        ping = parser.add_subparsers(dest="verb", required=True).add_parser("ping")
        ping.add_argument("--model", default="", help="another model than NEXTRADE_MODEL")
        ping.add_argument("--json", action="store_true")

    def handle(self, *args: Any, model: str, **options: Any) -> None:
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

"""manage.py evaluate_guard FILE...: recall, false positives and time of the input guard, by kind."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agents.guard_evaluation import evaluate
from nextrade.errors import Invalid


class Command(BaseCommand):
    help = "Recall, false positives and time of the input guard on labelled texts (JSON Lines: label, kind, text)"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--chars", type=int, default=0, help="repeat each text up to this length, for the times")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reports = [evaluate(path, chars=options["chars"]) for path in options["files"]]
        except Invalid as error:
            raise CommandError(error.message, returncode=2) from error
        if options["json"]:
            self.stdout.write(json.dumps(reports))
            return
        for report in reports:
            self._print(report)

    def _print(self, report: dict[str, Any]) -> None:
        self.stdout.write(report["file"])
        self.stdout.write(f"  {'label':8}{'kind':24}{'texts':>6}{'blocked':>9}{'flagged':>9}{'p50 ms':>9}{'p99 ms':>9}")
        for row in report["kinds"]:
            self.stdout.write(
                f"  {row['label']:8}{row['kind'][:23]:24}{row['texts']:6}{row['blocked']:9}{row['flagged']:9}"
                f"{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}"
            )
        recall, wrong = (_percent(report[name]) for name in ("recall_pct", "false_positive_pct"))
        self.stdout.write(
            f"  recall {recall}, false positives {wrong}, p50 {report['p50_ms']:.2f} ms, p99 {report['p99_ms']:.2f} ms"
            f" ({report['cpu_p99_ms']:.2f} ms of the processor)"
        )


def _percent(share: float | None) -> str:
    return "none to find" if share is None else f"{share:.1f} %"

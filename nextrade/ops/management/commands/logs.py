import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.ops.care import log_lines


class Command(BaseCommand):
    help = (
        "What the application log says: LOG_FILE with its rotated brothers, a file, or - for stdin. Needs no database."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        errors = actions.add_parser("errors", help="ERROR and CRITICAL, the most frequent first; 1 where there are any")
        errors.add_argument("--by", choices=("type", "message", "logger"), default="type")
        errors.add_argument("--top", type=int, default=20)
        slow = actions.add_parser("times", help="n, p50, p95, p99 and max of each function, seconds")
        trends = actions.add_parser("trends", help="how many of each level a day")
        find = actions.add_parser("search", help="as grep -E; 1 where nothing is found")
        find.add_argument("pattern")
        find.add_argument("-i", "--ignore-case", action="store_true")
        find.add_argument("-C", "--context", type=int, default=0)
        find.add_argument("-c", "--count", action="store_true")
        pack = actions.add_parser("archive", help="compress rotated logs")
        pack.add_argument("--older-than", type=log_lines.span, default=timedelta(days=7))
        for one in (errors, slow, trends):
            one.add_argument("--since", type=log_lines.span, help="90m, 24h, 7d; everything otherwise")
            one.add_argument("--json", action="store_true")
        for one in (errors, slow, trends, find, pack):
            one.add_argument("--file", default=str(settings.LOG_FILE), help="instead of LOG_FILE; - for stdin")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        if not options["file"]:
            raise CommandError("LOG_FILE is not set: --file names a log, - reads stdin", returncode=2)
        try:
            getattr(self, f"_{action}")(options)
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}", returncode=2) from error

    def _errors(self, options: dict[str, Any]) -> None:
        found = log_lines.errors(self._records(options), by=options["by"])[: options["top"]]
        if options["json"]:
            self.stdout.write(json.dumps([asdict(each) for each in found], default=str))
        for each in found if not options["json"] else ():
            self.stdout.write(f"{each.count:6} {each.kind}   [{each.example.logger}, last {_time(each.example.at)}]")
        if found:
            raise SystemExit(1)

    def _times(self, options: dict[str, Any]) -> None:
        found = log_lines.times(self._records(options))
        if options["json"]:
            self.stdout.write(json.dumps([asdict(each) for each in found]))
            return
        for row in found:
            self.stdout.write(
                f"{row.function}: n={row.n} p50={row.p50:.2f} p95={row.p95:.2f} p99={row.p99:.2f} max={row.max:.2f} s"
            )

    def _trends(self, options: dict[str, Any]) -> None:
        found = log_lines.trends(self._records(options))
        if options["json"]:
            self.stdout.write(json.dumps(found))
        for day, levels in found.items() if not options["json"] else ():
            self.stdout.write(f"{day}  " + "  ".join(f"{level} {number}" for level, number in sorted(levels.items())))

    def _search(self, options: dict[str, Any]) -> None:
        context = 0 if options["count"] else options["context"]
        try:
            found = list(
                log_lines.search(
                    self._lines(options, None), options["pattern"], ignore_case=options["ignore_case"], context=context
                )
            )
        except re.error as error:
            raise CommandError(f"{options['pattern']!r} is no pattern: {error}", returncode=2) from error
        self.stdout.write(str(len(found)) if options["count"] else "\n".join(found))
        if not found:
            raise SystemExit(1)

    def _archive(self, options: dict[str, Any]) -> None:
        done = log_lines.archive(Path(options["file"]), before=timezone.now() - options["older_than"])
        self.stdout.write(f"compressed: {', '.join(done) or 'nothing is old enough'}")

    def _records(self, options: dict[str, Any]) -> Iterator[log_lines.Record]:
        start = timezone.now() - options["since"] if options["since"] else None
        return log_lines.since(log_lines.records(self._lines(options, start)), start)

    def _lines(self, options: dict[str, Any], start: datetime | None) -> Iterator[str]:
        return iter(sys.stdin) if options["file"] == "-" else log_lines.lines_of(Path(options["file"]), start)


def _time(at: datetime | None) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}" if at else "unknown"

"""manage.py ops render --out DIR: write the configuration of other programs (`nextrade.ops.render`).

Thresholds that somebody set are in it; with --defaults the catalogue's own, which is what is committed. With --check
nothing is written, and it exits 1 where the directory differs.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from nextrade.ops import render, thresholds
from nextrade.ops.render import Site
from nextrade.ops.rules import catalogue


class Command(BaseCommand):
    help = "Write the configuration of Prometheus, Alertmanager, Grafana and the others"

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        rendering = verbs.add_parser("render", help="write the files that differ")
        rendering.add_argument("--out", type=Path, required=True)
        rendering.add_argument("--defaults", action="store_true", help="the catalogue's own thresholds, no database")
        rendering.add_argument("--check", action="store_true", help="write nothing, exit 1 where a file differs")

    def handle(self, *args: Any, **options: Any) -> None:
        site = Site() if options["defaults"] else Site(rules=catalogue(thresholds.in_force()))
        if not options["check"]:
            self.stdout.write(f"Written: {', '.join(render.write(site, options['out'])) or 'nothing had changed'}")
        elif changed := render.differing(site, options["out"]):
            raise CommandError(f"other than rendered: {', '.join(changed)}")

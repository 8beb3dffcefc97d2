import dataclasses
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from nextrade.ops import maintenance, schedules
from nextrade.ops.backup import copy, manifest, offsite, prune, replication, restore, settle, shelf, verify
from nextrade.ops.models import MaintenanceRun


class Command(BaseCommand):
    help = "Backups: take one, verify, list, prune, put one back."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("run", help="take a backup now")
        check = actions.add_parser("verify", help="whether a set is what it was")
        check.add_argument("name", nargs="?", default=shelf.LATEST, help="YYYYMMDD_HHMMSS, latest or all")
        check.add_argument("--offsite", action="store_true", help="its copies elsewhere too")
        listed = actions.add_parser("list", help="what there is")
        old = actions.add_parser("prune", help="compress what is over 30 days old, delete what is over 90")
        old.add_argument("--dry-run", action="store_true")
        back = actions.add_parser("restore", help="put one back in place of what is there")
        back.add_argument("name", help="YYYYMMDD_HHMMSS, latest, or replica: what litestream has elsewhere")
        back.add_argument("--to", type=Path, help="a new data directory instead; nothing of the real one is touched")
        back.add_argument("--force", action="store_true", help="although something still runs")
        done = actions.add_parser("settle", help="what restore does once the database is in place; safe to repeat")
        done.add_argument("name")
        actions.add_parser("replicate", help="SQLite: become litestream, which copies every commit elsewhere")
        actions.add_parser("wal", help="PostgreSQL: how it should archive its log, and whether it does")
        for one in (back, done):
            one.add_argument("--by", default="system:operator")
        for one in (check, listed, old, back):
            one.add_argument("--json", action="store_true")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            getattr(self, f"_{action}")(options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error

    def _run(self, options: dict[str, Any]) -> None:
        try:
            done = maintenance.run(schedules.job("database_backup"), by="system:operator")
        except Exception as error:
            raise CommandError(f"no backup: {maintenance.told(error)}", returncode=1) from error
        if done.status != MaintenanceRun.Status.SUCCEEDED:
            raise CommandError(f"no backup: {done.summary}", returncode=1)
        self.stdout.write(f"Backup completed: {Path(done.artefact).name}")

    def _verify(self, options: dict[str, Any]) -> None:
        names = shelf.data().names() if options["name"] == "all" else [shelf.data().find(options["name"]).name]
        found = {name: verify.verify(name, at=timezone.now()) for name in names}
        if options["offsite"]:
            found = {name: [*problems, *offsite.verify(name)] for name, problems in found.items()}
        if options["json"]:
            self.stdout.write(json.dumps(found))
        for name, problems in found.items() if not options["json"] else ():
            self.stdout.write(f"{name}: {'; '.join(problems) or 'ok'}")
        if any(found.values()) or not found:
            raise CommandError(f"{sum(map(bool, found.values()))} of {len(found)} sets are wrong", returncode=1)

    def _list(self, options: dict[str, Any]) -> None:
        told = [_told(name) for name in shelf.data().names()]
        if options["json"]:
            self.stdout.write(json.dumps(told))
            return
        for each in told:
            marks = [mark for mark in ("verified", "compressed", "monthly") if each[mark]]
            self.stdout.write(
                f"{each['name']}  {each['bytes']:>14,} bytes  {each['age_days']:>5} days  {', '.join(marks)}"
            )

    def _prune(self, options: dict[str, Any]) -> None:
        done = prune.prune(at=timezone.now(), is_dry=options["dry_run"])
        if options["json"]:
            self.stdout.write(json.dumps(done))
            return
        for line in done:
            self.stdout.write(f"would have {line}" if options["dry_run"] else line)

    def _restore(self, options: dict[str, Any]) -> None:
        if options["to"] is not None:
            settled = _restore_to(options["name"], options["to"], by=options["by"])
            where = f"{options['to']} is a data directory: NEXTRADE_DATA_DIR={options['to']}"
        else:
            done = restore.restore(options["name"], by=options["by"], at=timezone.now(), force=options["force"])
            settled, where = done.settled, f"{done.name} is in place; what was there is kept as {done.aside}"
        self.stdout.write(json.dumps(settled) if options["json"] else where)
        if settled["key_problem"]:
            self.stderr.write(
                f"the sealing key is not here ({settled['key_problem']}): run `audit restored` where it is"
            )
        if settled["is_halted"] and not options["json"]:
            self.stdout.write("trading is halted: `books compare`, then `resume_trading`")
        if settled["faults"]:
            raise CommandError(f"{len(settled['faults'])} faults, the first: {settled['faults'][0]}", returncode=1)

    def _replicate(self, options: dict[str, Any]) -> None:
        replication.replicate()

    def _wal(self, options: dict[str, Any]) -> None:
        self.stdout.write(replication.wal_advice())
        if settings.SQLITE:
            return
        if problems := replication.wal_problems():
            raise CommandError("; ".join(problems), returncode=1)
        self.stdout.write(f"last archived {replication.newest_of_archive()}")

    def _settle(self, options: dict[str, Any]) -> None:
        done = settle.settle(options["name"], by=options["by"], at=timezone.now())
        self.stdout.write(json.dumps(dataclasses.asdict(done)))


def _restore_to(name: str, folder: Path, *, by: str) -> dict[str, Any]:
    if not settings.SQLITE:
        raise CommandError("with PostgreSQL a restore goes into the database that DATABASE_URL names", returncode=2)
    if folder.exists() and any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty", returncode=2)
    data, keys = restore.sound(shelf.data().find(name)), shelf.keys().find(shelf.LATEST)
    with copy.made(data, keys, folder.resolve(), is_kept=True) as made:
        return copy.settle(made.environment, data.name, by=by)


def _told(name: str) -> dict[str, Any]:
    folder = shelf.data().folder / name
    return {
        "name": name,
        "taken_at": shelf.taken_at(name).isoformat(),
        "age_days": (timezone.now() - shelf.taken_at(name)) // timedelta(days=1),
        "bytes": sum(file.stat().st_size for file in folder.iterdir()),
        "files": sorted(file.name for file in folder.iterdir() if file.name not in manifest.APART),
        "verified": verify.is_verified(folder),
        "compressed": not prune.compressible(folder),
        "monthly": prune.is_monthly(name, shelf.data()),
        "has_keys": name in shelf.keys().names(),
    }

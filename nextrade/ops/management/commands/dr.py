import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from nextrade.ops import maintenance, schedules
from nextrade.ops.backup import drill, offsite, shelf
from nextrade.ops.backup.shelf import Shelf
from nextrade.ops.models import MaintenanceRun

ORDER = "web, worker, sealer, alertd"


class Command(BaseCommand):
    help = "Disaster recovery: prove the newest backup; from an empty directory to a running system."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("drill", help="restore the newest backup beside the real thing, verify, boot, ask /health")
        again = actions.add_parser("restore", help="make an installation from backups, where there is none")
        again.add_argument("--from", dest="from_", required=True, help="a directory of sets, or dir:, s3:, rsync:")
        again.add_argument("--keys-from", required=True, help="the same for the sets of keys")
        again.add_argument("--name", default=shelf.LATEST)
        again.add_argument("--identity", type=Path, help="the private key of age, for what lies off-site")
        again.add_argument("--start", action="store_true", help=f"then start {ORDER}, and stay")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "drill":
                self._drill()
            else:
                self._restore(options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error

    def _drill(self) -> None:
        try:
            done = maintenance.run(schedules.job("restore_drill"), by="system:operator")
        except Exception as error:
            raise CommandError(f"the drill failed: {maintenance.told(error)}", returncode=1) from error
        if done.status != MaintenanceRun.Status.SUCCEEDED:
            raise CommandError(f"no drill: {done.summary}", returncode=1)
        self.stdout.write(done.summary)

    def _restore(self, options: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory(prefix="nextrade-fetched-") as scratch:
            data = _fetch(options["from_"], options["name"], options["identity"], Path(scratch) / "data")
            keys = _fetch(options["keys_from"], shelf.LATEST, options["identity"], Path(scratch) / "keys")
            done = drill.rebuild(data, keys, by="system:operator", at=timezone.now())
        self.stdout.write(json.dumps(done))
        if done["faults"]:
            raise CommandError(f"{len(done['faults'])} faults: {done['faults'][0]}", returncode=1)
        self.stdout.write(f"RTO={done['rto_s']}s: {done['name']} is in place, /health {done['health']}")
        if options["start"]:
            self.stdout.flush()
            os.chdir(settings.BASE_DIR)
            os.execv(sys.executable, [sys.executable, "-m", "honcho", "start"])  # noqa: S606
        self.stdout.write(f"Start, in this order: {ORDER} (make run starts them all)")


def _fetch(where: str, name: str, identity: Path | None, into: Path) -> Path:
    """A set from a directory of sets, or from off-site, opened. Raises BackupProblem, NoSuchBackup."""
    if where.partition(":")[0] not in offsite.KINDS:
        return Shelf(folder=Path(where).resolve()).find(name)
    if identity is None:
        raise CommandError("what lies off-site is encrypted: --identity names the private key", returncode=2)
    return offsite.fetch(where, name, identity, into)

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from compliance import audit, custody, export, grants, mac, projection, trust, verify
from nextrade.errors import NexTradeError


class Command(BaseCommand):
    help = "The audit trail: verify it, rebuild its log, keep its keys, own up to a restore, print the database roles."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser("verify", help="whether the trail is what it was")
        check.add_argument("--incremental", action="store_true", help="only what was sealed in the last two hours")
        check.add_argument("--json", action="store_true")
        check.add_argument("--record", action="store_true", help="write down in the trail that it was verified")
        actions.add_parser("rebuild_log", help="make compliance.log anew from the trail")
        actions.add_parser("grants", help="the statements that make PostgreSQL's roles")
        actions.add_parser("keys", help="the sealing keys, oldest first")
        actions.add_parser("rotate_mac", help="a new version of the writers' key")
        by = CommandParser(add_help=False)
        by.add_argument("--by", required=True, help="your user name")
        why = CommandParser(add_help=False)
        why.add_argument("--reason", required=True)
        actions.add_parser("rotate", help="let a new key sign", parents=[by])
        actions.add_parser("restored", help="go on from a restored backup", parents=[by, why])
        to_zip = actions.add_parser("export", help="a zip that proves itself elsewhere")
        to_zip.add_argument("--by", default="", help="your user name, for the trail")
        to_zip.add_argument("--from", dest="from_", required=True, help="first moment, ISO 8601")
        to_zip.add_argument("--to", required=True, help="first moment after")
        to_zip.add_argument("--out", type=Path, required=True)
        revoke = actions.add_parser("revoke", help="void an earlier key", parents=[by, why])
        revoke.add_argument("key_id")
        revoke.add_argument("--from", dest="from_", required=True, help="moment from which it is void, ISO 8601")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        run: dict[str, Callable[[dict[str, Any]], None]] = {
            "verify": self._verify,
            "rebuild_log": self._rebuild_log,
            "grants": self._grants,
            "keys": self._keys,
            "rotate": self._rotate,
            "rotate_mac": self._rotate_mac,
            "revoke": self._revoke,
            "restored": self._restored,
            "export": self._export,
        }
        try:
            run[action](options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error

    def _verify(self, options: dict[str, Any]) -> None:
        report = verify.verify(since=timezone.now() - verify.RECENT if options["incremental"] else None)
        found = report.as_json()
        if options["record"]:
            verify.note(report, is_full=not options["incremental"], at=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps(found))
        else:
            for name, value in found.items():
                if name not in ("faults", "ok"):
                    self.stdout.write(f"{name}: {value if value is not None else 'none'}")
        if found["faults"]:
            raise CommandError(f"{len(found['faults'])} faults", returncode=1)

    def _rebuild_log(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"{projection.rebuild()} lines written")

    def _grants(self, options: dict[str, Any]) -> None:
        for statement in grants.statements():
            self.stdout.write(f"{statement};")

    def _keys(self, options: dict[str, Any]) -> None:
        ring = trust.keyring()
        for key in ring.keys.values():
            state = f"revoked from {key.revoked_from}" if key.revoked_from else f"until {key.until or 'now'}"
            self.stdout.write(f"{key.verifier} since {key.since} {state}")

    def _rotate(self, options: dict[str, Any]) -> None:
        self.stdout.write(f"key {custody.rotate(by=_person(options), at=timezone.now())} signs from now on")

    def _rotate_mac(self, options: dict[str, Any]) -> None:
        key_id = mac.rotate(day=timezone.now().date())
        self.stdout.write(f"key {key_id} signs events: restart every process that writes")

    def _revoke(self, options: dict[str, Any]) -> None:
        from_ = _moment(options["from_"])
        by, reason = _person(options), options["reason"]
        custody.revoke(options["key_id"], from_=from_, reason=reason, by=by, at=timezone.now())
        self.stdout.write(f"key {options['key_id']} is void from {options['from_']}")

    def _export(self, options: dict[str, Any]) -> None:
        from_, to = _moment(options["from_"]), _moment(options["to"])
        by = _person(options) if options["by"] else "system:command"
        try:
            digest = export.write(options["out"], from_=from_, to=to, by=by, at=timezone.now())
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error.strerror}", returncode=2) from error
        self.stdout.write(f"{options['out']} written, manifest {digest}")

    def _restored(self, options: dict[str, Any]) -> None:
        logs = custody.restored(reason=options["reason"], by=_person(options), at=timezone.now())
        self.stdout.write(f"goes on from an older state: {', '.join(logs) or 'none'}")


def _moment(text: str) -> datetime:
    """A day stands for its start, in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text} is no moment such as 2026-11-23 or 2026-11-23T12:00:00Z", returncode=2) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _person(options: dict[str, Any]) -> str:
    user = User.objects.filter(username=options["by"]).first()
    if user is None:
        raise CommandError(f"there is no user {options['by']}", returncode=2)
    return audit.person(user)

import json
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from compliance import audit, erasure
from nextrade.errors import NexTradeError


class Command(BaseCommand):
    help = "A person's rights: give them what is known of them, forget them; after a restore, forget again."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, told in (("export", "all that is known of a person, as JSON"), ("erase", "forget a person")):
            one = actions.add_parser(name, help=told)
            one.add_argument("username")
            one.add_argument("--by", help="your user name; the machine's operator otherwise")
            one.add_argument("--json", action="store_true")
            if name == "export":
                one.add_argument("--out", type=Path, help="a file, 0600; standard output otherwise")
        actions.add_parser("reapply", help="after a restore: erase again whoever was erased before")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "reapply":
                done = erasure.reapply(at=timezone.now())
                self.stdout.write(f"erased again: {', '.join(done) or 'nobody'}")
            elif action == "export":
                self._export(options)
            else:
                self._erase(options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error

    def _export(self, options: dict[str, Any]) -> None:
        found = erasure.export(_user(options["username"]), by=_by(options), at=timezone.now())
        text = json.dumps(found, indent=1, ensure_ascii=False, default=str)
        if options["out"] is None:
            self.stdout.write(text)
            return
        options["out"].touch(mode=0o600)
        options["out"].write_text(text, encoding="utf-8")
        self.stdout.write(f"{options['out']} written")

    def _erase(self, options: dict[str, Any]) -> None:
        user = _user(options["username"])
        counts = erasure.erase(user, by=_by(options), at=timezone.now())
        if options["json"]:
            self.stdout.write(json.dumps({"person": audit.person(user), "deleted": counts}))
            return
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        self.stdout.write(f"{audit.person(user)} is forgotten ({told}). Take a backup now: older ones still know them.")


def _user(username: str) -> User:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"there is no user {username}", returncode=2)
    return user


def _by(options: dict[str, Any]) -> str:
    return audit.person(_user(options["by"])) if options["by"] else "system:operator"

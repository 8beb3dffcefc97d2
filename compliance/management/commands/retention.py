import json
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone

from compliance import audit, retention
from nextrade.errors import NexTradeError


class Command(BaseCommand):
    help = "What is past its retention: delete it under a certificate; set and lift legal holds."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        apply = actions.add_parser("apply", help="delete what is past its time, on the sealer's machine, as the owner")
        apply.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
        apply.add_argument("--json", action="store_true")
        actions.add_parser("holds", help="legal holds that stand")
        for name, told in (("hold", "keep something, whatever its age"), ("lift", "end a legal hold")):
            one = actions.add_parser(name, help=told)
            one.add_argument("subject", help="everything, a user name, or order:ID")
            one.add_argument("--reason", required=True)
            one.add_argument("--by", required=True, help="your user name")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "apply":
                self._apply(is_dry=options["dry_run"], is_json=options["json"])
            elif action == "holds":
                for held in retention.holds():
                    self.stdout.write(f"{held.subject} since {held.set_at:%Y-%m-%d} by {held.set_by}: {held.reason}")
            else:
                run = retention.hold if action == "hold" else retention.lift
                subject = _subject(options["subject"])
                run(subject, reason=options["reason"], by=_pid(options["by"]), at=timezone.now())
                self.stdout.write(f"{action}: {subject}")
        except (NexTradeError, DatabaseError) as error:
            raise CommandError(str(error), returncode=1) from error

    def _apply(self, *, is_dry: bool, is_json: bool) -> None:
        found = retention.apply(at=timezone.now(), is_dry=is_dry)
        if is_json:
            plain = [{**vars(each), "kept_until": each.kept_until.isoformat()} for each in found]
            self.stdout.write(json.dumps({"dry_run": is_dry, "due": plain}))
            return
        for each in found:
            state = f"held: {', '.join(each.held_by)}" if each.held_by else "would be deleted" if is_dry else "deleted"
            self.stdout.write(f"{each.name}: {each.rows}, {state}")
        if not found:
            self.stdout.write("nothing is past its time")


def _subject(text: str) -> str:
    return text if text == retention.EVERYTHING or text.startswith("order:") else _pid(text)


def _pid(username: str) -> str:
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"there is no user {username}", returncode=2)
    return audit.person(user)

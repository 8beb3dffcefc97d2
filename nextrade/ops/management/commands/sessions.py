"""manage.py sessions list|end USERNAME: who is logged in to the web, and an end to it."""

from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade import sessions


class Command(BaseCommand):
    help = "List or end somebody's sessions of the web"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["list", "end"])
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is nobody called {options['username']}")
        at = timezone.now()
        if options["what"] == "end":
            self.stdout.write(f"{user.username}: {sessions.end(user, at=at)} session(s) ended")
            return
        for session, data in sessions.of(user, at=at):
            begun, seen = (_time(data.get(key)) for key in (sessions.BEGUN_AT, sessions.SEEN_AT))
            self.stdout.write(f"{session.pk[:6]}…  begun {begun}  seen {seen}")


def _time(seconds: float | None) -> str:
    return "-" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

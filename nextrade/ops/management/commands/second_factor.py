"""manage.py second_factor reset USERNAME: forget the authenticator and recovery codes of who lost them."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade import second_factor, sessions


class Command(BaseCommand):
    help = "Forget the authenticator and recovery codes of who lost them, and end their sessions"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["reset"])
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"there is nobody called {options['username']}")
        devices = second_factor.reset(user, by="system:second_factor")
        ended = sessions.end(user, at=timezone.now())
        self.stdout.write(f"{user.username}: {devices} device(s) forgotten, {ended} session(s) ended")

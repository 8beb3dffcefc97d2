"""manage.py unlock USERNAME: let somebody log in again who gave too many wrong passwords."""

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from nextrade import lockout


class Command(BaseCommand):
    help = "Let somebody log in again who gave too many wrong passwords"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        name = options["username"]
        if not User.objects.filter(username=name).exists():
            raise CommandError(f"there is nobody called {name}")
        lockout.unlock(name)
        self.stdout.write(f"{name} may log in")

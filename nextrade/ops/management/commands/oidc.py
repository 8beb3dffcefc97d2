from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade import oidc


class Command(BaseCommand):
    help = "Say which account here is which person at the identity provider. Their password ends."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        link = verbs.add_parser("link")
        link.add_argument("username")
        link.add_argument("subject", help="the provider's `sub` for this person")
        link.add_argument("--by", required=True, help="who says so")

    def handle(self, *args: Any, username: str, subject: str, by: str, **options: Any) -> None:
        if not settings.OIDC_ISSUER:
            raise CommandError("NEXTRADE_OIDC_ISSUER is not set", returncode=2)
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"there is no user {username}", returncode=2)
        oidc.link(user, subject, by=f"operator:{by}"[:64], at=timezone.now())
        self.stdout.write(f"{username} logs in at {settings.OIDC_ISSUER} from now on")

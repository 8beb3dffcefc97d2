"""Six people to try NexTrade with: two traders, two approvers, a compliance officer and an operator."""

import json
import secrets
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from knox.models import get_token_model

from compliance import audit
from compliance.audit import Action
from nextrade import lockout
from orders import services

CAST = (
    ("ann", "Traders", False),
    ("ben", "Traders", False),
    ("bob", "Approvers", True),
    ("bea", "Approvers", True),
    ("carol", "Compliance", True),
    ("olga", "Operations", True),
)
SUPERUSER = "olga"
OPENING_CASH_USD = Decimal(100_000)


class Command(BaseCommand):
    help = "Make the demo's people, with new passwords and tokens each time. Refuses on a production configuration."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        if not (settings.DEMO or settings.DEBUG) or settings.BROKER != "paper":
            raise CommandError(
                "this is a production configuration: the demo's people have no place in it", returncode=1
            )
        people = [_member(*member) for member in CAST]
        if options["json"]:
            self.stdout.write(json.dumps(people))
            return
        self.stdout.write(f"{'user':8}{'password':20}{'group':12}token")
        for person in people:
            self.stdout.write(f"{person['username']:8}{person['password']:20}{person['groups'][0]:12}{person['token']}")


def _member(username: str, group: str, is_staff: bool) -> dict[str, Any]:
    password = secrets.token_urlsafe(12)
    at = timezone.now()
    lockout.unlock(username)
    with transaction.atomic():
        user, _ = User.objects.get_or_create(username=username, defaults={"email": f"{username}@nextrade.example"})
        user.is_staff, user.is_superuser, user.is_active = is_staff, username == SUPERUSER, True
        user.set_password(password)
        user.save()
        user.groups.set([Group.objects.get(name=group)])
        get_token_model().objects.filter(user=user).delete()
        _, token = get_token_model().objects.create(user=user)
        audit.record(
            Action.DEMO_CAST, actor="system:demo_cast", on_behalf_of=audit.person(user), at=at, details={"group": group}
        )
    if group == "Traders":
        services.open_account(user, cash_usd=OPENING_CASH_USD, by="system:demo_cast", at=at)
    return {"username": username, "password": password, "token": token, "groups": [group]}

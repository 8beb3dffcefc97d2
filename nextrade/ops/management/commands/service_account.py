import json
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade import service_accounts
from nextrade.errors import NexTradeError
from nextrade.ops.models import ServiceAccount


class Command(BaseCommand):
    help = "Accounts of programs: make one and print its token once, list them, end one."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create")
        create.add_argument("name")
        create.add_argument("--owner", required=True, help="the person who answers for it")
        create.add_argument("--purpose", required=True)
        create.add_argument("--group", default="Traders", choices=service_accounts.GROUPS)
        create.add_argument("--scopes", default="read", help="comma-separated: chat, read")
        create.add_argument("--days", type=int, default=90)
        verbs.add_parser("list").add_argument("--json", action="store_true")
        end = verbs.add_parser("end")
        end.add_argument("name")
        end.add_argument("--reason", required=True)

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        getattr(self, f"_{verb}")(**options)

    def _create(self, *, name: str, owner: str, purpose: str, group: str, scopes: str, days: int, **_: Any) -> None:
        person = User.objects.filter(username=owner).first()
        if person is None:
            raise CommandError(f"there is no user {owner}", returncode=2)
        now = timezone.now()
        try:
            _made, token = service_accounts.create(
                name,
                owner=person,
                purpose=purpose,
                group=group,
                wanted=scopes.split(","),
                expires_at=now + timedelta(days=days),
                at=now,
            )
        except NexTradeError as error:
            raise CommandError(f"{error.reason}: {error.message}", returncode=2) from error
        self.stdout.write(token)

    def _list(self, *, json: bool, **_: Any) -> None:
        rows = [_told(account) for account in ServiceAccount.objects.select_related("user", "owner").order_by("id")]
        self.stdout.write(_as_json(rows) if json else "\n".join("  ".join(map(str, row.values())) for row in rows))

    def _end(self, *, name: str, reason: str, **_: Any) -> None:
        account = ServiceAccount.objects.filter(user__username=name).first()
        if account is None:
            raise CommandError(f"there is no service account {name}", returncode=2)
        service_accounts.end(account, because=reason, at=timezone.now())
        self.stdout.write(f"{name} has ended")


def _told(account: ServiceAccount) -> dict[str, Any]:
    return {
        "name": account.user.get_username(),
        "owner": account.owner.get_username(),
        "purpose": account.purpose,
        "expires_at": account.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "is_active": account.user.is_active,
    }


def _as_json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(rows)

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from nextrade.errors import NexTradeError
from orders import books, reconciliation
from orders.models import Account, Break


class Command(BaseCommand):
    help = "The books: rebuild them from executions alone, compare them with the broker, list and resolve breaks."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("rebuild", help="make cash and positions what executions and transfers say")
        actions.add_parser("compare", help="compare orders and positions with the broker now")
        actions.add_parser("breaks", help="the open differences")
        resolve = actions.add_parser("resolve", help="close a difference")
        resolve.add_argument("break_id", type=int)
        resolve.add_argument("--by", required=True, help="your user name")
        resolve.add_argument("--resolution", required=True, help="what it came from")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            found = {"rebuild": _rebuild, "compare": _compare, "breaks": _breaks, "resolve": _resolve}[action](options)
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error
        for line in found:
            self.stdout.write(line)
        if action in ("rebuild", "compare", "breaks") and found:
            raise CommandError(f"{len(found)} found", returncode=1)
        self.stdout.write("done" if action == "resolve" else "nothing differs")


def _rebuild(options: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for key in Account.objects.values_list("pk", flat=True):
        with transaction.atomic():
            found += books.rebuild(Account.objects.select_for_update(of=("self",)).select_related("owner").get(pk=key))
    return found


def _compare(options: dict[str, Any]) -> list[str]:
    return [_line(row) for row in reconciliation.compare(at=timezone.now())]


def _breaks(options: dict[str, Any]) -> list[str]:
    return [_line(row) for row in Break.objects.filter(resolved_at=None).order_by("id")]


def _resolve(options: dict[str, Any]) -> list[str]:
    user = User.objects.filter(username=options["by"]).first()
    if user is None:
        raise CommandError(f"there is no user {options['by']}", returncode=2)
    row = reconciliation.resolve(options["break_id"], by=user, resolution=options["resolution"], at=timezone.now())
    return [_line(row)]


def _line(row: Break) -> str:
    return (
        f"{row.pk} {row.kind} {row.subject}: ours {row.ours}, theirs {row.theirs}, found {row.found_at:%Y-%m-%d %H:%M}"
    )

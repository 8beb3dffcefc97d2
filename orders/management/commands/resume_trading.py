from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from orders import safeguards
from orders.management.parsing import account


class Command(BaseCommand):
    help = "Lift what halts all trading, one symbol or one account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", default="", help="this symbol alone")
        parser.add_argument("--account", type=account, help="the account of this user alone")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, symbol: str, reason: str, **options: Any) -> None:
        of = options["account"]
        where = symbol.upper() or (f"account of {of.owner}" if of else "all trading")
        try:
            lifted = safeguards.resume_trading(
                symbol=symbol, account=of, reason=reason, by="system:command", at=timezone.now()
            )
        except NexTradeError as error:
            raise CommandError(error.message, returncode=2) from error
        if not lifted:
            raise CommandError(f"{where} was not halted", returncode=1)
        self.stdout.write(f"Resumed: {where}.")

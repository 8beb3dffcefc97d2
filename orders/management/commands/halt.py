from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from orders import instruments, safeguards, services
from orders.management.parsing import account
from orders.models import TradingState


class Command(BaseCommand):
    help = "Kill switch: stop trading everywhere, in one symbol or of one account."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", default="", help="this symbol alone")
        parser.add_argument("--account", type=account, help="the account of this user alone")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--reducing", action="store_true", help="let orders through that reduce exposure")
        parser.add_argument("--cancel-open", action="store_true", help="take back every order that is not over")

    def handle(self, *args: Any, cancel_open: bool, reason: str, **options: Any) -> None:
        symbol = options["symbol"]
        if symbol and instruments.find(symbol) is None:
            raise CommandError(f"no instrument has the symbol {symbol}: nothing was halted", returncode=2)
        try:
            row = safeguards.halt(
                symbol=symbol,
                account=options["account"],
                state=TradingState.State.REDUCING if options["reducing"] else TradingState.State.HALTED,
                reason=reason,
                by="system:command",
                at=timezone.now(),
            )
        except NexTradeError as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(f"{row.get_state_display()}: {row.where}. Reason: {row.reason}")
        if cancel_open:
            taken = services.cancel_open(
                symbol=row.symbol, account=row.account, by="system:command", reason=reason, at=timezone.now()
            )
            self.stdout.write(f"Taken back: {taken} open orders")

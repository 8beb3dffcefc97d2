from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from orders import services


class Command(BaseCommand):
    help = "Lift the halt of all trading, or of one symbol."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", default="", help="this symbol alone")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, symbol: str, reason: str, **options: Any) -> None:
        try:
            lifted = services.resume_trading(symbol=symbol, reason=reason, by="system:command", at=timezone.now())
        except NexTradeError as error:
            raise CommandError(error.message, returncode=2) from error
        if not lifted:
            raise CommandError(f"{symbol.upper() or 'all trading'} was not halted", returncode=1)
        self.stdout.write(f"Resumed: {symbol.upper() or 'all trading'}.")

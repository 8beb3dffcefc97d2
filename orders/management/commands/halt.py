from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from nextrade.errors import NexTradeError
from orders import services


class Command(BaseCommand):
    help = "Kill switch: stop all trading, or trading in one symbol."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--symbol", default="", help="this symbol alone")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, symbol: str, reason: str, **options: Any) -> None:
        try:
            halt = services.halt(symbol=symbol, reason=reason, by="system:command", at=timezone.now())
        except NexTradeError as error:
            raise CommandError(error.message, returncode=2) from error
        self.stdout.write(f"Halted: {halt.symbol or 'all trading'}. Reason: {halt.reason}")

from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from compliance import audit
from nextrade.errors import NexTradeError
from nextrade.ops import dossier


class Command(BaseCommand):
    help = "An order's decision file: words, model, checks, approvals, executions, events and their proofs in one zip."

    def add_arguments(self, parser: CommandParser) -> None:
        one = parser.add_subparsers(dest="action", required=True).add_parser("dossier", help="write the decision file")
        one.add_argument("order_id", type=UUID)
        one.add_argument("--out", type=Path, required=True)
        one.add_argument("--by", help="your user name; the machine's operator otherwise")

    def handle(self, *args: Any, **options: Any) -> None:
        by = "system:operator"
        if options["by"]:
            user = User.objects.filter(username=options["by"]).first()
            if user is None:
                raise CommandError(f"there is no user {options['by']}", returncode=2)
            by = audit.person(user)
        try:
            digest = dossier.write(options["out"], order_id=options["order_id"], by=by, at=timezone.now())
        except NexTradeError as error:
            raise CommandError(error.message, returncode=1) from error
        self.stdout.write(f"{options['out']} written, manifest {digest}")

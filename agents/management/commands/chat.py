from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agents import services
from nextrade.errors import NexTradeError


class Command(BaseCommand):
    help = "One turn of a conversation from the terminal."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("message")
        parser.add_argument("--thread", type=UUID, help="the conversation to go on with")

    def handle(self, *args: Any, username: str, message: str, thread: UUID | None, **options: Any) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"there is no user {username}", returncode=2)
        try:
            answer = services.process_chat_request(by=user, message=message, thread_id=thread, at=timezone.now())
        except NexTradeError as error:
            raise CommandError(f"{error.reason}: {error.message}", returncode=1) from error
        self.stdout.write(answer.response)
        for order in answer.orders:
            self.stdout.write(f"[order {order.pk}: {order.status}]")
        self.stdout.write(f"[thread {answer.thread_id}]")

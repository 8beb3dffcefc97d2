"""A stand-in for what is outside: a broker that misbehaves on demand."""

import time
from dataclasses import dataclass, field
from datetime import datetime

from orders.brokers.base import DuplicateClientOrderId, InDoubt, Report, Ticket
from orders.brokers.paper import PaperBroker


@dataclass
class WatchedBroker(PaperBroker):
    """The paper broker with a tally of what was submitted and asked about, and a line that can be down or slow."""

    submitted: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    pause_s: float = 0
    known_again: int = 0
    is_down: bool = False

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        self.submitted.append(ticket.client_order_id)
        try:
            return super().submit(ticket, at=at)
        except DuplicateClientOrderId:
            self.known_again += 1
            raise

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        self._require_line()
        self.asked.append(client_order_id)
        time.sleep(self.pause_s)
        return super().find(client_order_id, at=at)

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        self._require_line()
        return super().cancel(client_order_id, at=at)

    def _require_line(self) -> None:
        if self.is_down:
            raise InDoubt("connection refused")

"""The play: each line and each decision goes through the service that a real one would, at its simulated moment.

Context: pages, charts and screenshots need months behind them, and rows written by hand would not add up. Choice:
the process's clock is set (time-machine), and what the queue holds is done here, so that each event, fill and seal is
made by the code that always makes it. Cost: it takes what the real work takes, about 0.1 s a turn; and the trail's
times are the writers' word, here as anywhere: what bounds them is when they were sealed.
"""

import contextlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from random import Random
from typing import Protocol
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.module_loading import import_string
from django_q.models import OrmQ

from agents import services as chat
from compliance import audit
from compliance.sealer import Sealer
from nextrade.errors import NexTradeError
from nextrade.ops.demo import script
from nextrade.ops.demo.script import Fate, Line
from orders import services
from orders.models import OPEN, Order, Position, Status


class Clock(Protocol):
    def __call__(self, to: datetime, /) -> None:
        """Set the process's time."""


@dataclass(kw_only=True)
class Stage:
    """Who is on, what time it is, and what is to come. sealer: None where sealing must wait for the real time."""

    clock: Clock
    rng: Random
    people: dict[str, User]
    sealer: Sealer | None
    talks: dict[str, UUID] = field(default_factory=dict)
    _agenda: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def plan(self, at: datetime, deed: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (at, next(self._numbers), deed))

    def play(self, until: datetime) -> None:
        """Do what is due before a moment, each deed at its own, and what the queue makes of it. A refusal is a part of
        the play: the trail has it."""
        while self._agenda and self._agenda[0][0] < until:
            at, _, deed = heapq.heappop(self._agenda)
            self.clock(max(at, timezone.now()))
            with contextlib.suppress(NexTradeError):
                deed()
            self.work_off()

    def work_off(self) -> None:
        """Do what waits in the queue, as the worker would."""
        while (row := OrmQ.objects.order_by("id").first()) is not None:
            task = row.task
            row.delete()
            import_string(task["func"])(*task["args"], **task["kwargs"])

    def seal(self) -> None:
        if self.sealer is not None:
            self.sealer.seal(at=timezone.now())

    def drop(self) -> None:
        """Leave undone what was still planned."""
        self._agenda.clear()

    def say(self, line: Line, *, approve: bool = False, decide: bool = True) -> None:
        """A turn, and what is to become of the orders that came of it: by chance, or approval, or nothing yet."""
        thread_id = None if line.is_new else self.talks.get(line.who)
        by = self.people[line.who]
        answer = chat.process_chat_request(by=by, message=line.words, thread_id=thread_id, at=timezone.now())
        self.talks[line.who] = answer.thread_id
        for order in answer.orders:
            if decide and order.status == Status.PENDING_APPROVAL:
                self._decide(order, Fate.APPROVED if approve else script.fate(self.rng))

    def held(self) -> dict[str, dict[str, Decimal]]:
        """Whole shares by trader and symbol."""
        found: dict[str, dict[str, Decimal]] = {}
        for row in Position.objects.filter(quantity__gte=1).select_related("account__owner").order_by("symbol"):
            found.setdefault(row.account.owner.username, {})[row.symbol] = row.quantity
        return found

    def _decide(self, order: Order, fate: Fate) -> None:
        minutes = {Fate.FORGOTTEN: 31.0, Fate.LATE: self.rng.uniform(16, 28)}.get(fate, self.rng.uniform(0.7, 11))
        deeds = self._deeds(order, fate)
        for number, deed in enumerate(deeds):
            self.plan(timezone.now() + timedelta(minutes=minutes + number), deed)

    def _deeds(self, order: Order, fate: Fate) -> list[Callable[[], object]]:
        checkers = self.rng.sample(("bob", "bea"), 2)[: order.approvals_needed]
        match fate:
            case Fate.FORGOTTEN:
                return [lambda: services.expire_stale(at=timezone.now())]
            case Fate.WITHDRAWN:
                return [partial(self.withdraw, order)]
            case Fate.DECLINED:
                return [partial(self._decline, order, checkers[0])]
        return [partial(self._approve, order, name, fate) for name in checkers]

    def _approve(self, order: Order, who: str, fate: Fate) -> None:
        order.refresh_from_db()
        needs_word = fate is Fate.LATE or any(not check["passed"] for check in order.checks)
        reason = "still a good price" if needs_word else self.rng.choice(script.REASONS)
        try:
            services.approve(order.pk, by=self.people[who], version=order.version, reason=reason, at=timezone.now())
        except NexTradeError as error:
            services.decline(
                order.pk, by=self.people[who], version=order.version, reason=error.message[:200], at=timezone.now()
            )

    def _decline(self, order: Order, who: str) -> None:
        reason = self.rng.choice(script.REFUSALS)
        services.decline(order.pk, by=self.people[who], version=order.version, reason=reason, at=timezone.now())

    def withdraw(self, order: Order) -> None:
        owner = self.people[order.maker.username]
        services.cancel(order.pk, owner=owner, by=audit.person(owner), at=timezone.now())

    def withdraw_open(self) -> None:
        """What is still at the broker at a day's end is asked back."""
        for order in Order.objects.filter(status__in=OPEN).exclude(status=Status.PENDING_APPROVAL):
            self.withdraw(order)

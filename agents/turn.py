"""The run's context: what every tool and middleware of one turn may know, and no model can say otherwise."""

import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User


@dataclass(frozen=True, kw_only=True)
class Call:
    """One model call as it was measured. latency in milliseconds, at its end; outcome: "ok" or the error's class."""

    agent: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    latency_ms: int
    outcome: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Turn:
    """owner: the authenticated person. words: their message. facts: what the books say of this thread's orders.

    deadline: by time.monotonic(), in seconds. calls: filled while the turn runs.
    """

    owner: User
    thread_id: uuid.UUID
    turn_id: uuid.UUID
    words: str
    facts: str
    model: str
    deadline: float
    calls: list[Call] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline

"""The run's context: what every tool and middleware of one turn may know, and no model can say otherwise."""

import functools
import hashlib
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User

from agents.evidence import Evidence
from nextrade.errors import Invalid, Unavailable

Tell = Callable[[str, Mapping[str, Any]], None]
"""Hears of a turn's steps while it runs: a kind ("status", "token", "tool", "order") and JSON-ready facts."""


def silent(kind: str, facts: Mapping[str, Any]) -> None:
    """Nobody listens."""


class ModelUnavailable(Unavailable):
    code = "llm_unavailable"


class ModelRefused(Invalid):
    code = "llm_rejected"


class Stopped(Exception):
    """A turn reached a limit. Its text is for the person."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One model call as it was measured. latency in milliseconds, at its end; outcome: "ok" or the error's class."""

    agent: str
    provider: str
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

    models: to ask, in this order. deadline: by time.monotonic(), in seconds. tell: hears of the steps. topics: symbols
    that the person has named in this thread, the newest last. calls, steps (counts by kind, for the limits), evidence,
    unsupported, results (hashes of what tools said) and leaks (what a tool was not called with): filled while the turn
    runs.
    """

    owner: User
    thread_id: uuid.UUID
    turn_id: uuid.UUID
    words: str
    facts: str
    models: tuple[str, ...]
    deadline: float
    tell: Tell = silent
    topics: tuple[str, ...] = ()
    calls: list[Call] = field(default_factory=list)
    steps: Counter[str] = field(default_factory=Counter)
    evidence: Evidence = field(default_factory=Evidence)
    unsupported: list[str] = field(default_factory=list)
    results: list[dict[str, str]] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)

    @property
    def model(self) -> str:
        """Which one has answered last, or will be asked first."""
        answered = [call.model for call in self.calls if call.outcome == "ok"]
        return answered[-1] if answered else self.models[0]

    @property
    def is_mere_talk(self) -> bool:
        """A model has answered, and called no tool."""
        return bool(self.calls) and not self.steps["tool"]

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.deadline


@functools.cache
def prompts_sha256() -> str:
    """Of all prompts as this process has them, in the order of their names."""
    prompts = sorted(Path(__file__).with_name("prompts").glob("*.md"))
    return hashlib.sha256(b"\0".join(prompt.read_bytes() for prompt in prompts)).hexdigest()

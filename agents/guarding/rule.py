"""What every rule of the input guard has."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """score: of 100; at `GUARD_BLOCK_SCORE` and above a message is refused for this alone."""

    name: str
    category: str
    score: int

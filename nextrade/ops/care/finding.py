"""What a look at something found: fine, wrong, or not to be known, which is never fine."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


EXIT = {Verdict.OK: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 1, Verdict.FAIL: 2}
"""Of a checklist; what only tells right from wrong exits 1 for whatever is not OK."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """what: the thing looked at. said: in words that hold no secret. next_step: what a person may do about it; nothing
    here does it for them."""

    what: str
    verdict: Verdict
    said: str
    next_step: str = ""

    def line(self) -> str:
        step = f"\n{'':9}-> {self.next_step}" if self.next_step else ""
        return f"{self.verdict:9}{self.what}: {self.said}{step}"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def worst(findings: Iterable[Finding]) -> Verdict:
    """Of none: unknown."""
    order = list(Verdict)
    return max((each.verdict for each in findings), key=order.index, default=Verdict.UNKNOWN)

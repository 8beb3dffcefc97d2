"""The watch's own time, which no step of the machine's clock moves.

Context: windows, `for` and repeats are spans of time, and a clock that is set an hour on would end all of them at once.
Choice: the machine's clock is read once, then the monotonic one counts. Cost: after a step, times in the watch differ
from the machine's until it starts anew; what people read is stamped with the machine's.
"""

import time

STEP_S = 5.0
"""Between two looks the two clocks may drift apart so far without anybody having set one."""


class Clock:
    """floor_s: Unix time that was reached before, behind which it does not begin. speed: above 1 for drills alone."""

    def __init__(self, *, floor_s: float = 0, speed: float = 1) -> None:
        self._monotonic_s = time.monotonic()
        self._began_s = time.time()
        self._shown_s = max(self._began_s, floor_s)
        self._offset_s = 0.0
        self.speed = speed

    def now(self) -> float:
        """Unix time in seconds."""
        return self._shown_s + self._elapsed_s() * self.speed

    def step_s(self) -> float:
        """By how many seconds the machine's clock was set since this was last asked, 0 when it was not."""
        offset_s = time.time() - (self._began_s + self._elapsed_s())
        step_s, self._offset_s = offset_s - self._offset_s, offset_s
        return step_s if abs(step_s) > STEP_S else 0.0

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._monotonic_s

"""What the log says of components that fail: each failed check of the two that matter, and each change of any.

CRITICAL comes once an outage, whichever process notices first: a file in the data directory is there from the first
failure to the recovery. It needs no database; where it cannot be made, each process says it once.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from django.conf import settings
from health_check.base import HealthCheckResult

log = logging.getLogger(__name__)
NAMES: Mapping[str, str] = MappingProxyType({"database": "Database", "llm": "LLM"})
"""Those without which nothing works, or half of it, as their lines name them."""
CRITICAL: Mapping[str, str] = MappingProxyType({"database": "Database down: %s", "llm": "LLM unavailable: %s"})


class Notices:
    """What one process has seen so far."""

    def __init__(self) -> None:
        self._failing: dict[str, bool] = {}

    def note(self, result: HealthCheckResult) -> None:
        component = result.check.component
        was_failing = self._failing.get(component)
        is_failing = self._failing[component] = result.error is not None
        if is_failing:
            self._note_failure(component, words(result), is_first=not was_failing)
        elif was_failing is not False:
            _note_recovery(component, is_known=bool(was_failing))

    def _note_failure(self, component: str, error: str, *, is_first: bool) -> None:
        if component in NAMES:
            log.error("%s health check failed: %s", NAMES[component], error)
            if is_first and _begins(component):
                log.critical(CRITICAL[component], error)
        elif is_first:
            log.warning("Component %s fails: %s", component, error)


def words(result: HealthCheckResult) -> str:
    """What is wrong, empty for nothing."""
    return str(getattr(result.error, "message", "") or result.error) if result.error else ""


def _note_recovery(component: str, *, is_known: bool) -> None:
    """A process that has just started may end an outage that others began."""
    if component in NAMES:
        is_known = _is_over(component) or is_known
    if is_known:
        log.info("Component %s works again", component)


def _begins(component: str) -> bool:
    try:
        _mark(component).parent.mkdir(exist_ok=True)
        _mark(component).open("x").close()
    except FileExistsError:
        return False
    except OSError:
        return True
    return True


def _is_over(component: str) -> bool:
    try:
        _mark(component).unlink()
    except OSError:
        return False
    return True


def _mark(component: str) -> Path:
    return Path(settings.DATA_DIR) / "outages" / component

"""Raise the alarm from anywhere below the watch: an event in the trail, and a line that operations see."""

import logging
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from compliance import audit
from compliance.audit import Action
from compliance.models import Outcome

log = logging.getLogger(__name__)


def raise_alert(
    name: str, *, actor: str, at: datetime, details: Mapping[str, Any], order_id: uuid.UUID | None = None
) -> None:
    """Record an alert in the transaction of what it is about. name: short and stable, such as
    "reconciliation_break"."""
    audit.record(
        Action.ALERT_RAISED,
        actor=actor,
        at=at,
        order_id=order_id,
        outcome=Outcome.FAILED,
        details={"alert": name, **details},
    )
    log.critical("Alert %s: %s", name, dict(details))

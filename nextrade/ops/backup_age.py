"""How old the newest backup is, told by the names in BACKUP_DIR: each carries the moment at which it was made, UTC."""

import re
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

NAMED = re.compile(r"(?<!\d)(\d{8}_\d{6})(?!\d)")


def newest() -> datetime | None:
    """When the newest backup was made; None where there is none, or no directory."""
    try:
        names = [entry.name for entry in Path(settings.BACKUP_DIR).iterdir() if not entry.name.startswith(".")]
    except OSError:
        return None
    made = (moment(name) for name in names)
    return max((at for at in made if at), default=None)


def moment(name: str) -> datetime | None:
    """The moment in a name such as trading_orders_20251105_030000.db; None for a name without one."""
    found = NAMED.search(name)
    try:
        return datetime.strptime(found[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC) if found else None
    except ValueError:
        return None

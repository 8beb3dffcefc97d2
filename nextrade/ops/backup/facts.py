"""What a copy of the business database holds, asked in plain SQL of the copy itself or within the dump's snapshot."""

from collections.abc import Callable, Sequence
from typing import Any

Ask = Callable[[str], Sequence[Sequence[Any]]]
HEADS = (
    "SELECT log, size, note FROM compliance_checkpoint WHERE id IN"
    " (SELECT MAX(id) FROM compliance_checkpoint GROUP BY log) ORDER BY log"
)


def of(ask: Ask, tables: Sequence[str]) -> dict[str, Any]:
    """rows of each table, the newest signed checkpoint of each of the trail's logs, and the newest migrations."""
    has_trail = "compliance_checkpoint" in tables
    return {
        "rows": {table: ask(f'SELECT COUNT(*) FROM "{table}"')[0][0] for table in sorted(tables)},
        "trail": [{"log": log, "size": size, "note": note} for log, size, note in (ask(HEADS) if has_trail else ())],
        "migrations": _migrations(ask) if "django_migrations" in tables else {},
    }


def _migrations(ask: Ask) -> dict[str, str]:
    return dict(ask("SELECT app, MAX(name) FROM django_migrations GROUP BY app ORDER BY app"))  # type: ignore[arg-type]

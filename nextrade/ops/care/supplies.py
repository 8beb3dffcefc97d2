"""What the product is made of: newer versions, and known holes. A package that could not be looked up is unknown, and
unknown is never fine: pip-audit without a network says "No known vulnerabilities found" and exits 0."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from nextrade.errors import Unavailable
from nextrade.ops.care.finding import Finding, Verdict
from nextrade.ops.maintenance import Done

BIN = Path(sys.executable).parent
WAIT_S = 300


class CouldNotAsk(Unavailable):
    """The audit found holes, or could not be made."""

    code = "audit"


def audit() -> Finding:
    """Known holes of what is locked, by pip-audit."""
    command = ["pip-audit", "--disable-pip", "--require-hashes", "-r", "requirements.lock", "-f", "json"]
    found = _asked(*command)
    if found is None:
        said, step = "nobody could be asked: no network, or pip-audit is not installed", "make audit, with a network"
        return Finding(what="known holes", verdict=Verdict.UNKNOWN, said=said, next_step=step)
    return judged(found.get("dependencies", []))


def judged(rows: list[dict[str, Any]]) -> Finding:
    """Of pip-audit's rows: a hole is a failure, a package that was skipped, and no package at all, are unknown."""
    holes = [f"{row['name']} {row['version']}: {hole['id']}" for row in rows for hole in row.get("vulns", [])]
    skipped = [str(row["name"]) for row in rows if "skip_reason" in row]
    if holes:
        step = "raise it in pyproject.toml, make lock, make verify"
        return Finding(what="known holes", verdict=Verdict.FAIL, said="; ".join(holes)[:500], next_step=step)
    if skipped or not rows:
        said = f"could not be audited: {', '.join(skipped[:20]) or 'everything'}"
        return Finding(what="known holes", verdict=Verdict.UNKNOWN, said=said, next_step="make audit, with a network")
    return Finding(what="known holes", verdict=Verdict.OK, said=f"none in {len(rows)} packages")


def outdated() -> Finding:
    """Newer versions of what is installed: a report, and nothing is installed."""
    rows = _asked("uv", "pip", "list", "--outdated", "--format", "json", "-p", sys.executable)
    if rows is None:
        return Finding(what="newer versions", verdict=Verdict.UNKNOWN, said="nobody could be asked")
    names = [f"{row['name']} {row['version']} -> {row['latest_version']}" for row in rows]
    return Finding(what="newer versions", verdict=Verdict.OK, said=f"{len(names)}: {'; '.join(names)}"[:500])


def security_audit() -> Done:
    """The job. Raises CouldNotAsk where there is a hole, or nothing can be said."""
    found = audit()
    if found.verdict != Verdict.OK:
        raise CouldNotAsk(f"{found.verdict}: {found.said}"[:300])
    return Done(summary=found.said)


def dependency_report() -> Done:
    """The job. Raises CouldNotAsk."""
    found = outdated()
    if found.verdict != Verdict.OK:
        raise CouldNotAsk(f"{found.verdict}: {found.said}")
    return Done(summary=found.said)


def _asked(program: str, *arguments: str) -> Any:
    """What it says as JSON, None where it says nothing that can be read."""
    try:
        done = subprocess.run(  # noqa: S603 - words of ours
            [str(BIN / program), *arguments],
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None

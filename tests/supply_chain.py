"""What the product is made of: known holes, licences, a bill of materials, secrets in the source. `make audit`.

What cannot be asked (no network) is `unknown` and fails the audit, unless AUDIT_UNKNOWN=accept. Findings that somebody
has read and that are no secret: `detect-secrets scan FILE... > .secrets.baseline`.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
OUT = ROOT / "var" / "audit"
READ_BY_US = {  # their packages' metadata do not say
    "axe-playwright-python": "MIT",
    "peewee": "MIT",
    "promql-parser": "MIT",
    "pyrage": "MIT",
    "TA-Lib": "BSD-2-Clause",
}
KNOWN_TO_BE_BROKEN = "django==3.0"
NOT_SCANNED = ("tests", "requirements.lock", ".secrets.baseline", "agents/guarding/lexicon.py")
"""Made-up keys, hashes of packages, hashes of findings, and words that mean secrets."""
LINES_MOVED = 3
"""What detect-secrets-hook exits with when it found nothing but moved lines."""
REFUSED = ("AGPL", "GPL-2", "GPL-3", "GNU GENERAL PUBLIC", "GNU AFFERO", "SSPL", "BUSL", "COMMONS CLAUSE")


def vulnerabilities() -> tuple[str, str]:
    """Ask about a version with known holes first: an index that knows of none there says nothing about ours."""
    control = OUT / "control.txt"
    control.write_text(KNOWN_TO_BE_BROKEN + "\n")
    if not any(row.get("vulns") for row in _audited("--no-deps", "-r", str(control))):
        return "unknown", f"the index cannot be asked: it names no hole of {KNOWN_TO_BE_BROKEN}"
    report = _audited("--require-hashes", "-r", "requirements.lock")
    found = [f"{row['name']} {row['version']}: {hole['id']}" for row in report for hole in row.get("vulns", [])]
    skipped = [row["name"] for row in report if "skip_reason" in row]
    if found:
        return "bad", "; ".join(found)
    if skipped or not report:
        return "unknown", f"not audited: {', '.join(skipped) or 'all'}"
    return "ok", f"{len(report)} packages without a known hole"


def _audited(*arguments: str) -> list[dict[str, Any]]:
    """What pip-audit says of each package; nothing where it says nothing."""
    done = run("pip-audit", "--disable-pip", *arguments, "-f", "json")
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        return []


def licences() -> tuple[str, str]:
    rows = {
        str(package.metadata["Name"]): licence(package) or READ_BY_US.get(str(package.metadata["Name"]), "")
        for package in importlib.metadata.distributions()
    }
    (OUT / "licences.json").write_text(json.dumps(dict(sorted(rows.items())), indent=1))
    refused = [f"{name}: {text}" for name, text in rows.items() if is_refused(text)]
    unknown = [name for name, text in rows.items() if not text]
    if refused:
        return "bad", "; ".join(refused)
    if unknown:
        return "unknown", ", ".join(unknown)
    return "ok", ", ".join(f"{count} {text}" for text, count in Counter(rows.values()).most_common(4))


def licence(package: importlib.metadata.Distribution) -> str:
    """The licence that a package names: its SPDX expression, else its classifiers, else the first line of its text."""
    meta = package.metadata
    classified = [
        text.rpartition(":: ")[2] for text in meta.get_all("Classifier") or () if text.startswith("License ::")
    ]
    named = meta.get("License-Expression") or " OR ".join(classified) or meta.get("License") or ""
    return str(named).strip().partition("\n")[0][:80]


def is_refused(text: str) -> bool:
    """Whether every choice that the licence gives is one that we refuse; the lesser ones bind only the library."""
    choices = text.upper().replace("LGPL", "LESSER").replace("LESSER GENERAL", "LESSER").split(" OR ")
    return all(any(word in choice for word in REFUSED) and "LESSER" not in choice for choice in choices)


def materials() -> tuple[str, str]:
    path = OUT / "sbom.cdx.json"
    done = run("cyclonedx-py", "environment", sys.executable, "--pyproject", "pyproject.toml", "-o", str(path))
    if done.returncode or not path.exists():
        return "bad", done.stderr.strip()[-200:]
    return "ok", f"{len(json.loads(path.read_text())['components'])} components in {path.relative_to(ROOT)}"


def secrets() -> tuple[str, str]:
    """Lines that look like secrets and are not in the baseline, which knows them by file and hash, not by line."""
    baseline = OUT / "secrets.baseline"  # a copy: the hook writes into its baseline when a line has moved
    shutil.copy(ROOT / ".secrets.baseline", baseline)
    tracked = run("git", "ls-files", "--", *(f":!{path}" for path in NOT_SCANNED)).stdout.split()
    done = run("detect-secrets-hook", "--baseline", str(baseline), *tracked)
    if done.returncode in (0, LINES_MOVED):
        return "ok", f"{len(tracked)} files"
    places = [line.split(":", 1)[1].strip() for line in done.stdout.splitlines() if line.startswith("Location")]
    return "bad", "; ".join(places) or done.stderr[-200:]


def code() -> tuple[str, str]:
    done = run("ruff", "check", ".")
    return ("bad", done.stdout[-400:]) if done.returncode else ("ok", "no finding of ruff, bandit's rules among them")


CHECKS = (vulnerabilities, licences, materials, secrets, code)


def run(*command: str) -> subprocess.CompletedProcess[str]:
    program = BIN / command[0]
    first = str(program) if program.exists() else command[0]
    return subprocess.run([first, *command[1:]], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def audit() -> Iterator[tuple[str, str, str]]:
    OUT.mkdir(parents=True, exist_ok=True)
    for check in CHECKS:
        yield (check.__name__, *check())


if __name__ == "__main__":
    accepted = {"ok", "unknown"} if os.environ.get("AUDIT_UNKNOWN") == "accept" else {"ok"}
    results = []
    for name, result, text in audit():
        print(f"{name:16}{result:9}{text}", flush=True)
        results.append(result)
    sys.exit(0 if accepted.issuperset(results) else 1)

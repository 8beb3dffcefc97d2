"""The campaigns in their short form; `make campaigns` runs the long one, whose figures are in docs/figures.md.

R14 and R15 have their short forms in tests/agents: test_breakers.py and test_providers.py.
"""

import os
import subprocess
import sys

import pytest

from tests.campaigns.ground import ROOT

DATABASE = os.environ.get("TEST_DATABASE_URL", "sqlite")


@pytest.mark.parametrize(
    "campaign",
    [
        ("crash", "--kills", "1", "--seconds", "120"),
        ("crash", "--kills", "5", "--seconds", "60", "--control"),
        ("race", "--rounds", "3"),
        ("faults", "--orders", "25"),
        ("hostile", "--every", "40"),
        ("models", "--timeout-s", "4", "--every", "31"),
        ("fuzz", "--cases", "230"),
        ("faults_watch", "--short"),
        ("backups", "--backups", "3", "--writers", "2", "--kills", "1", "--size", "-1"),
        ("guesses", "--tries", "80"),
        ("trail", "--events", "400", "--writers", "4", "--changed", "40", "--size", "2000"),
    ],
    ids=lambda campaign: " ".join(campaign),
)
def test_a_short_campaign_finds_nothing_and_its_control_does(campaign: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", f"tests.campaigns.{campaign[0]}", *campaign[1:], "--database", DATABASE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr

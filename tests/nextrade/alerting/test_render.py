"""What `ops render` writes: committed as rendered, and accepted by the programs that it is for."""

import shutil
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from nextrade.ops import render
from nextrade.ops.render import Site

ROOT = Path(__file__).resolve().parent.parent.parent.parent


def need(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed (Debian: prometheus, prometheus-alertmanager)")


def run(*command: str | Path, where: Path) -> str:
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("deploy")
    render.write(Site(), out)
    return out


def test_what_is_committed_is_what_is_rendered() -> None:
    assert render.differing(Site(), ROOT / "deploy") == []


def test_the_command_writes_what_differs_and_checks_without_writing(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"prometheus/nextrade\.rules\.yml"):
        call_command("ops", "render", "--out", str(tmp_path), "--check")
    assert list(tmp_path.iterdir()) == []
    out = StringIO()
    call_command("ops", "render", "--out", str(tmp_path), stdout=out)
    assert "prometheus/nextrade.rules.yml" in out.getvalue()
    call_command("ops", "render", "--out", str(tmp_path), "--check")
    call_command("ops", "render", "--out", str(tmp_path), stdout=out)
    assert "nothing had changed" in out.getvalue()


def test_prometheus_takes_the_rules_and_its_configuration(rendered: Path) -> None:
    need("promtool")
    where = rendered / "prometheus"
    assert "SUCCESS" in run("promtool", "check", "rules", "nextrade.rules.yml", where=where)
    assert "SUCCESS" in run("promtool", "check", "config", "--syntax-only", "prometheus.yml", where=where)

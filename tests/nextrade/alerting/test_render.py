"""What `ops render` writes: committed as rendered, and accepted by the programs that it is for."""

import json
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from nextrade.ops import render
from nextrade.ops.render import Site, grafana
from nextrade.ops.rules import by_name, catalogue

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
        call_command("ops", "render", "--out", str(tmp_path), "--defaults", "--check")
    assert list(tmp_path.iterdir()) == []
    out = StringIO()
    call_command("ops", "render", "--out", str(tmp_path), "--defaults", stdout=out)
    assert "prometheus/nextrade.rules.yml" in out.getvalue()
    call_command("ops", "render", "--out", str(tmp_path), "--defaults", "--check")
    call_command("ops", "render", "--out", str(tmp_path), "--defaults", stdout=out)
    assert "nothing had changed" in out.getvalue()


def test_prometheus_takes_the_rules_and_its_configuration(rendered: Path) -> None:
    need("promtool")
    where = rendered / "prometheus"
    assert "SUCCESS" in run("promtool", "check", "rules", "nextrade.rules.yml", where=where)
    assert "SUCCESS" in run("promtool", "check", "config", "--syntax-only", "prometheus.yml", where=where)


def test_promtool_agrees_when_each_rule_fires_and_when_not(rendered: Path) -> None:
    need("promtool")
    assert "SUCCESS" in run("promtool", "test", "rules", "nextrade.tests.yml", where=rendered / "prometheus")


def test_promtool_s_tests_fail_where_a_rule_is_other_than_we_say(tmp_path: Path) -> None:
    need("promtool")
    render.write(Site(rules=(by_name("DiskSpaceWarning"),)), tmp_path)
    path = tmp_path / "prometheus" / "nextrade.rules.yml"
    path.write_text(path.read_text().replace("> 80", "> 81"))
    done = subprocess.run(
        ["promtool", "test", "rules", "nextrade.tests.yml"],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "DiskSpaceWarning" in done.stdout + done.stderr


def test_the_tests_follow_the_thresholds_in_force(tmp_path: Path) -> None:
    need("promtool")
    changed = {
        rule.name: rule.threshold * 0.75 for rule in catalogue() if rule.threshold and rule.name != "DiskSpaceWarning"
    }
    render.write(Site(rules=catalogue({**changed, "DiskSpaceWarning": 71.5})), tmp_path)
    where = tmp_path / "prometheus"
    assert "> 71.5" in (where / "nextrade.rules.yml").read_text()
    assert "SUCCESS" in run("promtool", "test", "rules", "nextrade.tests.yml", where=where)


def test_alertmanager_takes_its_configuration(rendered: Path) -> None:
    need("amtool")
    assert "SUCCESS" in run("amtool", "check-config", "alertmanager.yml", where=rendered / "alertmanager")


@pytest.mark.parametrize(
    "name", ["HighErrorRate", "ComponentDown", "CircuitBreakerOpened", "CpuUsageHigh", "LogVolumeSpike", "Watchdog"]
)
def test_alertmanager_tells_who_the_catalogue_says(rendered: Path, name: str) -> None:
    need("amtool")
    rule = by_name(name)
    labels = [f"{key}={value}" for key, value in rule.alert_labels({}).items()]
    told = run(
        "amtool", "config", "routes", "test", "--config.file=alertmanager.yml", *labels, where=rendered / "alertmanager"
    )
    assert told.splitlines()[0] == "-and-".join(rule.channels)


def test_no_secret_is_rendered_and_each_is_a_file(rendered: Path) -> None:
    text = (rendered / "alertmanager" / "alertmanager.yml").read_text()
    for secret in ("slack_webhook_url", "pagerduty_routing_key"):
        assert f"_file: /etc/nextrade/secrets/{secret}" in text


@pytest.fixture(scope="module")
def panels(rendered: Path) -> dict[str, Any]:
    board = json.loads((rendered / "grafana" / "dashboards" / "nextrade-health.json").read_text())
    assert (board["uid"], board["title"]) == ("nextrade-health", "NexTrade System Health")
    assert board["time"]["from"] == "now-24h"
    return {panel["title"]: panel for panel in board["panels"]}


def test_the_dashboard_has_the_guide_s_panels(panels: dict[str, Any]) -> None:
    defaults = {title: panel["fieldConfig"]["defaults"] for title, panel in panels.items()}
    units = [defaults[title]["unit"] for title in ("Requests", "Errors", "Response Time")]
    assert units == ["suffix:/hr", "percent", "s"]
    lines = [step["value"] for step in defaults["Response Time (Last 24h)"]["thresholds"]["steps"]]
    assert lines == [None, 5, 30]
    for title in ("API Server", "LLM Provider", "Database"):
        assert defaults[title]["mappings"][0]["options"]["1"]["text"] == "Healthy"
    assert defaults["Circuit Breaker"]["mappings"][0]["options"]["0"]["text"] == "Closed"


def test_no_panel_lies_on_another_and_each_asks_what_promtool_takes(panels: dict[str, Any], tmp_path: Path) -> None:
    need("promtool")
    taken: set[tuple[int, int]] = set()
    for panel in panels.values():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells
    rules = [{"record": f"panel:{number}", "expr": expr} for number, expr in enumerate(grafana.expressions())]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in run("promtool", "check", "rules", "panels.yml", where=tmp_path)

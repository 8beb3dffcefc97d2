"""Grafana: the guide's dashboard "NexTrade System Health", and where Grafana finds it and the data."""

import json
from typing import Any

from nextrade.ops.render.site import Files, Site, as_yaml

SOURCE = "nextrade/ops/render/grafana.py"
PROMETHEUS = {"type": "prometheus", "uid": "nextrade-prometheus"}
SECONDS = "nextrade_response_seconds"
GREEN, AMBER, RED = "green", "orange", "red"
HEALTH = {"1": ("Healthy", GREEN), "0": ("Down", RED)}
BREAKER = {"0": ("Closed", GREEN), "1": ("Half-open", AMBER), "2": ("Open", RED)}
NORMAL_S, MOST_S = 5, 30

Panel = dict[str, Any]


def files(site: Site) -> Files:
    providers = [{"name": "nextrade", "type": "file", "options": {"path": "/var/lib/grafana/dashboards"}}]
    source = {"name": "Prometheus", **PROMETHEUS, "access": "proxy", "url": "http://127.0.0.1:9090", "isDefault": True}
    return {
        "grafana/dashboards/nextrade-health.json": json.dumps(dashboard(), indent=2) + "\n",
        "grafana/provisioning/dashboards/nextrade.yml": as_yaml(
            {"apiVersion": 1, "providers": providers}, source=SOURCE
        ),
        "grafana/provisioning/datasources/nextrade.yml": as_yaml(
            {"apiVersion": 1, "datasources": [source]}, source=SOURCE
        ),
    }


def dashboard() -> dict[str, Any]:
    """The guide's numbers in the first row, its chart over 24 hours, its component health; then what it has no room
    for."""
    panels = [*numbers(), *charts(), *components(), *behind()]
    return {
        "uid": "nextrade-health",
        "title": "NexTrade System Health",
        "tags": ["nextrade"],
        "timezone": "utc",
        "schemaVersion": 38,
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels, 1)],
    }


def expressions() -> list[str]:
    """Every query of every panel."""
    return [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]


def numbers() -> list[Panel]:
    finished = 'sum(increase(nextrade_requests_total{status="started"}[1h]))'
    percent = "100 * (nextrade:error_ratio:5m or vector(0))"
    return [
        _stat("Requests", finished, place=(0, 0, 8, 4), unit="short", suffix="/hr"),
        _stat("Errors", percent, place=(8, 0, 8, 4), unit="percent", steps=((None, GREEN), (10, AMBER), (50, RED))),
        _stat(
            "Response Time",
            _quantile(0.95, SECONDS, "5m"),
            place=(16, 0, 8, 4),
            unit="s",
            steps=((None, GREEN), (NORMAL_S, AMBER), (MOST_S, RED)),
        ),
    ]


def charts() -> list[Panel]:
    quantiles = {f"P{round(100 * q)}": _quantile(q, SECONDS, "5m") for q in (0.5, 0.95)}
    lines = ((None, "transparent"), (NORMAL_S, AMBER), (MOST_S, RED))
    return [_series("Response Time (Last 24h)", quantiles, place=(0, 4, 24, 8), unit="s", lines=lines)]


def components() -> list[Panel]:
    up = 'min(nextrade_component_up{component="COMPONENT"})'
    shown = {
        "API Server": ('max(probe_success{job="nextrade-health"})', HEALTH),
        "LLM Provider": (up.replace("COMPONENT", "llm"), HEALTH),
        "Database": (up.replace("COMPONENT", "database"), HEALTH),
        "Circuit Breaker": ("max(nextrade_circuit_breaker_state)", BREAKER),
    }
    return [
        _stat(title, expr, place=(6 * place, 12, 6, 4), mapped=words)
        for place, (title, (expr, words)) in enumerate(shown.items())
    ]


def behind() -> list[Panel]:
    rates = {"{{status}}": "sum by (status) (rate(nextrade_requests_total[5m]))"}
    models = {"P95": _quantile(0.95, "nextrade_llm_request_seconds", "5m")}
    orders = {
        "pending": "max(nextrade_approvals_pending)",
        "oldest, minutes": "max(nextrade_approval_oldest_seconds) / 60",
    }
    audit = {"oldest unsealed": "max(nextrade_audit_unsealed_seconds)"}
    firing = {"{{alertname}}": 'sum by (alertname) (ALERTS{alertstate="firing",alertname!="Watchdog"})'}
    memory = {"{{process}}": "sum by (process) (nextrade_process_resident_memory_bytes)"}
    return [
        _series("Requests by status", rates, place=(0, 16, 12, 7), unit="reqps"),
        _series("Language model response time", models, place=(12, 16, 12, 7), unit="s"),
        _series("Approvals", orders, place=(0, 23, 12, 7), unit="short"),
        _series("Audit trail", audit, place=(12, 23, 12, 7), unit="s"),
        _series("Memory", memory, place=(0, 30, 12, 7), unit="bytes"),
        _series("Alerts firing", firing, place=(12, 30, 12, 7), unit="short"),
    ]


def _quantile(q: float, name: str, window: str) -> str:
    return f"histogram_quantile({q}, sum by (le) (rate({name}_bucket[{window}])))"


def _panel(kind: str, title: str, queries: dict[str, str], place: tuple[int, int, int, int], defaults: Panel) -> Panel:
    targets = [
        {"refId": chr(ord("A") + number), "expr": expr, "legendFormat": legend, "datasource": PROMETHEUS}
        for number, (legend, expr) in enumerate(queries.items())
    ]
    return {
        "type": kind,
        "title": title,
        "datasource": PROMETHEUS,
        "gridPos": dict(zip("xywh", place, strict=True)),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": targets,
    }


def _stat(
    title: str,
    expr: str,
    *,
    place: tuple[int, int, int, int],
    unit: str = "none",
    suffix: str = "",
    steps: tuple[tuple[float | None, str], ...] = ((None, GREEN),),
    mapped: dict[str, tuple[str, str]] | None = None,
) -> Panel:
    """One number, or one word where values are mapped to words."""
    defaults: Panel = {"unit": f"suffix:{suffix}" if suffix else unit, "thresholds": _thresholds(steps)}
    if mapped:
        options = {value: {"text": text, "color": colour} for value, (text, colour) in mapped.items()}
        defaults["mappings"] = [{"type": "value", "options": options}]
    panel = _panel("stat", title, {title: expr}, place, {**defaults, "noValue": "no data"})
    colours = "value" if suffix else "background"
    return {**panel, "options": {"colorMode": colours, "reduceOptions": {"calcs": ["lastNotNull"]}}}


def _series(
    title: str,
    queries: dict[str, str],
    *,
    place: tuple[int, int, int, int],
    unit: str,
    lines: tuple[tuple[float | None, str], ...] = ((None, GREEN),),
) -> Panel:
    """A chart; the steps of its thresholds are drawn as lines."""
    custom = {"thresholdsStyle": {"mode": "line" if len(lines) > 1 else "off"}}
    return _panel(
        "timeseries", title, queries, place, {"unit": unit, "thresholds": _thresholds(lines), "custom": custom}
    )


def _thresholds(steps: tuple[tuple[float | None, str], ...]) -> Panel:
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}

"""Prometheus: what is scraped and probed, the rules, and promtool's tests of them."""

from typing import Any

from nextrade.ops.alerting.rule import Rule
from nextrade.ops.render.site import Files, Site, as_yaml
from nextrade.ops.rules import RECORDINGS

CATALOGUE = "nextrade/ops/rules.py"
SCRAPE_S = 15


def files(site: Site) -> Files:
    return {
        "prometheus/nextrade.rules.yml": as_yaml(rules(site), source=CATALOGUE),
        "prometheus/prometheus.yml": as_yaml(scraping(site), source="nextrade/ops/render/prometheus.py"),
        "prometheus/blackbox.yml": as_yaml(probes(), source="nextrade/ops/render/prometheus.py"),
    }


def rules(site: Site) -> dict[str, Any]:
    recorded = [{"record": each.name, "expr": each.expr} for each in RECORDINGS]
    alerts = [alert(rule, site) for rule in site.rules]
    return {
        "groups": [
            {"name": "nextrade-recording", "interval": f"{SCRAPE_S}s", "rules": recorded},
            {"name": "nextrade-alerts", "interval": f"{SCRAPE_S}s", "rules": alerts},
        ]
    }


def alert(rule: Rule, site: Site) -> dict[str, Any]:
    lasting = {"for": rule.for_s, "keep_firing_for": rule.keep_firing_s}
    return {
        "alert": rule.name,
        "expr": rule.expr,
        **{key: f"{seconds}s" for key, seconds in lasting.items() if seconds},
        "labels": rule.labels,
        "annotations": {"summary": rule.go_template(), "runbook_url": f"{site.runbooks}/{rule.name}.md"},
    }


def scraping(site: Site) -> dict[str, Any]:
    """honor_labels: `job` of a metric of ours is a scheduled job, not the scrape's."""
    return {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": ["nextrade.rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [site.alertmanager]}]}]},
        "scrape_configs": [
            {
                "job_name": "nextrade",
                "honor_labels": True,
                "metrics_path": "/metrics",
                "authorization": {"type": "Bearer", "credentials_file": f"{site.secrets}/metrics_token"},
                "static_configs": [{"targets": [site.web]}],
            },
            {
                "job_name": "nextrade-health",
                "metrics_path": "/probe",
                "params": {"module": ["nextrade_health"], "target": [f"http://{site.web}/health"]},
                "static_configs": [{"targets": [site.blackbox]}],
            },
        ],
    }


def probes() -> dict[str, Any]:
    """503 is an answer: what is down behind the API has an alert of its own."""
    http = {"valid_status_codes": [200, 503], "method": "GET", "follow_redirects": False}
    return {"modules": {"nextrade_health": {"prober": "http", "timeout": "5s", "http": http}}}

"""The catalogue: the guide's words, thresholds and channels, and what each rule makes of samples."""

from typing import Any

import pytest
from django.test import Client
from prometheus_client import Histogram
from prometheus_client.parser import text_string_to_metric_families

from agents import metrics
from nextrade.ops import rules
from nextrade.ops.alerting.promql import evaluate, selectors
from nextrade.ops.alerting.rule import P1, P2, P3, P4
from nextrade.ops.alerting.series import Recorded

TOLD = {
    "ApiUnavailable": (P1, "NexTrade API is down. Health check failing."),
    "DatabaseConnectionLost": (P1, "Database connection lost. User data inaccessible."),
    "HighErrorRate": (P1, "Critical error rate: 60.0% of requests failing."),
    "LlmProviderIssues": (P2, "LLM provider unavailable. Requests may fail."),
    "ElevatedErrorRate": (P2, "Elevated error rate: 60.0%. Investigate immediately."),
    "CircuitBreakerOpened": (P2, "Circuit breaker 'llm' opened after 60 failures."),
    "SlowResponseTimes": (P3, "Response times degraded. P95: 60.0s"),
    "DiskSpaceWarning": (P3, "Disk usage at 60%. Consider cleanup."),
    "MemoryUsageHigh": (P3, "Memory usage high: 60.0GB. Monitor for leaks."),
    "LogVolumeSpike": (P4, "Unusual log volume. Review for issues."),
    "RetryAttemptsHigh": (P4, "High retry count. External services may be unstable."),
}


@pytest.mark.parametrize("name", TOLD)
def test_the_guide_s_alerts_say_what_the_guide_says(name: str) -> None:
    priority, text = TOLD[name]
    rule = rules.by_name(name)
    assert rule.priority is priority
    assert rule.text(60, {"name": "llm"}) == text


def test_priorities_have_the_guide_s_channels_and_a_rule_s_own_win() -> None:
    channels = {priority.name: priority.channels for priority in rules.PRIORITIES}
    assert channels == {
        "P1": ("pagerduty",),
        "P2": ("email", "slack"),
        "P3": ("slack",),
        "P4": ("ticket",),
        "none": ("heartbeat",),
    }
    assert rules.by_name("CircuitBreakerOpened").channels == ("slack",)
    assert rules.by_name("LlmProviderIssues").channels == ("email", "slack")


def requests(**finished: int) -> Recorded:
    """Traffic of ten minutes, spread evenly, that much of each status."""
    samples = Recorded()
    for step in range(41):
        for status in ("started", "success", "error", "rejected"):
            value = finished.get(status, 0) * step / 40
            samples.add("nextrade_requests_total", {"endpoint": "/chat", "status": status}, step * 15.0, value)
    return samples


def fires(name: str, samples: Recorded, at_s: float = 600) -> bool:
    return bool(evaluate(rules.by_name(name).expr, samples, at_s))


@pytest.mark.parametrize(
    ("finished", "high", "elevated"),
    [
        ({"started": 200, "success": 100, "error": 100}, False, True),  # exactly half
        ({"started": 200, "success": 98, "error": 102}, True, True),
        ({"started": 100, "success": 90, "error": 10}, False, False),  # exactly a tenth
        ({"started": 100, "success": 89, "error": 11}, False, True),
        ({"started": 100, "error": 100}, True, True),  # F2: all of them, though each was started too
        ({"started": 100, "success": 50, "rejected": 5000}, False, False),  # F3
        ({"started": 4, "error": 4}, False, False),  # too few to tell
        ({}, False, False),
    ],
)
def test_error_rates_at_their_edges(finished: dict[str, int], high: bool, elevated: bool) -> None:
    samples = requests(**finished)
    assert (fires("HighErrorRate", samples), fires("ElevatedErrorRate", samples)) == (high, elevated)


def test_a_tenth_is_not_above_ten_percent_whatever_the_numbers() -> None:
    for tenth in range(1, 200, 7):
        samples = requests(started=10 * tenth, success=9 * tenth, error=tenth)
        assert not fires("ElevatedErrorRate", samples), tenth


def test_a_threshold_that_somebody_set_is_in_the_expression() -> None:
    changed = {rule.name: rule for rule in rules.catalogue({"DiskSpaceWarning": 70.5, "Watchdog": 3, "Gone": 1})}
    assert "> 70.5" in changed["DiskSpaceWarning"].expr
    assert changed["Watchdog"].expr == "vector(1)"
    assert "> 80" in rules.by_name("DiskSpaceWarning").expr


def test_an_alert_s_identity_has_the_rule_s_labels_and_no_place_of_scraping() -> None:
    labels = rules.by_name("ComponentDown").alert_labels({"component": "sealer"})
    assert labels == {"alertname": "ComponentDown", "component": "sealer", "severity": "error", "priority": "P2"}
    for rule in rules.RULES:
        samples = Recorded()
        for selector, _ in selectors(rule.expr):
            samples.add(selector.name, {"job": "web", "instance": "a:1", "path": "/", "le": "+Inf"}, 0, 1)
        for found in evaluate(rule.expr, samples, 0):
            assert "instance" not in dict(found)


def test_a_message_in_prometheus_words() -> None:
    breaker = rules.by_name("CircuitBreakerOpened").go_template()
    assert breaker == "Circuit breaker '{{ $labels.name }}' opened after {{ printf \"%.0f\" $value }} failures."
    assert rules.by_name("CircuitBreakerOpened").text(5, {}) == "Circuit breaker '' opened after 5 failures."


def test_what_explains_mutes_what_it_explains() -> None:
    mutes = {each.source: each.mutes for each in rules.INHIBITIONS}
    assert "LlmProviderIssues" in mutes["ApiUnavailable"]
    assert not {"ApiUnavailable", "Watchdog"} & set(mutes["ApiUnavailable"])
    assert mutes["HighErrorRate"] == ("ElevatedErrorRate",)
    assert set(mutes["DatabaseConnectionLost"]) == {"HighErrorRate", "ElevatedErrorRate"}
    names = {rule.name for rule in rules.RULES}
    assert len(names) == len(rules.RULES)
    for source, muted in mutes.items():
        assert {source, *muted} <= names
        assert source not in muted


ELSEWHERE = {"probe_success", "probe_ssl_earliest_cert_expiry", "nextrade_alert_deliveries_failing"}
"""Told by the prober and by alertd."""


@pytest.mark.django_db(transaction=True)  # the health check of the database finds a lock else, and remembers it
def test_metrics_tells_every_series_that_a_rule_reads(settings: Any) -> None:
    settings.BUDGET_FIRM_USD = "10"
    exposed = Client().get("/metrics").content.decode()
    names = {sample.name for family in text_string_to_metric_families(exposed) for sample in family.samples}
    read = {selector.name for rule in rules.RULES for selector, _ in selectors(rule.expr)}
    not_yet = {"nextrade_circuit_breaker_state", "nextrade_circuit_breaker_failures"}  # no breaker has been needed

    assert read - names - ELSEWHERE <= not_yet


@pytest.mark.parametrize(
    ("name", "histogram"), [("SlowResponseTimes", metrics.SECONDS), ("LlmLatencyHigh", metrics.LLM_SECONDS)]
)
def test_a_histogram_reaches_past_the_threshold_that_is_set_on_it(name: str, histogram: Histogram) -> None:
    assert max(histogram._kwargs["buckets"]) >= 2 * (rules.by_name(name).threshold or 0)

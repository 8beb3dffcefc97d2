"""Every alert, one table: rendered for Prometheus and Alertmanager (`ops render`), evaluated by alertd.

The first eleven are the guide's, to the letter of their messages and thresholds. What "/health" of a web process
answers within its time, be it 503, means that the API is there; what is down behind it has alerts of its own. Ratios
are rounded to a millionth before they are compared: exactly a tenth is not above 10 % (in binary it would be). Only
`success` and `error` are in a ratio: `started` counts every request twice, `rejected` is the caller's own doing.
`increase` extrapolates, so that soon after the start of a process three requests may count as five.

Labels of scraping (job, instance) are aggregated away, so that both engines name an alert alike.
"""

from collections.abc import Mapping

from nextrade.ops.alerting.rule import HEARTBEAT, P1, P2, P3, P4, PRIORITIES, Inhibition, Priority, Recording, Rule

__all__ = ("INHIBITIONS", "PRIORITIES", "RECORDINGS", "RULES", "Inhibition", "Priority", "Rule", "by_name", "catalogue")

FAILED = 'sum(increase(nextrade_requests_total{status="error"}[WINDOW]))'
FINISHED = 'sum(increase(nextrade_requests_total{status=~"success|error"}[WINDOW]))'
P95 = "histogram_quantile(0.95, sum by (le) (rate(SERIES_bucket[15m])))"
USED = "100 * nextrade_disk_used_bytes / (nextrade_disk_used_bytes + nextrade_disk_free_bytes)"
OWN_ALERTS = "api|database|llm|circuit_breaker|scheduler|disk|memory|backup"
"""Components whose failure another rule tells of."""


def error_percent(window: str) -> str:
    """Failed requests of all that finished, where at least the minimum did."""
    failed, finished = FAILED.replace("WINDOW", window), FINISHED.replace("WINDOW", window)
    return f"round(100 * {failed} / ({finished} >= {{minimum}}), 0.000001)"


GUIDE = (
    Rule(
        name="ApiUnavailable",
        priority=P1,
        component="api",
        template='max(probe_success{job="nextrade-health"}) == 0',
        for_s=120,
        message="NexTrade API is down. Health check failing.",
        what="no web process answers /health within its time",
    ),
    Rule(
        name="DatabaseConnectionLost",
        priority=P1,
        component="database",
        template='min(nextrade_component_up{component="database"}) == 0',
        keep_firing_s=300,
        message="Database connection lost. User data inaccessible.",
        what="the health check of the database says no",
    ),
    Rule(
        name="HighErrorRate",
        priority=P1,
        component="api",
        template=f"{error_percent('5m')} > {{threshold}}",
        threshold=50,
        unit="% of requests over 5 minutes",
        minimum=5,
        message="Critical error rate: {value:.1f}% of requests failing.",
        what="most requests fail",
    ),
    Rule(
        name="LlmProviderIssues",
        priority=P2,
        component="llm",
        template='min(nextrade_component_up{component="llm"}) == 0',
        message="LLM provider unavailable. Requests may fail.",
        what="the language model's provider does not answer",
    ),
    Rule(
        name="ElevatedErrorRate",
        priority=P2,
        component="api",
        template=f"{error_percent('10m')} > {{threshold}}",
        threshold=10,
        unit="% of requests over 10 minutes",
        minimum=5,
        message="Elevated error rate: {value:.1f}%. Investigate immediately.",
        what="more requests fail than should",
    ),
    Rule(
        name="CircuitBreakerOpened",
        priority=P2,
        component="circuit_breaker",
        template="max by (name) (nextrade_circuit_breaker_failures)"
        " and on (name) max by (name) (nextrade_circuit_breaker_state) == 2",
        keep_firing_s=300,  # half-open for a moment is not recovered
        own_channels=("slack",),
        message="Circuit breaker '{labels[name]}' opened after {value:.0f} failures.",
        what="a provider is not called for a while, because it failed again and again",
    ),
    Rule(
        name="SlowResponseTimes",
        priority=P3,
        component="api",
        template=f"{P95.replace('SERIES', 'nextrade_response_seconds')} > {{threshold}}",
        threshold=30,
        unit="seconds, 95th percentile over 15 minutes",
        message="Response times degraded. P95: {value:.1f}s",
        what="one answer in twenty takes too long",
    ),
    Rule(
        name="DiskSpaceWarning",
        priority=P3,
        component="disk",
        template=f"round(max by (path) ({USED}), 0.000001) > {{threshold}}",
        threshold=80,
        unit="% of the disk",
        message="Disk usage at {value:.0f}%. Consider cleanup.",
        what="a disk of ours fills up, in percent as df has it",
    ),
    Rule(
        name="MemoryUsageHigh",
        priority=P3,
        component="memory",
        template="sum(nextrade_process_resident_memory_bytes) / 1000000000 > {threshold}",
        threshold=3,
        unit="GB (10^9 bytes) of all processes",
        for_s=600,
        message="Memory usage high: {value:.1f}GB. Monitor for leaks.",
        what="our processes hold more memory than they should",
    ),
    Rule(
        name="LogVolumeSpike",
        priority=P4,
        component="logs",
        template="sum(increase(nextrade_log_records_total[1m])) > {threshold}",
        threshold=1000,
        unit="log records a minute",
        keep_firing_s=600,  # one ticket, not one a minute
        message="Unusual log volume. Review for issues.",
        what="far more is logged than usual",
    ),
    Rule(
        name="RetryAttemptsHigh",
        priority=P4,
        component="retries",
        template="sum(increase(nextrade_retries_total[1h])) > {threshold}",
        threshold=100,
        unit="retries an hour",
        message="High retry count. External services may be unstable.",
        what="calls to other services have to be repeated often",
    ),
)

TRADING = (
    Rule(
        name="AuditVerificationFailed",
        priority=P1,
        component="audit",
        template="max(nextrade_audit_faults) > 0",
        message="The audit trail does not verify: {value:.0f} faults.",
        what="the last verification of the trail found a fault",
    ),
    Rule(
        name="AuditSealingStopped",
        priority=P1,
        component="sealer",
        template="max(nextrade_audit_unsealed_seconds) / 60 > {threshold}",
        threshold=10,
        unit="minutes",
        message="Audit events have waited {value:.0f} minutes to be sealed.",
        what="events stand in the trail unsealed, for long",
    ),
    Rule(
        name="AuditEventsUnsealed",
        priority=P2,
        component="sealer",
        template="max(nextrade_audit_unsealed_seconds) > {threshold}",
        threshold=60,
        unit="seconds",
        message="Audit events have waited {value:.0f}s to be sealed.",
        what="the sealer is behind",
    ),
    Rule(
        name="ReconciliationBreak",
        priority=P2,
        component="books",
        template="sum(nextrade_reconciliation_breaks) > 0",
        message="{value:.0f} open breaks between our books and the broker's.",
        what="our books and the broker's differ",
    ),
    Rule(
        name="ApprovalsWaiting",
        priority=P3,
        component="approvals",
        template="max(nextrade_approval_oldest_seconds) / 60 > {threshold}",
        threshold=15,
        unit="minutes",
        message="An order has waited {value:.0f} minutes for approval.",
        what="nobody decides on an order, which will lapse",
    ),
    Rule(
        name="LlmBudgetNearlySpent",
        priority=P3,
        component="budget",
        template="round(100 * max by (scope) (nextrade_llm_budget_used_ratio), 0.000001) >= {threshold}",
        threshold=80,
        unit="% of the day's budget",
        message="{value:.0f}% of the language model budget is spent ({labels[scope]}).",
        what="at 100 % the model is no longer called",
    ),
    Rule(
        name="LlmLatencyHigh",
        priority=P3,
        component="llm",
        template=f"{P95.replace('SERIES', 'nextrade_llm_request_seconds')} > {{threshold}}",
        threshold=10,
        unit="seconds, 95th percentile over 15 minutes",
        message="The language model answers slowly. P95: {value:.1f}s",
        what="above the guide's normal; calls are given up at NEXTRADE_LLM_TIMEOUT_S, so 60 s would never be seen",
    ),
)

HOUSE = (
    Rule(
        name="ComponentDown",
        priority=P2,
        component="",
        template=f'min by (component) (nextrade_component_up{{component!~"{OWN_ALERTS}"}}) == 0',
        for_s=60,
        message="Component '{labels[component]}' is down.",
        what="a component of /health fails that has no alert of its own",
    ),
    Rule(
        name="SchedulerDown",
        priority=P2,
        component="scheduler",
        template='min(nextrade_component_up{component="scheduler"}) == 0',
        for_s=60,
        message="The worker does no scheduled work. Approved orders are not sent.",
        what="no task has come through the queue lately",
    ),
    Rule(
        name="MetricsMissing",
        priority=P2,
        component="metrics",
        template='absent(nextrade_component_up{component="database"}) or absent(probe_success{job="nextrade-health"})',
        for_s=300,
        message="No metrics arrive. Other alerts cannot fire.",
        what="/metrics is not scraped or has lost its series, or nobody probes /health",
    ),
    Rule(
        name="BackupTooOld",
        priority=P2,
        component="backup",
        template="max(nextrade_backup_age_seconds) / 3600 > {threshold}",
        threshold=1,
        unit="hours",
        message="The newest backup is {value:.1f} hours old.",
        what="more would be lost than the hour that recovery may lose",
    ),
    Rule(
        name="MaintenanceJobMissed",
        priority=P3,
        component="scheduler",
        template="max by (job, kind) (nextrade_job_problem) == 1",
        message="Scheduled job '{labels[job]}': {labels[kind]}.",
        what="a job is missed, failed, overrun, or stale: too long without success",
    ),
    Rule(
        name="CertificateExpiry",
        priority=P3,
        component="certificate",
        template="(min(probe_ssl_earliest_cert_expiry) - time()) / 86400 < {threshold}",
        threshold=14,
        unit="days",
        message="The certificate expires in {value:.0f} days.",
        what="TLS will fail then",
    ),
    Rule(
        name="DiskFullSoon",
        priority=P2,
        component="disk",
        template=f"max by (path) ({USED}) > {{threshold}}"
        " and on (path) min by (path) (predict_linear(nextrade_disk_free_bytes[6h], 86400)) < 0",
        threshold=60,
        unit="% of the disk, from where on the trend counts",
        for_s=1800,
        message="A disk at {value:.0f}% will be full within 24 hours.",
        what="at the pace of the last six hours",
    ),
    Rule(
        name="CpuUsageHigh",
        priority=P3,
        component="cpu",
        template="round(100 * max(nextrade_cpu_usage_ratio), 0.000001) > {threshold}",
        threshold=90,
        unit="% of all cores",
        for_s=600,
        message="CPU usage high: {value:.0f}%.",
        what="the machine has no room left",
    ),
    Rule(
        name="AlertDeliveryFailing",
        priority=P2,
        component="alerting",
        template="max by (channel) (nextrade_alert_deliveries_failing) > 0",
        message="{value:.0f} alerts could not be delivered to {labels[channel]}.",
        what="a channel does not take what is sent to it",
    ),
    Rule(
        name="Watchdog",
        priority=HEARTBEAT,
        component="alerting",
        template="vector(1)",
        message="Always firing: proves the alerting path works end to end.",
        what="sent again and again to HEARTBEAT_URL; who listens there rings when it stops",
    ),
)

RULES: tuple[Rule, ...] = (*GUIDE, *TRADING, *HOUSE)
NEVER_MUTED = ("ApiUnavailable", "AuditVerificationFailed", "DiskSpaceWarning", "AlertDeliveryFailing", "Watchdog")
INHIBITIONS = (
    Inhibition(source="ApiUnavailable", mutes=tuple(each.name for each in RULES if each.name not in NEVER_MUTED)),
    Inhibition(source="DatabaseConnectionLost", mutes=("HighErrorRate", "ElevatedErrorRate")),
    Inhibition(source="HighErrorRate", mutes=("ElevatedErrorRate",)),
    Inhibition(source="SchedulerDown", mutes=("MaintenanceJobMissed",)),
    Inhibition(source="AuditSealingStopped", mutes=("AuditEventsUnsealed",)),
)
RECORDINGS = tuple(
    Recording(
        name=f"nextrade:error_ratio:{window}",
        expr=f"{FAILED.replace('WINDOW', window)} / ({FINISHED.replace('WINDOW', window)} > 0)",
    )
    for window in ("5m", "10m")
)


def catalogue(thresholds: Mapping[str, float] | None = None) -> tuple[Rule, ...]:
    """All rules. thresholds: those that somebody has set, by the rule's name (`nextrade.ops.thresholds.in_force`)."""
    told = thresholds or {}
    return tuple(
        rule.with_threshold(told[rule.name]) if rule.threshold is not None and rule.name in told else rule
        for rule in RULES
    )


def by_name(name: str) -> Rule:
    """As the catalogue has it. Raises KeyError."""
    return {rule.name: rule for rule in RULES}[name]

"""For each rule: series of which it must say nothing, up to its very edge, and series of which it must fire.

promtool's tests are made of them; they follow the thresholds in force. A sample stands every 15 seconds from time 0.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from nextrade.ops.alerting.rule import Rule
from nextrade.ops.alerting.series import Recorded

STEP_S = 15
STEPS = 260
Part = tuple[float, float, int]
"""The first value, what each of the next adds, how many next ones there are."""


@dataclass(frozen=True, kw_only=True)
class Series:
    name: str
    labels: Mapping[str, str]
    parts: tuple[Part, ...]

    def selector(self) -> str:
        return f"{self.name}{{{','.join(f'{key}={chr(34)}{value}{chr(34)}' for key, value in self.labels.items())}}}"

    def notation(self) -> str:
        """As promtool reads it."""
        return " ".join(f"{start:.12g}{step:+.12g}x{count}" for start, step, count in self.parts)

    def values(self) -> list[float]:
        return [start + step * place for start, step, count in self.parts for place in range(count + 1)]


@dataclass(frozen=True, kw_only=True)
class Example:
    """quiet: by what each shows, a sentence; loud: what makes the rule fire. at_s: when it is asked."""

    quiet: Mapping[str, tuple[Series, ...]]
    loud: tuple[Series, ...]
    at_s: int = 300


def recorded(series: tuple[Series, ...]) -> Recorded:
    samples = Recorded()
    for each in series:
        for place, value in enumerate(each.values()):
            samples.add(each.name, each.labels, float(place * STEP_S), value)
    return samples


def steady(name: str, value: float, /, **labels: str) -> Series:
    return Series(name=name, labels=labels, parts=((value, 0, STEPS),))


def growing(name: str, per_step: float, start: float = 0, /, **labels: str) -> Series:
    return Series(name=name, labels=labels, parts=((start, per_step, STEPS),))


def jumping(name: str, to: float, /, **labels: str) -> Series:
    """Zero, and that much from the fifth minute on."""
    return Series(name=name, labels=labels, parts=((0, 0, 19), (to, 0, STEPS)))


def traffic(make: Callable[..., Series], *, success: float, error: float) -> tuple[Series, ...]:
    """Requests of /chat, every one of which was started too."""
    finished = {"started": success + error, "success": success, "error": error}
    return tuple(
        make("nextrade_requests_total", count, endpoint="/chat", status=status) for status, count in finished.items()
    )


def latencies(name: str, edge_s: float, within: int) -> tuple[Series, ...]:
    """So many answers of a hundred within edge_s, the others within twice that."""
    counts = {f"{edge_s:.12g}": within, f"{2 * edge_s:.12g}": 100, "+Inf": 100}
    return tuple(growing(f"{name}_bucket", count, le=le) for le, count in counts.items())


def disk(used_percent: float, falling: float = 0) -> tuple[Series, ...]:
    """A disk of 1000 bytes, whose free ones fall by so many each step."""
    free = growing("nextrade_disk_free_bytes", -falling, 10 * (100 - used_percent), path="/data")
    return (free, growing("nextrade_disk_used_bytes", falling, 10 * used_percent, path="/data"))


def breaker(state: int) -> tuple[Series, ...]:
    return (
        steady("nextrade_circuit_breaker_state", state, name="llm"),
        steady("nextrade_circuit_breaker_failures", 5, name="llm"),
    )


def component(name: str, is_up: int) -> Series:
    return steady("nextrade_component_up", is_up, component=name)


def below(name: str, edge: float, past: float, /, **labels: str) -> Example:
    """A gauge that may reach the edge."""
    return Example(quiet={"at its edge": (steady(name, edge, **labels),)}, loud=(steady(name, past, **labels),))


def error_ratio(percent: float, minimum: float) -> Example:
    return Example(
        quiet={
            "at exactly its threshold": traffic(growing, success=100 - percent, error=percent),
            "below the minimum volume": traffic(jumping, success=0, error=minimum - 1),
            "without traffic": traffic(steady, success=5, error=5),
        },
        loud=traffic(growing, success=99 - percent, error=percent + 1),
        at_s=600,
    )


def example(rule: Rule) -> Example:
    """Raises KeyError for a rule without one."""
    return _EXAMPLES[rule.name](rule.threshold or 0, rule.minimum)


def _flag(is_up: Callable[[int], tuple[Series, ...]]) -> Example:
    return Example(quiet={"while it is up": is_up(1)}, loud=is_up(0))


def _slow(name: str, threshold: float) -> Example:
    quiet = latencies(name, threshold, 96)
    return Example(quiet={"within its threshold": quiet}, loud=latencies(name, threshold, 90), at_s=900)


def _certificate(days: float) -> Example:
    at_s = 300
    expires = functools.partial(steady, "probe_ssl_earliest_cert_expiry")
    return Example(
        quiet={"with exactly its days left": (expires(days * 86400 + at_s),)},
        loud=(expires((days - 1) * 86400 + at_s),),
        at_s=at_s,
    )


def _trend(percent: float) -> Example:
    return Example(
        quiet={
            "while there is room": disk(percent - 10, falling=0.1),
            "at a standstill": disk(percent + 1),
        },
        loud=disk(percent + 1, falling=0.1),
        at_s=600,
    )


_EXAMPLES: Mapping[str, Callable[[float, float], Example]] = MappingProxyType(
    {
        "ApiUnavailable": lambda t, _: _flag(lambda up: (steady("probe_success", up, job="nextrade-health"),)),
        "DatabaseConnectionLost": lambda t, _: _flag(lambda up: (component("database", up),)),
        "HighErrorRate": error_ratio,
        "LlmProviderIssues": lambda t, _: _flag(lambda up: (component("llm", up),)),
        "ElevatedErrorRate": error_ratio,
        "CircuitBreakerOpened": lambda t, _: Example(quiet={"while half-open": breaker(1)}, loud=breaker(2)),
        "SlowResponseTimes": lambda t, _: _slow("nextrade_response_seconds", t),
        "DiskSpaceWarning": lambda t, _: Example(quiet={"at exactly its threshold": disk(t)}, loud=disk(t + 1)),
        "MemoryUsageHigh": lambda t, _: below(
            "nextrade_process_resident_memory_bytes", t * 1e9, (t + 0.5) * 1e9, process="web"
        ),
        "LogVolumeSpike": lambda t, _: Example(
            quiet={"at exactly its threshold": (growing("nextrade_log_records_total", t / 4, level="INFO"),)},
            loud=(growing("nextrade_log_records_total", t / 4 + 1, level="INFO"),),
        ),
        "RetryAttemptsHigh": lambda t, _: Example(
            quiet={"at exactly its threshold": (jumping("nextrade_retries_total", t, operation="llm"),)},
            loud=(jumping("nextrade_retries_total", t + 1, operation="llm"),),
            at_s=3660,
        ),
        "AuditVerificationFailed": lambda t, _: below("nextrade_audit_faults", 0, 2),
        "AuditSealingStopped": lambda t, _: below("nextrade_audit_unsealed_seconds", t * 60, t * 60 + 60),
        "AuditEventsUnsealed": lambda t, _: below("nextrade_audit_unsealed_seconds", t, t + 1),
        "ReconciliationBreak": lambda t, _: below("nextrade_reconciliation_breaks", 0, 1),
        "ApprovalsWaiting": lambda t, _: below("nextrade_approval_oldest_seconds", t * 60, t * 60 + 60),
        "LlmBudgetNearlySpent": lambda t, _: below(
            "nextrade_llm_budget_used_ratio", (t - 1) / 100, t / 100, scope="firm"
        ),
        "LlmLatencyHigh": lambda t, _: _slow("nextrade_llm_request_seconds", t),
        "ComponentDown": lambda t, _: Example(
            quiet={"of components with rules of their own": (component("sealer", 1), component("llm", 0))},
            loud=(component("sealer", 0), component("llm", 1)),
        ),
        "MetricsMissing": lambda t, _: Example(
            quiet={
                "while there are any": (component("database", 0), steady("probe_success", 0, job="nextrade-health"))
            },
            loud=(component("sealer", 1),),
        ),
        "BackupTooOld": lambda t, _: below("nextrade_backup_age_seconds", t * 3600, (t + 1) * 3600),
        "MaintenanceJobMissed": lambda t, _: below("nextrade_job_problem", 0, 1, job="database_backup", kind="missed"),
        "SchedulerDown": lambda t, _: _flag(lambda up: (component("scheduler", up),)),
        "CertificateExpiry": lambda t, _: _certificate(t),
        "DiskFullSoon": lambda t, _: _trend(t),
        "CpuUsageHigh": lambda t, _: below("nextrade_cpu_usage_ratio", t / 100, (t + 1) / 100),
        "AlertDeliveryFailing": lambda t, _: below("nextrade_alert_deliveries_failing", 0, 3, channel="slack"),
        "Watchdog": lambda t, _: Example(quiet={}, loud=()),
    }
)

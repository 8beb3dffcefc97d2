"""What the guards refused, counted where it is written down, after the commit."""

from prometheus_client import Counter

from compliance.models import ComplianceEvent, EventType, Outcome

STAGES = ("input", "output")
VIOLATION_TYPES = ("input_validation_failed", "output_validation_failed")
VALIDATION_FAILURES = Counter("nextrade_validation_failures", "Messages that a guard refused", ["stage"])
SAFETY_VIOLATIONS = Counter("nextrade_safety_violations", "Safety violations on the audit trail", ["type"])

for stage in STAGES:  # a series born above zero is invisible to increase()
    VALIDATION_FAILURES.labels(stage)
for kind in VIOLATION_TYPES:
    SAFETY_VIOLATIONS.labels(kind)


def count(event: ComplianceEvent) -> None:
    if event.type == EventType.VALIDATION and event.outcome != Outcome.SUCCESS:
        VALIDATION_FAILURES.labels(event.action).inc()
    elif event.type == EventType.SAFETY_VIOLATION:
        SAFETY_VIOLATIONS.labels(event.action).inc()

"""Every five minutes the guide's three figures, for the system page: requests, errors, times of answers."""

from typing import Any

from nextrade.ops.alerting import promql
from nextrade.ops.alerting.samples import Memory

EVERY_S = 300.0
FINISHED = 'sum(increase(nextrade_requests_total{status=~"success|error"}[5m]))'
FAILED = 'sum(increase(nextrade_requests_total{status="error"}[5m]))'
MEAN = "sum(increase(nextrade_response_seconds_sum[5m])) / sum(increase(nextrade_response_seconds_count[5m]))"
P95 = "histogram_quantile(0.95, sum by (le) (increase(nextrade_response_seconds_bucket[5m])))"
EXPRESSIONS = (FINISHED, FAILED, MEAN, P95)


def taken(memory: Memory, at_s: float, *, at: float) -> dict[str, Any] | None:
    """The last five minutes, None when nobody could be asked. at: Unix time of their end."""
    requests, errors, mean_s, p95_s = (_value(memory, expression, at_s) for expression in EXPRESSIONS)
    if requests is None:
        return None
    return {"at": at, "requests": requests, "errors": errors or 0.0, "mean_s": mean_s, "p95_s": p95_s}


def _value(memory: Memory, expression: str, at_s: float) -> float | None:
    value = next(iter(promql.evaluate(expression, memory, at_s).values()), None)
    return value if value is not None and value == value else None

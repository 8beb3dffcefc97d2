"""How a log line looks, what it never holds, and that it is counted."""

import logging

import structlog
from prometheus_client import Counter

RECORDS = Counter("nextrade_log_records", "Lines of the application log", ["level"])
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
for level in LEVELS:  # a series born above zero is invisible to increase()
    RECORDS.labels(level)


class Counting(logging.Handler):
    """Counts what is logged, by level."""

    def emit(self, record: logging.LogRecord) -> None:
        RECORDS.labels(record.levelname if record.levelname in LEVELS else "INFO").inc()


def json_formatter() -> logging.Formatter:
    """One JSON object a line, with the request's id."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )

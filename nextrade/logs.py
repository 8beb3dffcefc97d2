"""How a log line looks, what it never holds, and that it is counted.

Text: `time - logger - LEVEL - message`, one line; an error's within a request ends with `[METHOD /path]`. A traceback
follows on lines of its own, of which none can pass for a record. JSON: one object a line. Both are redacted as a whole,
tracebacks too.
"""

import logging
import re
from typing import Any

import structlog
from prometheus_client import Counter

from nextrade.redaction import CUT, redact, redact_all

RECORDS = Counter("nextrade_log_records", "Lines of the application log", ["level"])
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
for level in LEVELS:  # a series born above zero is invisible to increase()
    RECORDS.labels(level)
FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
MOST = 8_000
"""Characters of a message."""
KNOWN = ("request_id", "endpoint", "user", "thread_id")
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_LIKE_A_RECORD = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)


class Counting(logging.Handler):
    """Counts what is logged, by level."""

    def emit(self, record: logging.LogRecord) -> None:
        RECORDS.labels(record.levelname if record.levelname in LEVELS else "INFO").inc()


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(FORMAT)

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = escape(record.message)
        endpoint = structlog.contextvars.get_contextvars().get("endpoint")
        if endpoint and record.levelno >= logging.ERROR:
            record.message += f" [{escape(endpoint)}]"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        first, *rest = redact(super().format(record)).split("\n", 1)
        return "\n".join([first, *(_LIKE_A_RECORD.sub("| ", lines) for lines in rest)])


def text_formatter() -> logging.Formatter:
    return TextFormatter()


def json_formatter() -> logging.Formatter:
    """One JSON object a line, with the ids of request, user and conversation, null where there is none."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            _identified,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            lambda _, __, event: redact_all(event),
            structlog.processors.JSONRenderer(default=str),
        ],
    )


def escape(message: str) -> str:
    """Line ends, control and direction characters as backslash escapes; cut to MOST."""
    if len(message) > MOST:
        message = f"{message[:MOST]}{CUT}"
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", message)


def _identified(_: Any, __: str, event: Any) -> Any:
    event |= {name: event.get(name) for name in KNOWN}
    event["user"] = event["user"] or event.pop("actor", None)
    event["event"] = str(event["event"])[:MOST]
    return event

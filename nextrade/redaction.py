"""What no log line, trace or report of an error may hold: secrets, and what tells who somebody is.

Patterns of bounded length, read once each over a text that is cut to MOST characters first.
"""

import re
from collections.abc import Callable
from typing import Any

MOST = 40_000
CUT = "[cut]"
_WORD = (
    r"(?:api[_-]?key|secret(?:[_-]?key)?|password|passwd|pwd|(?:access|auth|refresh|api)[_-]?token|token"
    r"|routing[_-]?key|authorization)"
)
_VALUE = r"['\"]?\s{0,3}[=:]\s{0,3}['\"]?)(?!\[)[^\s'\",;&)\]}]{3,4000}"
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----"),
        "[key]",
    ),
    (re.compile(r"\b([A-Za-z][\w+.-]{0,30}://[^\s:/@'\"]{0,100}):[^\s@/'\"]{1,200}@"), r"\1:[secret]@"),
    (re.compile(r"\b(Bearer|Basic|Token)\s+[\w.~+/=-]{6,4000}", re.IGNORECASE), r"\1 [secret]"),
    (re.compile(r"(https://hooks\.slack\.com/services/)[\w/]{1,200}"), r"\1[secret]"),
    (re.compile(r"\b(?:sk|pk|rk|tvly|xox[a-z]|gh[pousr]|glpat|AGE-SECRET-KEY)[-_][\w-]{6,400}"), "[key]"),
    (re.compile(r"\b(?:AKIA|ASIA|PK|AK)[A-Z0-9]{16,24}\b"), "[key]"),
    (re.compile(r"\beyJ[\w-]{8,300}\.[\w-]{8,4000}\.[\w-]{0,4000}"), "[token]"),
    (re.compile(rf"\b(\w{{0,40}}{_WORD}{_VALUE}", re.IGNORECASE), r"\1[secret]"),
    (re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}\b"), "[e-mail]"),
)
_CARD = re.compile(r"(?<![\d.-])\d(?:[ -]?\d){12,18}(?![\d-])")


def redact(text: str) -> str:
    """The text with its secrets, e-mail addresses and card numbers replaced by what they were."""
    if len(text) > MOST:
        text = f"{text[:MOST]}{CUT}"
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return _CARD.sub(_card, text)


def redact_all(value: Any) -> Any:
    """The same for every text within dicts and lists, keys as they are."""
    return _everywhere(value, redact)


def _everywhere(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _everywhere(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_everywhere(each, change) for each in value]
    return value


def _card(found: re.Match[str]) -> str:
    """Only what a card's check digit fits (Luhn): order and event numbers are long as well."""
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [
        digit if place % 2 else (2 * digit - 9 if digit > 4 else 2 * digit)
        for place, digit in enumerate(digits, start=len(digits) % 2)
    ]
    return "[card]" if sum(doubled) % 10 == 0 else found[0]

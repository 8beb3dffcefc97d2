"""Rules over plain text: a pattern in small letters, tried only where one of its hints stands in the text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agents.guarding.rule import Rule


@dataclass(frozen=True, kw_only=True)
class TextRule(Rule):
    """is_cased: it looks at the text as it was typed, since its pattern tells capitals apart (`(?-i:...)`)."""

    pattern: re.Pattern[str]
    hints: tuple[str, ...]
    is_cased: bool


def text_rule(name: str, category: str, score: int, pattern: str, *hints: str) -> TextRule:
    """A pattern over folded text needs no IGNORECASE, which makes it twice as fast."""
    is_cased = "(?-i:" in pattern
    compiled = re.compile(pattern, re.MULTILINE | (re.IGNORECASE if is_cased else re.NOFLAG))
    return TextRule(name=name, category=category, score=score, pattern=compiled, hints=hints, is_cased=is_cased)


def broken(rules: Iterable[TextRule], text: str) -> Iterator[TextRule]:
    folded = text.casefold()
    for rule in rules:
        if _is_hinted(rule, folded) and rule.pattern.search(text if rule.is_cased else folded):
            yield rule


def _is_hinted(rule: TextRule, folded: str) -> bool:
    for hint in rule.hints:  # noqa: SIM110  any() over a generator takes three times as long
        if hint in folded:
            return True
    return False

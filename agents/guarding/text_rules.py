"""Rules over plain text: a pattern, tried only where one of its hints stands in the text."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agents.guarding.rule import Rule


@dataclass(frozen=True, kw_only=True)
class TextRule(Rule):
    pattern: re.Pattern[str]
    hints: tuple[str, ...]


def text_rule(name: str, category: str, score: int, pattern: str, *hints: str) -> TextRule:
    compiled = re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    return TextRule(name=name, category=category, score=score, pattern=compiled, hints=hints)


def broken(rules: Iterable[TextRule], text: str) -> Iterator[TextRule]:
    folded = text.casefold()
    for rule in rules:
        if any(hint in folded for hint in rule.hints) and rule.pattern.search(text):
            yield rule

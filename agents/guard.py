"""Looks at text on its way to and from the language models.

A detector is a signal, never the reason an order is allowed: what protects the money is that no tool can
approve or execute. So the guard blocks at a high score, notes a middle one, and leaves events to its caller.
"""

import logging
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from agents.guarding import readings, text_rules
from agents.guarding.encodings import BASE64, from_base64
from agents.guarding.likeness import likeness
from agents.guarding.links import without_links
from agents.guarding.personal import redact, redacted
from agents.guarding.rule import Rule
from agents.guarding.rules import TEXT_RULES, WORD_RULES
from agents.guarding.text import normalise, readable
from agents.guarding.words import read

__all__ = ["Screened", "Verdict", "look_at_output", "normalise", "redact", "screen_input", "screen_output", "tells"]

logger = logging.getLogger(__name__)

MAX_LENGTH = 10_000
BLOCK_SCORE = 70
FLAG_SCORE = 40
FLAG_LIKENESS, BLOCK_LIKENESS = 0.8, 0.978  # the second: of innocent texts that were not learned from, 0.2 %
HIDDEN_SCORE = 30  # what had to be decoded first was meant to be missed
LEAST_LETTERS = 4
LOW_UNIQUENESS = Decimal("0.3")
WITHHELD = "I cannot show this answer because it contained internal instructions."


@dataclass(frozen=True, kw_only=True)
class Verdict:
    valid: bool
    length: int
    patterns: tuple[str, ...]
    score: int
    categories: tuple[str, ...]
    flagged: bool
    too_long: bool = False

    @property
    def errors(self) -> list[str]:
        if self.too_long:
            return [f"Message exceeds {MAX_LENGTH} characters"]
        return [] if self.valid else [f"Potentially malicious patterns detected: {', '.join(self.patterns)}"]


@dataclass(frozen=True, kw_only=True)
class Screened:
    text: str
    sensitive: tuple[str, ...]
    uniqueness: Decimal
    is_repetitive: bool = False


# ---- text in


def screen_input(text: str) -> Verdict:
    """Judge a message: `valid` is False when it is too long or scores high; in the middle it is `flagged`."""
    if len(text) > MAX_LENGTH:
        logger.warning("Input validation failed: excessive length (%d chars)", len(text))
        return Verdict(valid=False, length=len(text), patterns=(), score=0, categories=(), flagged=False, too_long=True)
    rules, score = _findings(text)
    patterns = tuple(dict.fromkeys(rule_name for rule_name, _ in rules))
    valid = score < settings.GUARD_BLOCK_SCORE
    if not valid:
        logger.warning("Input validation failed: detected patterns %s", list(patterns))
    return Verdict(
        valid=valid,
        length=len(text),
        patterns=patterns,
        score=score,
        categories=tuple(dict.fromkeys(category for _, category in rules)),
        flagged=valid and score >= settings.GUARD_FLAG_SCORE,
    )


def _findings(text: str) -> tuple[list[tuple[str, str]], int]:
    """Names and categories of what was found, on its face and in what it hides, and the score."""
    face = readable(text)
    plain = {rule.name: rule for rule in _telling(_broken(face))}
    found = [(rule.name, rule.category) for rule in plain.values()]
    score = sum(rule.score for rule in plain.values())
    if score >= BLOCK_SCORE:
        return found, min(score, 100)
    new = [rule for name, rule in _hidden(text).items() if name not in plain]
    if new and sum(rule.score for rule in new) >= FLAG_SCORE:
        score += sum(rule.score for rule in new) + HIDDEN_SCORE
        found += [(rule.name, rule.category) for rule in new] + [("hidden payload", "obfuscation")]
    if readings.is_spelled_out(text):
        score += BLOCK_SCORE
        found.append(("letter-spaced payload", "obfuscation"))
    if (learned := _learned(face)) >= FLAG_SCORE:
        score = max(score, learned)
        found.append(("reads like an attack", "likeness"))
    return found, min(score, 100)


def _learned(face: str) -> int:
    """What the learned model says, on the rules' scale. It has learned sentences: of a dot it knows nothing."""
    if sum(map(str.isalnum, face)) < LEAST_LETTERS:
        return 0
    slope = (BLOCK_SCORE - FLAG_SCORE) / (BLOCK_LIKENESS - FLAG_LIKENESS)
    return math.floor(FLAG_SCORE + (likeness(face) - FLAG_LIKENESS) * slope)


def _hidden(text: str) -> dict[str, Rule]:
    """The rules that a hidden reading breaks; the search ends with the first reading that would be blocked."""
    hidden: dict[str, Rule] = {}
    for variant in dict.fromkeys(readings.variants(text)):
        found = {rule.name: rule for rule in _telling(_broken(readable(variant)))}
        hidden |= found
        if sum(rule.score for rule in found.values()) >= BLOCK_SCORE:
            break
    return hidden


def _telling(rules: Iterable[Rule]) -> list[Rule]:
    """Without the hints in a category where a rule blocks on its own: they say the same again."""
    found = list(rules)
    decided = {rule.category for rule in found if rule.score >= BLOCK_SCORE}
    return [rule for rule in found if rule.score >= BLOCK_SCORE or rule.category not in decided]


def _broken(face: str) -> list[Rule]:
    return [*text_rules.broken(TEXT_RULES, face), *WORD_RULES.broken(read(face))]


def screen_output(text: str, *, canary: str = "") -> Screened:
    """Clean an answer and log what was wrong: secrets redacted, images dropped, links cut to text; with the canary,
    withheld."""
    screened = look_at_output(text, canary=canary)
    if screened.is_repetitive:
        logger.warning("Output has low uniqueness ratio: %.2f", screened.uniqueness)
    if screened.sensitive:
        logger.error("Output validation failed: sensitive patterns detected")
    return screened


def look_at_output(text: str, *, canary: str = "") -> Screened:
    """`screen_output` without a line in the log, for an answer that is not over yet."""
    words = re.findall(r"\w+", text.casefold())
    uniqueness = Decimal(len(set(words))) / Decimal(len(words)) if words else Decimal(1)
    is_repetitive = len(words) > 20 and uniqueness < LOW_UNIQUENESS
    if canary and tells(text, canary):
        return Screened(text=WITHHELD, sensitive=("canary",), uniqueness=uniqueness, is_repetitive=is_repetitive)
    clean, found = redacted(without_links(text))
    return Screened(
        text=clean, sensitive=tuple(dict.fromkeys(found)), uniqueness=uniqueness, is_repetitive=is_repetitive
    )


def tells(text: str, canary: str) -> bool:
    """Whether the canary is in the text: as it is, spelled out with spaces, backwards, or base64-encoded."""
    sought = _alphanumeric(canary)
    readings = [
        text,
        text[::-1],
        *(decoded for chunk in BASE64.findall(text) for decoded in from_base64(chunk)),
    ]
    return bool(sought) and any(sought in _alphanumeric(reading) for reading in readings)


def _alphanumeric(text: str) -> str:
    return "".join(char for char in normalise(text) if char.isalnum())

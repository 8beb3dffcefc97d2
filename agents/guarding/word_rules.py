"""Rules over meanings in a row: `evade .4 approval` is a word of `evade`, at most four others, a word of `approval`.

`a|b` is either, `'x` that very word (`'x|y`: either of two), `!a` at the end of a step: must not come next, `/a`: must
not be the word before, `~4` a gap without "my" in it, `^` in front: where a command can start. No gap reaches into
another sentence, or over a word of `aside` (FDA, e-mail, chart ...), which is never what an attack is about.

Context: a message of 10,000 characters has 2,000 words and there are hundreds of rows to look for. Choice: a set of
places is one integer with a bit for each word, and a step is a shift and an `and`; so the time grows with the length
and nothing else. Cost: words are tagged without grammar, so a rule sees nearness and order, not syntax.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agents.guarding.rule import Rule
from agents.guarding.text import unaccented
from agents.guarding.words import LITERAL, Reading, know

NOTHING: frozenset[str] = frozenset()
ASIDE = frozenset({"aside"})
ASIDE_OR_MINE = frozenset({"aside", "mine"})
FULL = 0xFF
"""The byte of a row all of whose steps can be; so a row has eight steps at most."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """gap: how many other words may stand before this one; barred: the concepts that may not be among them."""

    concepts: frozenset[str]
    not_before: frozenset[str] = NOTHING
    not_after: frozenset[str] = NOTHING
    gap: int = 0
    barred: frozenset[str] = ASIDE
    is_command: bool = False


@dataclass(frozen=True, kw_only=True)
class WordRule(Rule):
    """asking_is_fine: "who can skip the approval?" is a question about the product."""

    rows: tuple[tuple[Step, ...], ...]
    asking_is_fine: bool


def word_rule(name: str, category: str, score: int, *rows: str, asking_is_fine: bool = False) -> WordRule:
    parsed = tuple(_row(row) for row in rows)
    assert all(len(row) <= FULL.bit_length() for row in parsed), name
    return WordRule(name=name, category=category, score=score, rows=parsed, asking_is_fine=asking_is_fine)


class WordRules:
    """Rules with an index: a byte for each row, a bit for each of its steps, unused bits set.

    The concepts of a text set the bits of the steps that they can be. Only rows whose byte is full are tried: of some
    hundred, a few dozen.
    """

    def __init__(self, rules: Iterable[WordRule]) -> None:
        self._rows = [(rule, row) for rule in rules for row in rule.rows]
        self._bits_of: dict[str, int] = defaultdict(int)
        self._unused = 0
        for number, (_, row) in enumerate(self._rows):
            self._unused |= (FULL >> len(row) << len(row)) << 8 * number
            for place, step in enumerate(row):
                for concept in step.concepts:
                    self._bits_of[concept] |= 1 << 8 * number + place

    def broken(self, reading: Reading) -> Iterator[WordRule]:
        found: WordRule | None = None
        for rule, row in self._possible(reading):
            if rule is not found and _stands(row, reading, ~reading.asking if rule.asking_is_fine else -1):
                found = rule
                yield rule

    def _possible(self, reading: Reading) -> Iterator[tuple[WordRule, tuple[Step, ...]]]:
        bits = self._unused
        for concept in reading.of:
            bits |= self._bits_of.get(concept, 0)
        full = bits.to_bytes(len(self._rows), "little")
        number = full.find(FULL)
        while number >= 0:
            yield self._rows[number]
            number = full.find(FULL, number + 1)


def _stands(row: tuple[Step, ...], reading: Reading, allowed: int) -> bool:
    reached = allowed & _places(row[0], reading)
    for step in row[1:]:
        if not reached:
            return False
        reached = _after(reached, step, reading) & _places(step, reading)
    return bool(reached)


def _places(step: Step, reading: Reading) -> int:
    places = reading[step.concepts]
    if step.not_before:
        places &= ~(reading[step.not_before] >> 1)
    if step.not_after:
        places &= ~(reading[step.not_after] << 1)
    return places & reading.starts if step.is_command else places


def _after(reached: int, step: Step, reading: Reading) -> int:
    """The places that the step's gap leads to."""
    crossable = ~(reading[step.barred] | reading.ends)
    edge = total = reached << 1
    for _ in range(step.gap):
        edge = (edge & crossable) << 1
        total |= edge
    return total


def _row(template: str) -> tuple[Step, ...]:
    steps: list[Step] = []
    before = Step(concepts=NOTHING)
    for part in template.split():
        if part[0] in ".~":
            before = replace(before, gap=int(part[1:]), barred=ASIDE if part[0] == "." else ASIDE_OR_MINE)
        elif part == "^":
            before = replace(before, is_command=True)
        elif part[0] == "!":
            steps[-1] = replace(steps[-1], not_before=_names(part[1:]))
        elif part[0] == "/":
            steps[-1] = replace(steps[-1], not_after=_names(part[1:]))
        else:
            steps.append(replace(before, concepts=_names(part)))
            before = Step(concepts=NOTHING)
    return tuple(steps)


def _names(part: str) -> frozenset[str]:
    """The concepts of `a|'b`; a word itself becomes a concept of its own."""
    names = part.split("|")
    if part.startswith(LITERAL):
        names = [LITERAL + name.removeprefix(LITERAL) for name in names]
    names = [unaccented(name) for name in names]
    for name in names:
        know(name)
    return frozenset(names)

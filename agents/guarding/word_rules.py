"""Rules over meanings in a row: `evade .4 approval` is a word of `evade`, at most four others, a word of `approval`.

`a|b` is either, `'x` that very word (`'x|y`: either of two), `!a` at the end of a step: must not come next, `~4` a gap
without "my" in it, `^` in front: where a command can start. No gap reaches into another sentence, or over a word of
`aside` (FDA, e-mail, chart ...), which is never what an attack is about.

Context: a message of 10,000 characters has 2,000 words and there are hundreds of rows to look for. Choice: a set of
places is one integer with a bit for each word, and a step is a shift and an `and`; so the time grows with the length
and nothing else. Cost: words are tagged without grammar, so a rule sees nearness and order, not syntax.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from agents.guarding.rule import Rule
from agents.guarding.text import unaccented
from agents.guarding.words import LITERAL, Reading, know

NOTHING: frozenset[str] = frozenset()
ASIDE = frozenset({"aside"})
ASIDE_OR_MINE = frozenset({"aside", "mine"})


@dataclass(frozen=True, kw_only=True)
class Step:
    """gap: how many other words may stand before this one; barred: the concepts that may not be among them."""

    concepts: frozenset[str]
    not_before: frozenset[str] = NOTHING
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
    return WordRule(name=name, category=category, score=score, rows=parsed, asking_is_fine=asking_is_fine)


def broken(rules: Iterable[WordRule], reading: Reading) -> Iterator[WordRule]:
    for rule in rules:
        allowed = ~reading.asking if rule.asking_is_fine else -1
        for row in rule.rows:
            if _stands(row, reading, allowed):
                yield rule
                break


def _stands(row: tuple[Step, ...], reading: Reading, allowed: int) -> bool:
    for step in reversed(row):  # rows end on the telling word
        if not reading[step.concepts]:
            return False
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

"""How much a text reads like an attack: what no rule names, learned from labelled texts.

A logistic regression over TF-IDF of words, pairs of words and groups of four letters (Cavnar and Trenkle 1994), whose
weights `python -m tests.guard_training` writes. A long text is judged by its worst part, so that no innocent page
around an attack hides it.
"""

import functools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from agents.guarding.text import unaccented

WEIGHTS = Path(__file__).with_suffix(".json")
WORDS = 120
"""A part's length; parts overlap by a half."""
_WORD = re.compile(r"\w+|[^\w\s]")
_NUMBER = re.compile(r"\d+")
_LETTERS = 4


@dataclass(frozen=True, kw_only=True)
class Model:
    """grams: of each, its inverse document frequency and its weight in the regression."""

    bias: float
    grams: dict[str, tuple[float, float]]

    def probability(self, grams: set[str]) -> float:
        known = [self.grams[gram] for gram in grams & self.grams.keys()]
        length = math.sqrt(sum(idf * idf for idf, _ in known)) or 1.0
        log_odds = self.bias + sum(idf * weight for idf, weight in known) / length
        return 1 / (1 + math.exp(-log_odds))


def likeness(text: str) -> float:
    """From 0 to 1, of the part that reads most like an attack. text: readable already (agents.guarding.text)."""
    return max(map(model().probability, parts(text)), default=0.0)


def parts(text: str) -> Iterator[set[str]]:
    """The grams of each part of the text."""
    words = _WORD.findall(_NUMBER.sub("0", unaccented(text.casefold())))
    for start in range(0, max(len(words) - WORDS // 2, 1), WORDS // 2):
        yield _grams(words[start : start + WORDS])


def _grams(words: list[str]) -> set[str]:
    found = {*words, *map(" ".join, pairwise(words))}
    for word in set(words):
        found |= _letters(word)
    return found


@functools.lru_cache(maxsize=1024)
def _letters(word: str) -> frozenset[str]:
    """The word's groups of letters; `^` and `$` are where it starts and ends."""
    marked = f"^{word[:100]}$"
    return frozenset(f"~{marked[at : at + _LETTERS]}" for at in range(max(len(marked) - _LETTERS + 1, 1)))


@functools.cache
def model() -> Model:
    """The weights, read once: a process that serves does so when it starts."""
    stored = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    return Model(bias=stored["bias"], grams={gram: (idf, weight) for gram, (idf, weight) in stored["grams"].items()})

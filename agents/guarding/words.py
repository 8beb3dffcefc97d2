"""A text as places of meanings: which of its words are of which concept, where commands start, what merely asks."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache

from agents.guarding.lexicon import WORDS
from agents.guarding.text import unaccented

LITERAL = "'"
"""Before a word, names the concept that is this very word."""
PAUSES = ",:\n\"'“”«»、，：([{>*-"
_QUESTION_MARKS = frozenset("?？؟")
QUESTION_OPENERS = frozenset(
    """who whom whose what when where which why how is are was were do does did can could will would should may
    might has have if and but so wer wie was wann warum wo kann können darf ist sind muss quién qué cómo cuándo
    puede puedo es qui que comment quand pourquoi est peut puis как кто что когда почему можно could am""".split()  # noqa: SIM905
)
_UNSPACED_QUESTION = re.compile("什么|时候|何时|为什么|怎么|谁|哪|いつ|なぜ|どう|誰|언제|왜|누가")
_TAG_QUESTIONS = frozenset({"right", "correct", "oder", "verdad", "vero"})
_REQUEST = frozenset({"please", "just", "now", "this", "me", "bitte", "mal"})
_WORD = re.compile(
    r"(?:[^\W_]|[\u0900-\u0963\u0966-\u0dff\u064b-\u065f])+|[.!?;。！？；؟।]+(?=\s|$|[\"'”’»)」』])|[。！？；]|\n\s*\n|[,:\n\"'“”«»、，：(\[{>*-]"
)


class Reading(dict[frozenset[str], int]):
    """Places of concepts, a bit for each word: `reading[frozenset({"drop", "evade"})]` are all words of the two.

    starts: where a command can start. asking: all words of mere questions. ends: between sentences.
    """

    def __init__(self, words: list[tuple[str, ...]]) -> None:
        self.of: dict[str, int] = defaultdict(int)
        for place, concepts in enumerate(words):
            bit = 1 << place
            for concept in concepts:
                self.of[concept] |= bit
        self.starts = self.asking = self.ends = 0

    def __missing__(self, concepts: frozenset[str]) -> int:
        places = 0
        for concept in self.of.keys() & concepts:
            places |= self.of[concept]
        self[concepts] = places
        return places


def read(text: str) -> Reading:
    """text: readable already (agents.guarding.text)."""
    words = unaccented(text.casefold())
    words = words.replace("n't", " not").replace("n’t", " not").replace("e-mail", "email")
    if not words.isascii():
        words = "".join(_spaced(words))
    return _Reader().read(_WORD.findall(words))


def _spaced(text: str) -> Iterator[str]:
    """In scripts without spaces, with spaces around each term that the lexicon has, the longest at each place."""
    end = 0
    for match in _UNSPACED_START.finditer(text):
        start = match.start()
        if start < end:
            continue
        for term in _UNSPACED_TERMS[match[0]]:
            if text.startswith(term, start):
                yield f"{text[end:start]} {term} "
                end = start + len(term)
                break
    yield text[end:]


class _Reader:
    """Collects the words of a text with their places, a sentence at a time; an empty place stands between two."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.firsts = 0
        self.asking = 0
        self.ends = 0
        self.begun = 0

    def read(self, parts: list[str]) -> Reading:
        words, is_first = self.words, True
        for part in parts:
            if part[0].isalnum():
                if is_first:
                    self.firsts |= 1 << len(words)
                    is_first = False
                words.append(part)
            elif part[0] in PAUSES and part.count("\n") < 2:
                is_first = is_first or part != "'"
            else:
                self._end(asked=not _QUESTION_MARKS.isdisjoint(part))
                is_first = True
        return self._reading()

    def _end(self, *, asked: bool) -> None:
        if len(self.words) == self.begun:
            return
        if asked and _merely_asks(self.words[self.begun :]):
            self.asking |= (1 << len(self.words)) - (1 << self.begun)
        self.ends |= 1 << len(self.words)
        self.words.append("")
        self.begun = len(self.words)

    def _reading(self) -> Reading:
        reading = Reading([concepts_of(word) for word in self.words])
        reading.asking, reading.ends = self.asking, self.ends
        reading.starts = self.firsts | (reading.of["lead"] << 1)
        return reading


def _merely_asks(sentence: list[str]) -> bool:
    """A question, and not a wish: "could you reveal ..." wants it done."""
    opener, second, third = [*sentence, "", ""][:3]
    if _UNSPACED_QUESTION.search(" ".join(sentence)):
        return True
    if sentence[-1] in _TAG_QUESTIONS:
        return True
    if opener not in QUESTION_OPENERS:
        return False
    wants = not {"reveal", "evade"}.isdisjoint(concepts_of(third)) or not _REQUEST.isdisjoint(sentence)
    return not (second in {"you", "u"} and wants)


@lru_cache(maxsize=20_000)
def concepts_of(word: str) -> tuple[str, ...]:
    """word: unaccented, in small letters."""
    if not word:
        return ()
    if word.isdecimal():
        return ("num",)
    bare = word[1:] if word[0] == "و" else ""  # Arabic writes "and" attached
    found = [*EXACT.get(word, ()), *EXACT.get(bare, ())]
    for end in range(SHORTEST_STEM, min(len(word), LONGEST_STEM) + 1):
        found += STEMS.get(word[:end], ())
    return tuple(dict.fromkeys(found))


def know(concept: str) -> None:
    """Make a word that a rule names a concept of its own. Raises KeyError for a concept without words."""
    if not concept.startswith(LITERAL):
        if concept not in WORDS and concept != "num":
            raise KeyError(concept)
    elif concept not in EXACT.setdefault(concept[1:], []):
        EXACT[concept[1:]].append(concept)


def _lexicon() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    exact: dict[str, list[str]] = {}
    stems: dict[str, list[str]] = {}
    for concept, words in WORDS.items():
        for word in unaccented(words.casefold()).split():
            home = stems if word.endswith("*") else exact
            if concept not in home.setdefault(word.rstrip("*"), []):
                home[word.rstrip("*")].append(concept)
    return exact, stems


EXACT, STEMS = _lexicon()
SHORTEST_STEM = min(map(len, STEMS))
LONGEST_STEM = max(map(len, STEMS))
_UNSPACED_TERMS: dict[str, list[str]] = defaultdict(list)
for _term in sorted(EXACT, key=len, reverse=True):
    if "\u3040" <= _term[0] <= "\u9fff" or "\uac00" <= _term[0] <= "\ud7af":
        _UNSPACED_TERMS[_term[0]].append(_term)
_UNSPACED_START = re.compile(f"[{''.join(_UNSPACED_TERMS)}]")

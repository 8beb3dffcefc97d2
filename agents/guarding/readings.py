"""The readings of a text that differ from its face: decoded, mirrored, put together from pieces."""

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from types import MappingProxyType

from agents.guarding.encodings import decoded_chunks
from agents.guarding.text import FOREIGN, OWN_LETTER, TWINS, normalise
from agents.guarding.words import concepts_of

ROT13_STEMS = ("vafgehpgv", "cebzcg", "nccebi", "ehyrf", "vtaber", "qvfertneq", "flfgrz", "olcnff")
MIRROR_STEMS = ("snoitcurtsn", "tpmorp", "lavorppa", "selur", "erongi", "drager", "metsys", "ssapyb")
SQUASHED = re.compile(  # letter-spaced text has lost its word borders
    r"(?:ignore|disregard|forget|bypass|skip|disable|override|reveal|show|print|repeat)"
    r"(?:all|the|your|any|my|me|every|previous|prior|above|system|hidden|safety|secret|human){1,5}"
    r"(?:instruction|rules|prompt|approval|guideline|check|message|restriction)"
)
_LETTERS_ONLY = re.compile(r"[^a-z]")
QUOTED = re.compile(r"[\"“'‘«`]([^\"“”'’»`\n]{1,80})[\"”'’»`]")

_SPELLED = re.compile(r"(?:\b\w[ .\-_*/|,+~]{1,3}){8}")
_LEET = re.compile(r"(?<![A-Za-z@$!])[A-Za-z@$!]+[0134578@$!][A-Za-z0-9@$!]*|[0134578@$][A-Za-z][A-Za-z0-9@$!]*")
_LEET_LETTERS = MappingProxyType(str.maketrans("0134578@$!", "oieastbasi"))
_ANY_WORD = re.compile(r"[^\W\d_]+")
_GLUE = re.compile(r"(?<=[^\W\d_])[-.*_~|+/^]{1,2}(?=[^\W\d_])")
_GLUED = re.compile(r"(?<![^\W\d_])[^\W\d_]+(?:[-.*_~|+/^]{1,2}[^\W\d_]+)+")
_FOREIGN_WORD = re.compile(r"[^\W\d_]*[Ͱ-ϿЀ-ԯ][^\W\d_]*")
_SAYS_INITIALS = re.compile(r"\b(?:first letters?|initials?|acrostic|anfangsbuchstaben|premières lettres|iniciales)\b")
_BREAK = re.compile(r"[|/:.;\n]")
_PART = re.compile(
    r"\b(?:part|piece|step|fragment|line|teil|parte)\s?[\w]{1,2}\s?(?:of my request)?\s?[:=)-]\s?",
    re.IGNORECASE,
)


def is_spelled_out(text: str) -> bool:
    """Whether an order to the assistant stands in it letter by letter."""
    return _SPELLED.search(text) is not None and SQUASHED.search(_LETTERS_ONLY.sub("", normalise(text))) is not None


def variants(text: str) -> Iterator[str]:
    """The readings of a text that differ from its face. Each first looks for a sign: most texts have none."""
    lowered = text.casefold()
    yield from decoded_chunks(text)
    if any(stem in lowered for stem in ROT13_STEMS):
        yield codecs.encode(text, "rot13")
    if any(stem in lowered for stem in MIRROR_STEMS):
        yield text[::-1]
        yield re.sub(r"\w+", lambda match: match[0][::-1], text)
    yield from _rewritten(text, _LEET, lambda word: word.translate(_LEET_LETTERS))
    yield from _rewritten(text, _GLUED, lambda word: _GLUE.sub("", word))
    yield from _unscrambled(text)
    if _SPELLED.search(text):
        yield " ".join(re.sub(r"[\W_]", "", word) for word in re.split(r"\s{2,}|\s*[/|]\s*|\n", text))
    if FOREIGN.search(text) and OWN_LETTER.search(text):
        yield from _rewritten(unicodedata.normalize("NFKC", text), _FOREIGN_WORD, lambda word: word.translate(TWINS))
    yield from _joined_pieces(text)
    yield from _pig_latin(lowered)
    yield from _initials(lowered)


def _pig_latin(text: str) -> Iterator[str]:
    """`owshay ouryay omptpray`: where most words end so, each with its consonants back in front."""
    words = _ANY_WORD.findall(text)
    if len(words) >= 3 and text.count("ay") * 2 > len(words):
        yield _ANY_WORD.sub(lambda match: _in_front(match[0]), text)


def _in_front(word: str) -> str:
    """The word whose first one to three letters were put behind it, before `ay`: the first that the lexicon has."""
    body = word.removesuffix("ay")
    turned = (body[-moved:] + body[:-moved] for moved in (1, 2, 3) if body != word and len(body) > moved)
    return next((found for found in turned if concepts_of(found)), word)


def _initials(text: str) -> Iterator[str]:
    """Where somebody says that first letters count: those of the words, in one row."""
    if _SAYS_INITIALS.search(text):
        yield " ".join("".join(word[0] for word in _ANY_WORD.findall(part)) for part in _BREAK.split(text))


_TARGETS = frozenset({"drop", "evade", "rules", "approval", "stamp", "prompt", "users", "secret", "reveal"})


def _rewritten(text: str, pattern: re.Pattern[str], rewrite: Callable[[str], str]) -> Iterator[str]:
    """The text with some words rewritten, if that makes any a word worth hiding: `3D` is just `3D`."""
    if any(_TARGETS.intersection(concepts_of(rewrite(match[0]).casefold())) for match in pattern.finditer(text)):
        yield pattern.sub(lambda match: rewrite(match[0]), text)


def _unscrambled(text: str) -> Iterator[str]:
    """With the letters inside of words put right, where two words or more need it: `ingroe yuor rlues`."""
    scrambled = {
        word: SCRAMBLED[_bag(word)]
        for word in set(_ANY_WORD.findall(text.casefold()))
        if len(word) > 3 and not concepts_of(word) and _bag(word) in SCRAMBLED
    }
    if len(scrambled) >= 2:
        yield _ANY_WORD.sub(lambda match: scrambled.get(match[0], match[0]), text.casefold())


def _bag(word: str) -> tuple[str, ...]:
    """The same for all words with the same ends and the same letters between."""
    return word[0], *sorted(word[1:-1]), word[-1]


_TARGET_WORDS = """
    ignore disregard forget override bypass skip without approval approve order orders place execute rules your
    instructions instruction guidelines previous prior above system prompt reveal print show hidden secret
    password human review confirmation safety filter filters restrictions everything developer admin
"""
SCRAMBLED = MappingProxyType({_bag(word): word for word in _TARGET_WORDS.split()})


def _joined_pieces(text: str) -> Iterator[str]:
    quoted = QUOTED.findall(text)
    if 2 <= len(quoted) <= 40:
        yield ". " + " ".join(quoted)  # a full stop keeps a quoted word from looking like the start of a line
        yield ". " + "".join(quoted)
    if len(_PART.findall(text)) >= 2:
        yield re.sub(r"[.;\n\"']", " ", _PART.sub(" ", text))
    lines = [line.split() for line in text.splitlines() if line.strip()]
    if 4 <= len(lines) <= 40:
        yield " ".join(line[0] for line in lines)
        yield "".join(line[0][0] for line in lines)

"""Looks at text on its way to and from the language models.

A detector is a signal, never the reason an order is allowed: what protects the money is that no tool can
approve or execute. So the guard blocks at a high score, notes a middle one, and leaves events to its caller.
"""

import base64
import binascii
import codecs
import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote

from django.conf import settings

from agents.guard_phrases import PHRASES
from agents.guard_rules import (
    CARD_ISSUERS,
    EXACT,
    FOREIGN,
    IBAN_LENGTHS,
    LONGEST_STEM,
    MIRROR_STEMS,
    MORSE_LETTERS,
    OWN_LETTER,
    PAUSES,
    QUESTION_MARKS,
    QUESTION_OPENERS,
    QUOTED,
    REQUEST,
    ROT13_STEMS,
    RULES_ABOUT,
    SECRETS,
    SHORTEST_STEM,
    SQUASHED,
    STEMS,
    TEXT_RULES,
    TWINS,
    UNSPACED,
    WORD,
    WORD_RULES,
    Rule,
    unaccented,
)

logger = logging.getLogger(__name__)

MAX_LENGTH = 10_000
BLOCK_SCORE = 70
FLAG_SCORE = 40
HIDDEN_SCORE = 30  # what had to be decoded first was meant to be missed
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
    plain = {rule.name: rule for rule in _telling(_matches(text))}
    found = [(rule.name, rule.category) for rule in plain.values()]
    score = sum(rule.score for rule in plain.values())
    if score >= BLOCK_SCORE:
        return found, min(score, 100)
    new = [rule for name, rule in _hidden(text).items() if name not in plain]
    if new and sum(rule.score for rule in new) >= FLAG_SCORE:
        score += sum(rule.score for rule in new) + HIDDEN_SCORE
        found += [(rule.name, rule.category) for rule in new] + [("hidden payload", "obfuscation")]
    if SQUASHED.search(_LETTERS_ONLY.sub("", normalise(text))) and _SPELLED.search(text):
        score += BLOCK_SCORE
        found.append(("letter-spaced payload", "obfuscation"))
    return found, min(score, 100)


def _hidden(text: str) -> dict[str, Rule]:
    """The rules that a hidden reading breaks; the search ends with the first reading that would be blocked."""
    hidden: dict[str, Rule] = {}
    for variant in dict.fromkeys(_variants(text)):
        found = {rule.name: rule for rule in _telling(_matches(variant))}
        hidden |= found
        if sum(rule.score for rule in found.values()) >= BLOCK_SCORE:
            break
    return hidden


def _telling(rules: Iterable[Rule]) -> list[Rule]:
    """Without the hints in a category where a rule blocks on its own: they say the same again."""
    found = list(rules)
    decided = {rule.category for rule in found if rule.score >= BLOCK_SCORE}
    return [rule for rule in found if rule.score >= BLOCK_SCORE or rule.category not in decided]


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """`marked` has every known word behind its concepts (`/drop:ignore`); `asks` is a mere question."""

    marked: str
    concepts: frozenset[str]
    asks: bool


def _matches(text: str) -> Iterator[Rule]:
    readable = _readable(text)
    folded = readable.casefold()
    for rule in (*TEXT_RULES, *PHRASES):
        if any(hint in folded for hint in rule.hints) and rule.pattern.search(readable):
            yield rule
    hits: set[int] = set()
    for sentence in _tagged(readable):
        about = {place for concept in (*sentence.concepts, "") for place in RULES_ABOUT.get(concept, ())}
        hits |= {place for place in about - hits if _says(sentence, WORD_RULES[place])}
    yield from (WORD_RULES[place] for place in sorted(hits))


def _says(sentence: Sentence, rule: Rule) -> bool:
    if (rule.asking_is_fine and sentence.asks) or any(map(sentence.concepts.isdisjoint, rule.needs)):
        return False
    return rule.pattern.search(sentence.marked) is not None


_ASKED_OF_US = re.compile(r" /[^:]*\b(?:reveal|evade)\b")


def _tagged(text: str) -> list[Sentence]:
    words = unaccented(text.casefold())
    words = words.replace("n't", " not").replace("n’t", " not").replace("e-mail", "email")
    if not words.isascii():
        words = UNSPACED.sub(r" \g<0> ", words)
    sentences: list[Sentence] = []
    current: list[str] = []
    concepts: set[str] = set()
    first = True
    for part in WORD.findall(words):
        if part[0].isalnum():
            tags = _concepts(part)
            concepts.update(tags)
            current.append(_marked(part, tags, first=first))
            first = False
        elif part[0] in PAUSES and part.count("\n") < 2:
            first = first or part != "'"
        elif current:
            asked = any(mark in part for mark in QUESTION_MARKS)
            sentences.append(_sentence(current, concepts, asked=asked))
            current, concepts, first = [], set(), True
    if current:
        sentences.append(_sentence(current, concepts, asked=False))
    return sentences


def _marked(word: str, tags: tuple[str, ...], *, first: bool) -> str:
    """`/drop:ignore`; behind `#` what no gap may cross, behind `~` what some may not."""
    if not (tags or first):
        return f" {word}"
    bar = "#" if "aside" in tags else "~" if "mine" in tags else ""
    return f" /{bar}{'/'.join([*tags, 'first'] if first else tags)}:{word}"


def _sentence(words: list[str], concepts: set[str], *, asked: bool) -> Sentence:
    marked = "".join(words)
    opener, second, *_ = [word.rpartition(":")[2].strip() for word in [*words, ""][:2]]
    wants_it_done = _ASKED_OF_US.match("".join(words[2:3])) or REQUEST.search(marked)
    asks = asked and opener in QUESTION_OPENERS and not (second in {"you", "u"} and wants_it_done)
    return Sentence(marked=marked, concepts=frozenset(concepts), asks=asks)


@lru_cache(maxsize=20_000)
def _concepts(word: str) -> tuple[str, ...]:
    if word.isdecimal():
        return ("num",)
    bare = word[1:] if word[0] == "و" else ""  # Arabic writes "and" attached
    tags = [*EXACT.get(word, ()), *EXACT.get(bare, ())]
    for end in range(SHORTEST_STEM, min(len(word), LONGEST_STEM) + 1):
        tags += STEMS.get(word[:end], ())
    return tuple(tags)


# ---- what a text hides

_ANY_WORD = re.compile(r"[^\W\d_]+")
_TAGS_BLOCK = MappingProxyType({0xE0000 + code: code for code in range(32, 127)})


def normalise(text: str) -> str:
    """One spelling for what looks alike: NFKC, nothing invisible, twins folded, no case, single spaces."""
    return " ".join(_readable(text).casefold().split())


_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})


def _readable(text: str) -> str:
    if text.isascii():
        return _CONTROLS.sub("", text)
    text = unicodedata.normalize("NFKC", text.translate(_TAGS_BLOCK))
    unseen = {ord(char): None for char in set(text) - set("\n\t\r") if unicodedata.category(char) in _UNSEEN}
    text = text.translate(unseen)
    return _fold_twins(text) if FOREIGN.search(text) else text


def _fold_twins(text: str) -> str:
    """Fold look-alikes, but leave Russian and Greek words alone: they have rules of their own."""
    is_foreign = OWN_LETTER.search(text) is not None

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        mixed = any(char < "\u0250" for char in word) and FOREIGN.search(word)
        return word.translate(TWINS) if mixed or not is_foreign else word

    return _ANY_WORD.sub(fold, text)


_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LETTERS_ONLY = re.compile(r"[^a-z]")
_SPELLED = re.compile(r"(?:\b\w[ .\-_*/|,+~]{1,3}){8}")
_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[ ,:]?){8,}")
_BINARY = re.compile(r"(?:\b[01]{8}\b[ ,]?){6,}")
_MORSE = re.compile(r"(?:[.\-·–−]{1,6}[ /|]{1,3}){8,}[.\-·–−]{0,6}")
_LEET = re.compile(r"(?<![A-Za-z@$!])[A-Za-z@$!]+[0134578@$!][A-Za-z0-9@$!]*|[0134578@$][A-Za-z][A-Za-z0-9@$!]*")
_LEET_LETTERS = MappingProxyType(str.maketrans("0134578@$!", "oieastbasi"))
_GLUE = re.compile(r"(?<=[^\W\d_])[-.*_~|+/^]{1,2}(?=[^\W\d_])")
_GLUED = re.compile(r"(?<![^\W\d_])[^\W\d_]+(?:[-.*_~|+/^]{1,2}[^\W\d_]+)+")
_PART = re.compile(
    r"\b(?:part|piece|step|fragment|line|teil|parte)\s?[\w]{1,2}\s?(?:of my request)?\s?[:=)-]\s?",
    re.IGNORECASE,
)


def _variants(text: str) -> Iterator[str]:
    """The readings of a text that differ from its face. Each first looks for a sign: most texts have none."""
    lowered = text.casefold()
    yield from _decoded_chunks(text)
    if any(stem in lowered for stem in ROT13_STEMS):
        yield codecs.encode(text, "rot13")
    if any(stem in lowered for stem in MIRROR_STEMS):
        yield text[::-1]
        yield re.sub(r"\w+", lambda match: match[0][::-1], text)
    yield from _rewritten(text, _LEET, lambda word: word.translate(_LEET_LETTERS))
    yield from _rewritten(text, _GLUED, lambda word: _GLUE.sub("", word))
    if _SPELLED.search(text):
        yield " ".join(re.sub(r"[\W_]", "", word) for word in re.split(r"\s{2,}|\s*[/|]\s*|\n", text))
    if FOREIGN.search(text) and OWN_LETTER.search(text):
        yield unicodedata.normalize("NFKC", text).translate(TWINS)
    yield from _joined_pieces(text)


_TARGETS = frozenset({"drop", "evade", "rules", "approval", "stamp", "prompt", "users", "secret", "reveal"})


def _rewritten(text: str, pattern: re.Pattern[str], rewrite: Callable[[str], str]) -> Iterator[str]:
    """The text with some words rewritten, if that makes any a word worth hiding: `3D` is just `3D`."""
    if any(_TARGETS.intersection(_concepts(rewrite(match[0]).casefold())) for match in pattern.finditer(text)):
        yield pattern.sub(lambda match: rewrite(match[0]), text)


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


def _decoded_chunks(text: str) -> Iterator[str]:
    for chunk in _BASE64.findall(text)[:20]:
        yield from _from_base64(chunk)
    for chunk in _HEX.findall(text)[:20]:
        digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", chunk)
        yield from _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for chunk in _BINARY.findall(text)[:5]:
        yield from _as_text(bytes(int(octet, 2) for octet in re.findall(r"[01]{8}", chunk)))
    for chunk in _MORSE.findall(text)[:5]:
        yield _from_morse(chunk)
    if _PERCENT.search(text):
        yield unquote(text)
    if "&#" in text or "\\u00" in text:
        yield re.sub(r"(?:&#x|\\u00)([0-9A-Fa-f]{2});?|&#(\d{2,3});?", _escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16) if match[1] else int(match[2]))


def _from_morse(chunk: str) -> str:
    marks = chunk.replace("·", ".").replace("–", "-").replace("−", "-")
    return " ".join(
        "".join(MORSE_LETTERS.get(sign, "") for sign in word.split()) for word in re.split(r"[/|]|\s{3,}", marks)
    )


def _from_base64(chunk: str) -> Iterator[str]:
    body = chunk.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        yield from _as_text(base64.b64decode(body + "=" * (-len(body) % 4)))
    except (binascii.Error, ValueError):
        return


def _as_text(raw: bytes) -> Iterator[str]:
    """Bytes that read as text, else nothing: most long words are not base64."""
    decoded = raw.decode("utf-8", "ignore")
    printable = sum(char.isprintable() or char.isspace() for char in decoded)
    if len(decoded) >= 6 and len(decoded) >= 0.9 * len(raw.decode("latin-1")) and printable >= 0.95 * len(decoded):
        yield decoded


# ---- text out

_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_CARD = re.compile(
    r"(?<![\w/#-])(?<!\d[.,])(?<!order )(?<!order: )(?<!id: )(?<!ord )(?<!id )(?<!ref )"
    r"\d(?:[ -]?\d){12,18}(?![\w/-])(?!\.\d)",
    re.IGNORECASE,
)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)


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
    if canary and _tells(text, canary):
        return Screened(text=WITHHELD, sensitive=("canary",), uniqueness=uniqueness, is_repetitive=is_repetitive)
    clean, found = _redacted(_without_links(text))
    return Screened(
        text=clean, sensitive=tuple(dict.fromkeys(found)), uniqueness=uniqueness, is_repetitive=is_repetitive
    )


def redact(text: str) -> str:
    """The text as it may stand in a log: secrets, personal numbers, e-mail addresses and international telephone
    numbers replaced by `[redacted <kind>]`."""
    clean = _EMAIL.sub("[redacted e-mail]", _redacted(text)[0])
    if "+" not in clean:
        return clean
    from phonenumbers import PhoneNumberMatcher  # a tenth of a second, which most processes never need

    for found in reversed(list(PhoneNumberMatcher(clean, None))):
        clean = f"{clean[: found.start]}[redacted phone]{clean[found.end :]}"
    return clean


_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")


def _redacted(text: str) -> tuple[str, list[str]]:
    kept = _UUID.findall(text)
    text = _UUID.sub("\ue000", text.replace("\ue000", ""))  # a UUID's digits can look like anything
    kinds: list[str] = []

    def put(kind: str) -> str:
        kinds.append(kind)
        return f"[redacted {kind}]"

    for kind, pattern in SECRETS:
        text = pattern.sub(lambda _, kind=kind: put(kind), text)  # type: ignore[misc]
    text = _IBAN.sub(lambda match: _iban_redacted(match[0], put), text)
    text = _CARD.sub(lambda match: put("card number") if _is_card(match[0]) else match[0], text)
    text = _BASE64.sub(lambda match: _chunk_redacted(match[0], put), text)
    uuids = iter(kept)
    return re.sub("\ue000", lambda _: next(uuids, ""), text), kinds


def _is_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    if not CARD_ISSUERS.fullmatch(digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _iban_redacted(candidate: str, put: Callable[[str], str]) -> str:
    """Replace the IBAN at the start of the candidate; what follows it (a currency, say) stays."""
    length = IBAN_LENGTHS.get(candidate[:2].upper(), 0)
    places = [place for place, char in enumerate(candidate) if char.isalnum()]
    if not length or len(places) < length or not candidate.isascii():
        return candidate
    end = places[length - 1] + 1
    compact = re.sub(r"[ -]", "", candidate[:end]).upper()
    if int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 != 1:
        return candidate
    return put("iban") + candidate[end:]


def _chunk_redacted(chunk: str, put: Callable[[str], str]) -> str:
    for decoded in _from_base64(chunk):
        for kind, pattern in SECRETS:
            if pattern.search(decoded):
                return put(kind)
        if any(_is_card(match[0]) for match in _CARD.finditer(decoded)):
            return put("card number")
        if any(_iban_redacted(match[0], lambda _: "") != match[0] for match in _IBAN.finditer(decoded)):
            return put("iban")
    return chunk


_IMAGE = re.compile(r"!\[[^\]\n]{0,300}\](?:\([^)\n]{0,2000}\)|\[[^\]\n]{0,100}\])|<img\b[^>]{0,2000}>", re.IGNORECASE)
_LINK = re.compile(r"\[([^\]\[\n]{0,300})\]\(\s{0,3}<?(?:[a-z][a-z0-9+.-]{0,20}:|//)[^)\n]{0,2000}\)", re.IGNORECASE)
_ANCHOR = re.compile(r"<a\b[^>]{0,2000}>([^<]{0,300})</a>", re.IGNORECASE)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]\n]{1,100}\]:\s{0,3}\S{1,2000}.{0,200}$\n?", re.MULTILINE)


def _without_links(text: str) -> str:
    """A link or an image tells its host what stands in its address, an image without a click."""
    text = _IMAGE.sub("", text)
    return _REFERENCE.sub("", _ANCHOR.sub(r"\1", _LINK.sub(r"\1", text)))


def _tells(text: str, canary: str) -> bool:
    """Whether the canary is in the text: as it is, spelled out with spaces, backwards, or base64-encoded."""
    sought = _alphanumeric(canary)
    readings = [
        text,
        text[::-1],
        *(decoded for chunk in _BASE64.findall(text) for decoded in _from_base64(chunk)),
    ]
    return bool(sought) and any(sought in _alphanumeric(reading) for reading in readings)


def _alphanumeric(text: str) -> str:
    return "".join(char for char in normalise(text) if char.isalnum())

"""One spelling for what looks alike: NFKC, nothing invisible, look-alike letters folded."""

import re
import unicodedata
from types import MappingProxyType

FOREIGN = re.compile(r"[Ͱ-ϿЀ-ԯ]")
OWN_LETTER = re.compile(r"[бдёжзийлпфцчшщъыэюяδζθλμξπσςφψ]", re.IGNORECASE)
TWINS = MappingProxyType(
    str.maketrans(
        "аеорсухіјѕԁһӏԛԝвкмнтгьαοριντυκχεβηγωѵєɑɡ",
        "aeopcyxijsdhlqwbkmhtrbaopivtukxebnywveag",
    )
    | str.maketrans("АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEKMHOPCTYXIJSABEZHIKMNOPTYX")
)
_TAGS_BLOCK = MappingProxyType({0xE0000 + code: code for code in range(32, 127)})
_TAG = re.compile("[\U000e0020-\U000e007e]")
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_MARKS = re.compile("[\u0300-\u036f\u064b-\u065f]")
_WORD = re.compile(r"[^\W\d_]+")


def normalise(text: str) -> str:
    """As it is compared: readable, without case, single spaces."""
    return " ".join(readable(text).casefold().split())


def readable(text: str) -> str:
    """As a person would read it: nothing invisible, look-alikes folded; case and lines stay."""
    if text.isascii():
        return _CONTROLS.sub("", text)
    if _TAG.search(text):
        text = text.translate(_TAGS_BLOCK)
    text = unicodedata.normalize("NFKC", text)
    if unseen := [char for char in set(text) - set("\n\t\r") if unicodedata.category(char) in _UNSEEN]:
        text = text.translate(dict.fromkeys(map(ord, unseen)))
    return _fold_twins(text) if FOREIGN.search(text) else text


def unaccented(text: str) -> str:
    """Drop accents but keep the letters, so that the lexicon and the message meet however they were typed."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))


def _fold_twins(text: str) -> str:
    """Fold look-alikes, but leave Russian and Greek words alone: they have rules of their own."""
    is_foreign = OWN_LETTER.search(text) is not None

    def fold(match: re.Match[str]) -> str:
        word = match[0]
        mixed = any(char < "\u0250" for char in word) and FOREIGN.search(word)
        return word.translate(TWINS) if mixed or not is_foreign else word

    return _WORD.sub(fold, text)

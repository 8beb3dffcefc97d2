"""What stands in a text in another alphabet: base64, hexadecimal, binary, Morse, escapes."""

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import suppress
from types import MappingProxyType
from urllib.parse import unquote

_PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
BASE64 = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,}={0,2}")
_BASE32 = re.compile(r"(?<![A-Za-z0-9])[A-Z2-7]{24,}(?![A-Za-z0-9])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:(?:0x|\\x|%)?[0-9A-Fa-f]{2}[ ,:]?){8,}")
_BINARY = re.compile(r"(?:\b[01]{8}\b[ ,]?){6,}")
_MORSE = re.compile(r"(?:[.\-·–−]{1,6}[ /|]{1,3}){8,}[.\-·–−]{0,6}")
_DOT_AND_DASH = re.compile(r"[.·][-–−]|[-–−][.·]")
FEWEST_LETTERS = 4
"""Less than that, decoded, is no word."""
_MORSE_CODE = (
    "a.- b-... c-.-. d-.. e. f..-. g--. h.... i.. j.--- k-.- l.-.. m-- n-. o--- p.--. q--.- r.-. s... t- u..- v...- "
    "w.-- x-..- y-.-- z--.."
)
MORSE_LETTERS = MappingProxyType({signs[1:]: signs[0] for signs in _MORSE_CODE.split()})


def decoded_chunks(text: str) -> Iterator[str]:
    """Each alphabet is looked for where its signs are: bytes of letters begin with 6 or 7, Morse has both marks."""
    words = BASE64.findall(text)[:20]
    for chunk in words:
        yield from from_base64(chunk)
    for chunk in _BASE32.findall(text)[:5] if words else ():
        with suppress(binascii.Error):
            yield from _as_text(base64.b32decode(chunk + "=" * (-len(chunk) % 8)))
    for chunk in _HEX.findall(text)[:20] if text.count("6") + text.count("7") >= FEWEST_LETTERS else ():
        digits = re.sub(r"0x|\\x|[^0-9A-Fa-f]", "", chunk)
        yield from _as_text(bytes.fromhex(digits[: len(digits) // 2 * 2]))
    for chunk in _BINARY.findall(text)[:5] if text.count("01") >= FEWEST_LETTERS else ():
        yield from _as_text(bytes(int(octet, 2) for octet in re.findall(r"[01]{8}", chunk)))
    for chunk in _MORSE.findall(text)[:5] if _DOT_AND_DASH.search(text) else ():
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


def from_base64(chunk: str) -> Iterator[str]:
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

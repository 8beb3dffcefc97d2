"""Secrets and personal numbers in a text: found by their form and their check digits, in base64 too, and replaced."""
# ruff: noqa: E501  a pattern cut in two is harder to read

import re
from collections.abc import Callable
from types import MappingProxyType

from agents.guarding.encodings import BASE64, from_base64

IBAN_LENGTHS = MappingProxyType(
    {
        country: int(length)
        for length, countries in {
            "15": "NO",
            "16": "BE",
            "18": "DK FI FO GL NL",
            "19": "MK SI",
            "20": "AT BA EE KZ LT LU XK",
            "21": "CH HR LI LV",
            "22": "BG BH CR DE GB GE IE ME RS",
            "23": "AE GI IL IQ TL",
            "24": "AD CZ ES MD PK RO SA SE SK TN VG",
            "25": "PT",
            "26": "IS TR",
            "27": "FR GR IT MC MR SM",
            "28": "AL AZ BY CY DO GT HU LB PL SV",
            "29": "BR EG PS QA UA",
            "30": "JO KW MU",
            "31": "MT",
            "33": "RU",
        }.items()
        for country in countries.split()
    }
)
CARD_ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}|6(?:011|5\d\d|4[4-9]\d)\d{12}|62\d{14,17}"
)
SECRETS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("private key", re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL)),
    ("token", re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?")),
    ("token", re.compile(r"\bbearer\s{1,3}(?=[^\s]{0,200}\d)[\w.~+/=-]{16,}", re.IGNORECASE)),
    ("api key", re.compile(r"\b(?:sk|pk|rk)[-_][\w-]{16,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\b(?:gh[pousr]_|github_pat_)\w{20,}|\bxox[a-z]-[\w-]{10,}|\bAIza[\w-]{30,}|\bglpat-[\w-]{16,}|\bhf_\w{20,}|\bgsk_\w{20,}")),
    ("api key", re.compile(r"\b(?:api|secret|access|client|private|signing)[ _-]?(?:key|secret|token)(?:[ _-]id)?\b[\"'`*]{0,3}\s{0,3}(?:[:=]|\bis\b(?=\s{1,3}\S{0,60}\d))\s{0,3}[\"'`*]{0,3}(?!\[redacted)[^\s\"'`,;]{6,}", re.IGNORECASE)),
    ("password", re.compile(r"\b(?:password|passwd|pwd|passphrase|passwort|contraseña|mot de passe)\b[\"'`*]{0,3}\s{0,3}(?:[:=]|\bis\b(?=\s{1,3}\S{0,60}\d))\s{0,3}[\"'`*]{0,3}(?!\[redacted)[^\s\"'`,;]{4,}", re.IGNORECASE)),
    ("password", re.compile(r"\b\w{2,12}://[^\s:/@]{1,60}:[^\s@/]{3,80}@[^\s]{1,200}")),
    ("ssn", re.compile(r"(?<![\w.-])(?!000|666|9\d\d)\d{3}-(?!00)\d\d-(?!0000)\d{4}(?![\w-])")),
    ("ssn", re.compile(r"\b(?:ssn|social security (?:number|no\.?))\b[\s:=#]{0,4}(?:is )?\d{3}[ -]?\d\d[ -]?\d{4}\b", re.IGNORECASE)),
)  # fmt: skip
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}")
_CARD = re.compile(
    r"(?<![\w/#-])(?<!\d[.,])(?<!order )(?<!order: )(?<!id: )(?<!ord )(?<!id )(?<!ref )"
    r"\d(?:[ -]?\d){12,18}(?![\w/-])(?!\.\d)",
    re.IGNORECASE,
)
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)


def redact(text: str) -> str:
    """The text as it may stand in a log: secrets, personal numbers, e-mail addresses and international telephone
    numbers replaced by `[redacted <kind>]`."""
    clean = _EMAIL.sub("[redacted e-mail]", redacted(text)[0])
    if "+" not in clean:
        return clean
    from phonenumbers import PhoneNumberMatcher  # a tenth of a second, which most processes never need

    for found in reversed(list(PhoneNumberMatcher(clean, None))):
        clean = f"{clean[: found.start]}[redacted phone]{clean[found.end :]}"
    return clean


_EMAIL = re.compile(r"\b[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24}\b")


def redacted(text: str) -> tuple[str, list[str]]:
    kept = _UUID.findall(text)
    text = _UUID.sub("\ue000", text.replace("\ue000", ""))  # a UUID's digits can look like anything
    kinds: list[str] = []

    def put(kind: str) -> str:
        kinds.append(kind)
        return f"[redacted {kind}]"

    for kind, pattern in SECRETS:
        text = pattern.sub(lambda _, kind=kind: put(kind), text)  # type: ignore[misc]
    text = _IBAN.sub(lambda match: _ibanredacted(match[0], put), text)
    text = _CARD.sub(lambda match: put("card number") if _is_card(match[0]) else match[0], text)
    text = BASE64.sub(lambda match: _chunkredacted(match[0], put), text)
    uuids = iter(kept)
    return re.sub("\ue000", lambda _: next(uuids, ""), text), kinds


def _is_card(number: str) -> bool:
    digits = re.sub(r"\D", "", number)
    if not CARD_ISSUERS.fullmatch(digits):
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def _ibanredacted(candidate: str, put: Callable[[str], str]) -> str:
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


def _chunkredacted(chunk: str, put: Callable[[str], str]) -> str:
    for decoded in from_base64(chunk):
        for kind, pattern in SECRETS:
            if pattern.search(decoded):
                return put(kind)
        if any(_is_card(match[0]) for match in _CARD.finditer(decoded)):
            return put("card number")
        if any(_ibanredacted(match[0], lambda _: "") != match[0] for match in _IBAN.finditer(decoded)):
            return put("iban")
    return chunk

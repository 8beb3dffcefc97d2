"""The instruments this desk may name, and how people name them.

Context: an order must never be for another company than the one the person wrote. Choice: a closed list and
whole names, no fuzzy matching. Cost: a misspelt company is asked for again.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

REFERENCE = Path(__file__).with_name("instruments.csv")

# Tickers which are also English words or abbreviations: only in upper case or after a dollar sign.
WORD_TICKERS = frozenset(("MA", "GE", "GM", "BA", "CAT", "COST", "HD", "KO", "DIS", "GS", "CRM", "PG", "PEP"))

# Longer phrases that contain a name and mean something else; they win because the longest match wins.
NOT_INSTRUMENTS = (
    *("apple pie", "apple pies", "apple juice", "apple cider", "apple sauce", "apple tree", "apple crumble"),
    *(
        "apple pay",
        "apple hospitality",
        "apple hospitality reit",
        "big apple",
        "adam's apple",
        "apple strudel",
    ),
    *(
        "travel visa",
        "work visa",
        "student visa",
        "tourist visa",
        "visa application",
        "visa free",
        "my visa card",
    ),
    *("meta analysis", "meta-analysis", "meta data", "meta description", "amazon river", "amazon rainforest"),
    *("oracle of omaha", "intel on", "intel about", "an uber", "pep talk", "t bill", "t bills", "t bonds"),
    *(
        "t mobile",
        "t shirt",
        "t shirts",
        "ge vernova",
        "ge healthcare",
        "ge health care",
        "full hd",
        "hd video",
    ),
    *("general electric vernova", "berkshire a", "berkshire class a", "berkshire hathaway a"),
    *("berkshire hathaway class a", "coca cola consolidated", "coca-cola consolidated", "cat food"),
)

BEFORE_TICKER = re.compile(
    r"(?:\b(?:shares?|stocks?|units?|lots?|price|quote|worth|news|position|holding)\s+(?:of|for|on|in)"
    r"|\b(?:buy|sell|purchase|dump|quote|price|ticker|symbol|stock|research|compare|analy[sz]e|news|vs"
    r"|versus)"
    r"|(?<![\w.,])[0-9][0-9,.]*)\s+$",
    re.IGNORECASE,
)
AFTER_TICKER = re.compile(r"\s+(?:shares?|stocks?|positions?|holdings?|orders?)\b", re.IGNORECASE)
BETWEEN_TICKERS = re.compile(r"(?:\s*[,/&]\s*|\s*,?\s+(?:and|or|vs\.?|versus|with|against)\s+)$", re.IGNORECASE)
COMPANY_SUFFIX = re.compile(
    r",?\s(?:inc|incorporated|corp|corporation|company|co|ltd|plc|stock|shares)\.?$", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """One listed equity. reference_price_usd: dollars for one share, only the seed of simulated prices."""

    symbol: str
    name: str
    sector: str
    currency: str = "USD"
    aliases: tuple[str, ...]
    reference_price_usd: Decimal
    lot_size: Decimal = Decimal(1)


@dataclass(frozen=True, kw_only=True)
class Mention:
    """An instrument named in a text at text[start:end]."""

    instrument: Instrument
    start: int
    end: int


def _load() -> Mapping[str, Instrument]:
    with REFERENCE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["symbol"]: _instrument(row) for row in csv.DictReader(file)})


def _instrument(row: Mapping[str, str]) -> Instrument:
    return Instrument(
        symbol=row["symbol"],
        name=row["name"],
        sector=row["sector"],
        aliases=tuple(row["aliases"].split(";")),
        reference_price_usd=Decimal(row["reference_price_usd"]),
    )


def _plain(text: str) -> str:
    """Lower-case ASCII letters only: full case folding would turn look-alike letters into ours."""
    spaced = " ".join(text.replace("\u2019", "'").split())
    return spaced.translate(_LOWER)


def _names() -> Iterator[tuple[str, Instrument]]:
    for instrument in ALL.values():
        yield _plain(instrument.name), instrument
        for alias in instrument.aliases:
            yield alias, instrument


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
ALL: Mapping[str, Instrument] = _load()
_BY_NAME: Mapping[str, Instrument] = MappingProxyType(dict(_names()))


def sector(name: str) -> frozenset[str]:
    """The symbols of one sector."""
    return frozenset(symbol for symbol, instrument in ALL.items() if instrument.sector == name)


def find(symbol: str) -> Instrument | None:
    """The instrument with exactly this ticker, in any case, with or without one leading $.

    BRK-B and BRK/B are BRK.B.
    Letters outside ASCII never match, so a look-alike ticker is nobody's.
    """
    if not symbol.isascii():
        return None
    ticker = symbol.strip().removeprefix("$").upper()
    return ALL.get(re.sub(r"[-/]", ".", ticker))


def resolve(company: str) -> Instrument | None:
    """The instrument which this whole text names, by ticker, name or alias; else None."""
    name = _plain(company)
    return find(company) or _BY_NAME.get(name) or _BY_NAME.get(COMPANY_SUFFIX.sub("", name))


def _pattern(phrase: str) -> str:
    return re.escape(phrase).replace(r"\ ", r"\s{1,3}").replace("'", "['\u2019]")


def _finder() -> re.Pattern[str]:
    """Names in any case with ASCII letters, whole words only; the longest phrase is tried first."""
    phrases = {*_BY_NAME, *NOT_INSTRUMENTS, *(symbol.lower() for symbol in ALL)}
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    names = "|".join(_pattern(phrase) for phrase in longest_first)
    return re.compile(
        rf"(?<![\w\u0300-\u036f])(?<!\w[.&])(?P<dollar>\$?)(?P<name>(?ai:{names}))"
        r"(?![\w\u0300-\u036f])(?!\.[A-Z]{1,2}\b)(?!&\w)"
    )


_FINDER = _finder()


def mentions(text: str) -> tuple[Mention, ...]:
    """Every instrument named in the text, in order, the longest name first, whole words only.

    Tickers that are also words need upper case or a $; one-letter tickers need a $ or a place where only a
    ticker fits ("10 shares of F").
    """
    found: list[Mention] = []
    shouting = text.isupper()
    for match in _FINDER.finditer(text):
        instrument = _named_by(match, text, shouting=shouting, previous_end=found[-1].end if found else None)
        if instrument is not None:
            found.append(Mention(instrument=instrument, start=match.start(), end=match.end()))
    return tuple(found)


def _named_by(match: re.Match[str], text: str, *, shouting: bool, previous_end: int | None) -> Instrument | None:
    name = _plain(match["name"])
    if name in _BY_NAME:
        return _BY_NAME[name]
    ticker = ALL.get(name.upper())
    if ticker is None or match["dollar"]:
        return ticker
    if len(name) == 1:
        return ticker if _place_for_ticker(match, text, previous_end) else None
    if ticker.symbol not in WORD_TICKERS:
        return ticker
    loud = match["name"].isupper() and (not shouting or _place_for_ticker(match, text, previous_end))
    return ticker if loud else None


def _place_for_ticker(match: re.Match[str], text: str, previous_end: int | None) -> bool:
    """Whether the words around leave no other reading than a ticker."""
    before = text[max(0, match.start() - 40) : match.start()]
    if text[match.end() : match.end() + 1] in {"-", "'", "\u2019"} or before.endswith(("'", "\u2019")):
        return False
    if BEFORE_TICKER.search(before) or AFTER_TICKER.match(text, match.end()):
        return True
    return previous_end is not None and bool(BETWEEN_TICKERS.fullmatch(text[previous_end : match.start()]))

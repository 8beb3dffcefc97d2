"""The quarantine: what a model may know of outside text.

Context: whoever writes a headline can write an instruction into it. Choice: no model reads the text at all; rules take
a fixed form out of it, in which no word of the author's is left. Cost: the sentiment is that of a word list, coarse,
and an answer cannot retell an article; the person gets its title and first words as a citation instead.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from agents.sources.base import Article
from orders import instruments

LONGEST_TEXT = 4_000
MOST_NUMBERS = 12
MOST_TICKERS = 5
NUMBER = re.compile(
    r"(?<![\w.,])\d{1,3}(?:,\d{3}){0,4}(?:\.\d{1,4})?(?![\w,.]*\d)|(?<![\w.,])\d{4,12}(?:\.\d{1,4})?(?![\w,.]*\d)"
)
RISING = re.compile(
    r"\b(?:beats?|surg(?:es?|ed|ing)|soar(?:s|ed)?|rall(?:y|ies|ied)|gain(?:s|ed)?|ris(?:es?|ing)|rose|jump(?:s|ed)?"
    r"|record|upgrades?d?|profits?|growth|strong|outperform(?:s|ed)?|raises?d?|wins?|approv(?:al|ed))\b",
    re.IGNORECASE,
)
FALLING = re.compile(
    r"\b(?:miss(?:es|ed)?|plung(?:es?|ed)|tumbl(?:es?|ed)|falls?|fell|drop(?:s|ped)?|slump(?:s|ed)?|downgrades?d?"
    r"|loss(?:es)?|weak|lawsuits?|sues?d?|recalls?|layoffs?|cuts?|prob(?:e|es|ed)|fraud|bankruptcy|declin(?:es?|ed))\b",
    re.IGNORECASE,
)


class Sentiment(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"
    MIXED = "mixed"
    NEUTRAL = "neutral"


@dataclass(frozen=True, kw_only=True)
class Extract:
    """tickers: of the instrument reference alone. numbers: as written, without what stands around them."""

    sentiment: Sentiment
    tickers: tuple[str, ...]
    numbers: tuple[str, ...]


def extract(article: Article) -> Extract:
    text = f"{article.title}. {article.text}"[:LONGEST_TEXT]
    named = dict.fromkeys(mention.instrument.symbol for mention in instruments.mentions(text))
    numbers = dict.fromkeys(match[0] for match in NUMBER.finditer(text))
    return Extract(
        sentiment=_sentiment(len(RISING.findall(text)), len(FALLING.findall(text))),
        tickers=tuple(named)[:MOST_TICKERS],
        numbers=tuple(numbers)[:MOST_NUMBERS],
    )


def _sentiment(rising: int, falling: int) -> Sentiment:
    if rising > falling:
        return Sentiment.POSITIVE
    if falling > rising:
        return Sentiment.NEGATIVE
    return Sentiment.MIXED if rising else Sentiment.NEUTRAL

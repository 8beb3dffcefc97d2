"""Answers that are the same for everybody, kept for a minute: the same words to the same model get the same answer.

Only questions about named companies qualify: what names no company, or speaks of "my" or "it", is a person's own. An
answer has its `as_of` in its text. The embedded model costs nothing and is always asked.
"""

import hashlib
from dataclasses import asdict

from django.conf import settings
from django.core.cache import cache

from agents import canary, guard, intents
from agents.evidence import Citation
from agents.intents import Kind
from agents.llm import OFFLINE
from agents.turn import Turn

COMMON = frozenset({Kind.QUOTE, Kind.RESEARCH, Kind.COMPARE, Kind.NEWS, Kind.PERFORMANCE})
OWN_WORDS = frozenset({"my", "mine", "our", "i", "me", "we", "us", "it", "that", "they", "them", "this", "those"})


def kept(turn: Turn) -> str:
    """The answer of a moment ago, its sources noted as this turn's; empty when there is none, or may be none."""
    found = cache.get(_key(turn)) if _is_common(turn) else None
    if found is None:
        return ""
    turn.evidence.citations.extend(Citation(**citation) for citation in found["citations"])
    turn.unsupported.extend(found["unsupported"])
    return str(found["text"])


def keep(turn: Turn, text: str) -> None:
    """Keep an answer that only public look-ups went into. Not one with this conversation's mark: another's guard would
    not know it."""
    if _is_common(turn) and not turn.evidence.has_outside and not guard.tells(text, canary.of(turn.thread_id)):
        citations = [asdict(citation) for citation in turn.evidence.citations]
        found = {"text": text, "citations": citations, "unsupported": turn.unsupported}
        cache.set(_key(turn), found, settings.ANSWER_CACHE_S)


def _is_common(turn: Turn) -> bool:
    if turn.models[0] == OFFLINE or not settings.ANSWER_CACHE_S:
        return False
    wishes = list(intents.read(turn.words))
    if OWN_WORDS & set(turn.words.casefold().replace("'", " ").split()):
        return False
    return bool(wishes) and all(wish.kind in COMMON and (wish.symbol or wish.symbols) for wish in wishes)


def _key(turn: Turn) -> str:
    words = " ".join(turn.words.split())
    return "answer." + hashlib.sha256("\n".join([*turn.models, words]).encode()).hexdigest()

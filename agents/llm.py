"""Settings to models: any OpenAI-compatible server, Azure, or the embedded rules when there is no key."""

import functools
import time
from typing import Any

from django.conf import settings
from langchain_core.language_models import BaseChatModel
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_openai.chat_models.base import BaseChatOpenAI

from agents import faults, intents, line
from agents.intents import Kind
from agents.metrics import OFFLINE, provider
from agents.offline import OfflineRules
from agents.turn import ModelUnavailable

__all__ = ("OFFLINE", "chat_model", "ping", "provider", "reach", "route", "seconds")
PING_TIMEOUT_S = 2.0
SIMPLE = frozenset({Kind.QUOTE, Kind.RESEARCH, Kind.HELP, Kind.GREETING, Kind.THANKS})
SIMPLE_CHARACTERS = 60


def route(words: str) -> tuple[str, ...]:
    """The models to try for a message, in order: the simple one for a greeting or one short question about a
    company, a fallback if there is one."""
    if settings.MODEL == OFFLINE:
        return (OFFLINE,)
    first = settings.MODEL_SIMPLE if settings.MODEL_SIMPLE and _is_simple(words) else settings.MODEL
    fallback = settings.MODEL_FALLBACK
    return (first, fallback) if fallback and fallback != first else (first,)


def chat_model(name: str) -> BaseChatModel:
    """A language model, not connected to yet. One object a process, for its connections are kept."""
    if name == OFFLINE:
        return OfflineRules()
    return _client(name, settings.OPENAI_BASE_URL, settings.OPENAI_API_KEY, settings.AZURE_API_VERSION)


def ping(name: str = "") -> str:
    """Ask a model for one word; its name. Raises ModelUnavailable."""
    name = name or settings.MODEL
    if name == OFFLINE:
        return OFFLINE
    try:
        with line.limited(settings.LLM_TIMEOUT_S):
            chat_model(name).invoke("Say ok.", max_tokens=16)
    except faults.RAISED as error:
        raise ModelUnavailable(faults.failure(error).message) from error
    return name


def reach() -> str:
    """Ask the provider for its list of models, which costs nothing; the name of ours. Raises ModelUnavailable."""
    if settings.MODEL == OFFLINE:
        return OFFLINE
    model = chat_model(settings.MODEL)
    try:
        with line.limited(PING_TIMEOUT_S):
            model.root_client.models.list(timeout=PING_TIMEOUT_S)  # type: ignore[attr-defined]
    except faults.RAISED as error:
        message = f"the model's provider does not answer: {faults.failure(error).message}"
        raise ModelUnavailable(message) from error
    return str(settings.MODEL)


def seconds(until: float) -> float:
    """How long one call may take. until: the turn's end by time.monotonic()."""
    return min(float(settings.LLM_TIMEOUT_S), until - time.monotonic())


def _is_simple(words: str) -> bool:
    wishes = list(intents.read(words)) if len(words) <= SIMPLE_CHARACTERS else []
    return len(wishes) == 1 and wishes[0].kind in SIMPLE


class _Direct(BaseChatOpenAI):
    """Hands the tools' schemas on as they are: OpenAI's client would look at every part of each, on every call."""

    def _get_request_payload(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        payload = super()._get_request_payload(*args, **kwargs)
        if tools := payload.pop("tools", None):
            payload["extra_body"] = {**(payload.get("extra_body") or {}), "tools": tools}
        return payload


class _OpenAI(_Direct, ChatOpenAI):
    pass


class _Azure(_Direct, AzureChatOpenAI):
    pass


@functools.cache
def _client(name: str, base_url: str, api_key: str, azure_api_version: str) -> BaseChatModel:
    """Retries are ours (`agents.calls`), so the client makes none."""
    shared: dict[str, Any] = {
        "http_client": line.client(),
        "timeout": line.timeout(settings.LLM_TIMEOUT_S),
        "api_key": api_key,
        "max_retries": 0,
        "temperature": 0,
        "stream_usage": True,
    }
    if azure_api_version:
        return _Azure(
            azure_endpoint=base_url, azure_deployment=name, api_version=azure_api_version, model=name, **shared
        )
    return _OpenAI(base_url=base_url, model=name, **shared)

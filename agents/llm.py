"""Settings to model: any OpenAI-compatible server, or the embedded rules when there is no key."""

import openai
from django.conf import settings
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from agents.offline import OfflineRules
from nextrade.errors import Unavailable

OFFLINE = "offline-rules"
PING_TIMEOUT_S = 2.0


class ModelUnavailable(Unavailable):
    code = "llm_unavailable"


def chat_model() -> BaseChatModel:
    """The language model of this installation, not connected to yet."""
    if settings.MODEL == OFFLINE:
        return OfflineRules()
    return ChatOpenAI(
        model=settings.MODEL,
        base_url=settings.OPENAI_BASE_URL,
        api_key=settings.OPENAI_API_KEY,
        timeout=settings.LLM_TIMEOUT_S,
        max_retries=2,
        temperature=0,
    )


def ping() -> str:
    """Ask the provider for its list of models, the cheapest real request; the name of ours. Raises ModelUnavailable."""
    if settings.MODEL == OFFLINE:
        return OFFLINE
    try:
        openai.OpenAI(
            api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL, timeout=PING_TIMEOUT_S, max_retries=0
        ).models.list()
    except openai.OpenAIError as error:
        raise ModelUnavailable(f"the model's provider does not answer: {type(error).__name__}") from error
    return str(settings.MODEL)

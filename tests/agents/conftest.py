"""A provider of language models that the product is set up with."""

from collections.abc import Iterator
from typing import Any

import pytest

from agents import calls
from nextrade import resilience
from tests.openai_server import OpenAIServer, desk_script, openai_server


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAIServer]:
    with openai_server(desk_script) as server:
        settings.MODEL, settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "main", "sk-secret", server.url
        settings.MODEL_SIMPLE = settings.MODEL_FALLBACK = settings.AZURE_API_VERSION = ""
        monkeypatch.setattr(resilience, "_backoff", lambda state: 0.02)
        calls._budget.cache_clear()
        yield server

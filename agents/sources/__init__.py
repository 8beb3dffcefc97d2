"""Where news and web pages come from, by the settings NEXTRADE_NEWS and NEXTRADE_WEB."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from agents.sources.base import Source
from agents.sources.tavily import TavilyNews, TavilyWeb
from agents.sources.wikipedia import Wikipedia
from agents.sources.yahoo import YahooNews
from nextrade.errors import Unavailable

NEWS: Mapping[str, Source] = MappingProxyType({"yahoo": YahooNews(), "tavily": TavilyNews()})
WEB: Mapping[str, Source] = MappingProxyType({"wikipedia": Wikipedia(), "tavily": TavilyWeb()})


class NotConfigured(Unavailable):
    code = "not_configured"


def news() -> Source:
    """Raises NotConfigured."""
    if settings.NEWS not in NEWS:
        raise NotConfigured("no news provider is set up here")
    return NEWS[settings.NEWS]


def web() -> Source:
    """Raises NotConfigured."""
    if settings.WEB not in WEB:
        raise NotConfigured("no web search is set up here")
    return WEB[settings.WEB]

"""Where prices come from, by the setting NEXTRADE_QUOTES. What a provider needs is imported at its first quote."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from orders.quotes.alpaca import AlpacaQuotes
from orders.quotes.base import QuoteProvider
from orders.quotes.cached import CachedQuotes
from orders.quotes.simulated import SimulatedQuotes
from orders.quotes.yahoo import YahooQuotes

PROVIDERS: Mapping[str, QuoteProvider] = MappingProxyType(
    {
        "simulated": SimulatedQuotes(),
        "yahoo": CachedQuotes(YahooQuotes()),
        "alpaca": CachedQuotes(AlpacaQuotes()),
    }
)


def provider() -> QuoteProvider:
    return PROVIDERS[settings.QUOTES]

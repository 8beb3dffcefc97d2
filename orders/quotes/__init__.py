"""Where prices come from, by the setting NEXTRADE_QUOTES."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from orders.quotes.base import QuoteProvider
from orders.quotes.simulated import SimulatedQuotes

PROVIDERS: Mapping[str, QuoteProvider] = MappingProxyType({"simulated": SimulatedQuotes()})


def provider() -> QuoteProvider:
    return PROVIDERS[settings.QUOTES]

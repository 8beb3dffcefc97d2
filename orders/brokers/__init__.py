"""Who executes, by the setting NEXTRADE_BROKER. Asked by the worker alone."""

from collections.abc import Mapping
from types import MappingProxyType

from django.conf import settings

from orders.brokers.base import Broker
from orders.brokers.paper import PaperBroker

BROKERS: Mapping[str, Broker] = MappingProxyType({"paper": PaperBroker()})


def broker() -> Broker:
    return BROKERS[settings.BROKER]

"""Who executes, by the setting NEXTRADE_BROKER. Asked by the worker alone."""

from collections.abc import Callable, Iterator, Mapping

from django.conf import settings

from orders.brokers.base import Broker
from orders.brokers.paper import PaperBroker


class OnDemand(Mapping[str, Broker]):
    """Brokers by name, each made when it is asked for: what is not used costs no import and needs no key."""

    def __init__(self, makers: Mapping[str, Callable[[], Broker]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Broker:
        return self._makers[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def _alpaca() -> Broker:
    from orders.brokers.alpaca import AlpacaBroker

    return AlpacaBroker()


PAPER = PaperBroker()
BROKERS: Mapping[str, Broker] = OnDemand({"paper": lambda: PAPER, "alpaca": _alpaca})


def broker() -> Broker:
    return BROKERS[settings.BROKER]

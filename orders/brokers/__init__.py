"""Who executes, by the setting NEXTRADE_BROKER. Asked by the worker alone."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

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


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What may be known of a broker without its keys, which the worker alone has. mode: whose money it moves.

    supports: (order type, time in force) that it takes. commission_usd: per share.
    """

    mode: Literal["paper", "live"]
    supports: frozenset[tuple[str, str]]
    commission_usd: Decimal


def terms() -> Terms:
    if settings.BROKER == "alpaca":
        from orders.brokers import alpaca

        return Terms(mode=alpaca.mode_of(settings.ALPACA_BASE_URL), supports=alpaca.SUPPORTS, commission_usd=Decimal(0))
    return Terms(mode=PAPER.mode, supports=PAPER.supports, commission_usd=Decimal(settings.PAPER_COMMISSION_USD))

"""What goes wrong, or is done about it, once or twice in a quarter."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from types import MappingProxyType

from django.contrib.auth import authenticate
from django.utils import timezone

from compliance import audit, review
from nextrade import auth  # noqa: F401 - listens for failed log-ins
from nextrade.ops.demo.script import Line
from nextrade.ops.demo.stage import Stage
from orders import brokers, execution, quotes, safeguards
from orders.brokers.paper import Fault, PaperBroker
from orders.models import Limits, Order, Status

Incident = Callable[[Stage, datetime], None]


def halt(stage: Stage, at: datetime) -> None:
    """A symbol is stopped for two hours, and somebody tries all the same."""
    olga = audit.person(stage.people["olga"])
    reason = "news pending, as the exchange says"
    stage.plan(at, lambda: safeguards.halt(symbol="TSLA", reason=reason, by=olga, at=timezone.now()))
    words = Line(at=at, who="ben", words="Buy 4 shares of Tesla", is_new=True, is_trade=True)
    stage.plan(at + timedelta(minutes=20), partial(stage.say, words))
    over = at + timedelta(hours=2)
    stage.plan(over, lambda: safeguards.resume_trading(symbol="TSLA", reason="news is out", by=olga, at=timezone.now()))


def doubt(stage: Stage, at: datetime) -> None:
    """The broker takes an order and does not answer; it is asked before anything is sent again."""
    stage.plan(at, partial(_fault, Fault.TIMEOUT))
    _trade(stage, at, "ann", "Buy 12 shares of Coca-Cola")
    stage.plan(at + timedelta(minutes=5), lambda: execution.reconcile(at=timezone.now()))


def rejection(stage: Stage, at: datetime) -> None:
    stage.plan(at, partial(_fault, Fault.REJECT))
    _trade(stage, at, "ben", "Buy 30 shares of Intel")


def too_much(stage: Stage, at: datetime) -> None:
    """More than the rules allow, and what somebody does not hold."""
    for minute, who, words in ((0, "ben", "Buy 900 shares of Netflix"), (7, "ann", "Sell 400 shares of Boeing")):
        line = Line(at=at, who=who, words=words, is_new=True, is_trade=True)
        stage.plan(at + timedelta(minutes=minute), partial(stage.say, line))


def late_fill(stage: Stage, at: datetime) -> None:
    """An order is taken back at the broker, and the exchange fills it all the same: an alert."""

    def ask() -> None:
        seen = quotes.provider().latest("PEP", at=timezone.now()).price_usd
        words = f"Buy 10 shares of Pepsi at {seen * Decimal('0.95'):.2f} limit"
        stage.say(Line(at=at, who="ann", words=words, is_new=True, is_trade=True), approve=True)

    def pepsi(status: Status) -> Order | None:
        return Order.objects.filter(symbol="PEP", status=status).order_by("-created_at").first()

    def take_back() -> None:
        if order := pepsi(Status.NEW):
            stage.withdraw(order)

    def fill() -> None:
        if (late := pepsi(Status.CANCELED)) and late.limit_price:
            moment = timezone.now()
            _paper().fill_late(late.client_order_id, quantity=late.quantity, price_usd=late.limit_price, at=moment)
            execution.reconcile(at=moment)

    stage.plan(at, ask)
    stage.plan(at + timedelta(minutes=30), take_back)
    stage.plan(at + timedelta(minutes=40), fill)


def limits(stage: Stage, at: datetime) -> None:
    """Operations ask for a limit of one symbol, compliance lets it hold."""
    olga, carol = stage.people["olga"], stage.people["carol"]

    def ask() -> None:
        wanted = Limits(
            scope="symbol:NVDA",
            max_notional_usd=Decimal(50_000),
            reason="it moves more than the others",
            set_by=audit.person(olga),
            set_at=timezone.now(),
        )
        safeguards.set_limits(wanted)

    def grant() -> None:
        version = Limits.objects.filter(approved_at=None).latest("version").version
        safeguards.approve_limits(version, by=carol, at=timezone.now())

    stage.plan(at, ask)
    stage.plan(at + timedelta(hours=1), grant)


def guesses(stage: Stage, at: datetime) -> None:
    """Somebody tries passwords."""
    for number, name in enumerate(("bob", "admin", "root")):
        guess = partial(authenticate, username=name, password="letmein")  # noqa: S106 - a wrong one
        stage.plan(at + timedelta(seconds=20 * number), guess)


INCIDENTS: Mapping[int, tuple[Incident, ...]] = MappingProxyType(
    {
        8: (doubt, too_much),
        20: (guesses,),
        35: (halt,),
        50: (limits,),
        65: (rejection, too_much),
        80: (late_fill,),
        92: (doubt, guesses),
    }
)
"""By percent of the trading days that are over."""


def on(day: date, trading_days: Sequence[date]) -> tuple[Incident, ...]:
    """What belongs to a day."""
    last = len(trading_days) - 1
    return tuple(
        incident
        for percent, incidents in INCIDENTS.items()
        if trading_days[percent * last // 100] == day
        for incident in incidents
    )


def review_day(stage: Stage) -> None:
    """Carol looks at what is two days old and not her own deed, and leaves what is new."""
    review.collect()
    carol = stage.people["carol"]
    old = review.open_items().filter(happened_at__lt=timezone.now() - timedelta(days=2)).order_by("pk")
    for item in [item for item in old if not review.is_own(item, carol)][:6]:
        is_odd = item.kind == review.Kind.VIOLATION and stage.rng.random() < 0.3
        conclusion, text = ("follow_up", "spoken with the trader") if is_odd else ("in_order", "")
        review.sign_off(item.pk, conclusion=conclusion, text=text, by=carol, at=timezone.now())


def _trade(stage: Stage, at: datetime, who: str, words: str) -> None:
    line = Line(at=at, who=who, words=words, is_new=True, is_trade=True)
    stage.plan(at + timedelta(seconds=30), partial(stage.say, line, approve=True))


def _fault(fault: Fault) -> None:
    _paper().faults.append(fault)


def _paper() -> PaperBroker:
    broker = brokers.broker()
    assert isinstance(broker, PaperBroker)
    return broker

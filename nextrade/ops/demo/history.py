"""From some days ago until now: each day with its trades, its small hours and its incidents."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from random import Random

from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Message, ModelCall
from compliance import tasks as compliance_tasks
from compliance.models import ComplianceEvent, Statement
from compliance.sealer import Sealer
from nextrade.ops.demo import incidents, script
from nextrade.ops.demo.script import Line
from nextrade.ops.demo.stage import Clock, Stage
from orders import services, tasks
from orders.models import EquityDay, Execution, Order

QUIET = timedelta(minutes=45)
"""What was said shortly before now is said on purpose: a few orders that wait."""
SATURDAY = 5
BETWEEN = timedelta(minutes=50)
"""From one incident of a day to the next."""
WAITING = (
    (24, "ann", "What do I hold?"),
    (19, "ann", "Buy 8 shares of Microsoft"),
    (14, "ben", "please buy 25 AMD"),
    (9, "ann", "Buy 6 shares of Johnson & Johnson at 150 limit"),
    (4, "ben", "Buy 15 shares of Disney"),
)
"""(minutes ago, who, words)"""


@dataclass(frozen=True, kw_only=True)
class Written:
    """How many rows there are now."""

    days: int
    orders: int
    fills: int
    messages: int
    model_calls: int
    events: int

    def __str__(self) -> str:
        return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in asdict(self).items())


def write(*, days: int, seed: int, clock: Clock, until: datetime) -> Written:
    """Play the past. The people and an empty order book must be there; the clock stands at its beginning."""
    stage = Stage(clock=clock, rng=Random(seed), people=_people(), sealer=_sealer())  # noqa: S311 - a play
    span = [until.date() - timedelta(days=ago) for ago in range(days, -1, -1)]
    trading = [day for day in span if day.weekday() < SATURDAY]
    for day in span:
        _day(stage, day, trading, until)
    _just_now(stage, until)
    stage.seal()
    return Written(
        days=EquityDay.objects.values("day").distinct().count(),
        orders=Order.objects.count(),
        fills=Execution.objects.count(),
        messages=Message.objects.count(),
        model_calls=ModelCall.objects.count(),
        events=ComplianceEvent.objects.count(),
    )


def _people() -> dict[str, User]:
    return {user.username: user for user in User.objects.all()}


def _sealer() -> Sealer | None:
    """One that begins the trail; a trail that has begun is signed by a key of now, under which no past is sealed."""
    if Statement.objects.exists():
        return None
    sealer = Sealer()
    sealer.start(at=timezone.now())
    return sealer


def _day(stage: Stage, day: date, trading: Sequence[date], until: datetime) -> None:
    def at(hour: int, minute: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute), UTC)

    stage.plan(at(0, 5), tasks.close_day)
    if day.day == 1:
        stage.plan(at(6, 30), tasks.halt_drill)
    if day.weekday() == 0:
        stage.plan(at(6), compliance_tasks.report_reviews)
    if day in trading:
        for line in script.day(stage.rng, day, stage.held()):
            stage.plan(line.at, partial(stage.say, line))
        for number, incident in enumerate(incidents.on(day, trading)):
            incident(stage, at(16) + number * BETWEEN)
        for hour, minute in ((16, 30), (18, 30), (21, 5)):
            stage.plan(at(hour, minute), tasks.reconcile)
        stage.plan(at(20, 45), stage.withdraw_open)
        stage.plan(at(21, 6), tasks.compare_books)
        stage.plan(at(9), partial(incidents.review_day, stage))
    for hour in (15, 18, 22):
        stage.plan(at(hour), stage.seal)
    stage.play(min(at(23, 59), until - QUIET))


def _just_now(stage: Stage, until: datetime) -> None:
    stage.drop()
    for minutes, who, words in WAITING:
        line = Line(at=until - timedelta(minutes=minutes), who=who, words=words, is_new=minutes > 20 or who == "ben")
        stage.plan(line.at, partial(stage.say, line, decide=False))
    stage.plan(until - timedelta(seconds=1), lambda: services.expire_stale(at=timezone.now()))
    stage.play(until)
    stage.clock(until)

"""The admin's first page: what waits for this person, what is wrong, what happened today.

Each part asks for the right it needs and says in words when there is nothing. Nothing here grows with the trail or the
book: rows are the newest few, and counts go over one day or over what is open.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Avg, Count, DecimalField, ExpressionWrapper, F, Q, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, OrmQ

from agents.models import Breaker, ModelCall
from compliance import audit, projection, queries, review
from compliance.admin import legible
from compliance.audit import Action
from compliance.models import ComplianceEvent, EventType, Outcome
from nextrade.ops import punctuality
from nextrade.ops.models import Alert, Heartbeat
from orders.admin import live
from orders.admin.queue import may_decide, may_see_orders
from orders.models import Approval, Break, Execution, Limits, Order, Status, TradingState
from orders.payload import plain
from orders.review import STATUS_COLOURS, expiry, span, usd

SHOWN = 6
LATE = timedelta(minutes=10)
BEAT_AGE = timedelta(minutes=2)
VALUE = ExpressionWrapper(F("quantity") * F("price_usd"), output_field=DecimalField(max_digits=30, decimal_places=6))
BEATS = {"scheduler": "The worker has finished no scheduled task", "sealer": "The sealer has made no round"}


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing, and where to go about it. colour: of the badge."""

    text: str
    url: str = ""
    note: str = ""
    badge: str = ""
    colour: str = ""


@dataclass(frozen=True, kw_only=True)
class Card:
    """A few lines under a title. more: how many there are in all. empty: what to say when there are none."""

    title: str
    empty: str
    url: str = ""
    lines: list[Line] = field(default_factory=list)
    more: int = 0

    @property
    def count(self) -> int:
        return self.more or len(self.lines)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of today. note: what it is made of."""

    label: str
    value: str
    url: str = ""
    note: str = ""


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's DASHBOARD_CALLBACK: the admin's index with this person's three parts."""
    assert isinstance(request.user, User)  # the index is for who is logged in
    at = timezone.now()
    waits, wrong = list(_waits(request, at=at)), list(_wrong(request, at=at))
    return {
        **context,
        "title": "Today",
        "waits": waits,
        "wrong": wrong,
        "figures": list(_figures(request, at=at)),
        "mine": _mine(request, at=at),
        "waiting_count": sum(card.count for card in waits),
        "wrong_count": sum(card.count for card in wrong),
        "at": at,
        "live": live.state() if may_see_orders(request) else None,
    }


def _waits(request: HttpRequest, *, at: datetime) -> Iterator[Card]:
    if may_see_orders(request):
        yield _queue(request, at=at)
    if request.user.has_perm("orders.approve_limits"):
        yield _limits()
    if request.user.has_perm("compliance.view_reviewitem"):
        yield _reviews(at=at)


def _queue(request: HttpRequest, *, at: datetime) -> Card:
    waiting = Order.objects.filter(status=Status.PENDING_APPROVAL).select_related("maker")
    rows = list(waiting.order_by("created_at")[:SHOWN])
    return Card(
        title="Orders that wait for a decision" if may_decide(request) else "Orders that wait for an approver",
        url=f"{reverse('admin:orders_order_changelist')}?status__exact=pending_approval",
        empty="No order waits. One that is proposed appears here and in the queue at once.",
        lines=[_order(row, request, at=at) for row in rows],
        more=len(rows) if len(rows) < SHOWN else waiting.count(),
    )


def _order(order: Order, request: HttpRequest, *, at: datetime) -> Line:
    is_own = order.maker_id == request.user.pk
    left = order.expires_at - at
    return Line(
        text=f"{order.side} {plain(order.quantity)} {order.symbol}, {usd(order.notional_usd)} USD",
        url=reverse("admin:orders_order_review", args=[order.pk]),
        note=f"by {order.maker.get_username()}, waiting {span(at - order.created_at)}, expires {expiry(order, at=at)}",
        badge="your own"
        if is_own
        else "time is over"
        if left < timedelta(0)
        else "expiring"
        if left < LATE
        else "not in own words"
        if order.is_tainted
        else "",
        colour="" if is_own else "danger",
    )


def _limits() -> Card:
    newest = dict(Limits.objects.exclude(approved_at=None).order_by("version").values_list("scope", "version"))
    rows = [row for row in Limits.objects.filter(approved_at=None) if row.version > newest.get(row.scope, 0)]
    return Card(
        title="Limits that wait for a second person",
        url=reverse("admin:orders_limits_changelist"),
        empty="No change of limits waits.",
        lines=[
            Line(
                text=f"Limits of {row.scope}, version {row.version}",
                url=reverse("admin:orders_limits_change", args=[row.pk]),
                note=f"by {projection.name(row.set_by)}: {row.reason or 'no reason given'}",
            )
            for row in rows[:SHOWN]
        ],
        more=len(rows),
    )


def _reviews(*, at: datetime) -> Card:
    waiting = review.open_items()
    rows = list(waiting.select_related("assigned_to").order_by("happened_at")[:SHOWN])
    return Card(
        title="Reviews that wait for a sign-off",
        url=f"{reverse('admin:compliance_reviewitem_changelist')}?state=open",
        empty="Every review is signed off.",
        lines=[
            Line(
                text=f"{row.get_kind_display().capitalize()}, {projection.name(row.whose)}",
                url=reverse("admin:compliance_reviewitem_change", args=[row.pk]),
                note=f"{span(at - row.happened_at)} old, "
                + (f"with {row.assigned_to.get_username()}" if row.assigned_to else "with nobody yet"),
                badge="overdue" if at - row.happened_at > timedelta(days=3) else "",
                colour="warning",
            )
            for row in rows
        ],
        more=len(rows) if len(rows) < SHOWN else waiting.count(),
    )


def _wrong(request: HttpRequest, *, at: datetime) -> Iterator[Card]:
    user = request.user
    if user.has_perm("orders.view_tradingstate"):
        yield _stops(at=at)
    if user.has_perm("orders.view_break"):
        yield _breaks(at=at)
    if user.has_perm("compliance.view_complianceevent"):
        yield _trail(at=at)
        yield _violations(at=at)
    if user.has_perm("ops.view_alert"):
        yield _alerts(at=at)
    if user.has_perm("ops.view_maintenancerun"):
        yield _machine(at=at)
        yield _jobs(at=at)
    if user.has_perm("django_q.view_failure"):
        yield _tasks(at=at)


def _stops(*, at: datetime) -> Card:
    holding = TradingState.objects.filter(Q(until=None) | Q(until__gt=at), lifted_at=None)
    return Card(
        title="Trading",
        url=reverse("admin:orders_tradingstate_changelist"),
        empty="Nothing is halted or reduced.",
        lines=[
            Line(
                text=f"{row.where}: {row.state}",
                note=f"{legible(row.reason)}, by {projection.name(row.set_by)}, {span(at - row.set_at)} ago",
                badge=row.state,
                colour="danger" if row.state == TradingState.State.HALTED else "warning",
            )
            for row in holding.select_related("account__owner").order_by("-id")[:SHOWN]
        ],
    )


def _breaks(*, at: datetime) -> Card:
    return Card(
        title="Our books and the broker’s",
        url=reverse("admin:orders_break_changelist"),
        empty="They agree.",
        lines=[
            Line(
                text=f"{row.get_kind_display()}, {row.subject}",
                note=f"ours {row.ours}, theirs {row.theirs}, found {span(at - row.found_at)} ago",
                badge="open",
                colour="danger",
            )
            for row in Break.objects.filter(resolved_at=None).order_by("-id")[:SHOWN]
        ],
    )


def _trail(*, at: datetime) -> Card:
    return Card(
        title="The audit trail",
        url=reverse("trail-integrity"),
        empty="Whole, as far as it was looked at: the last verification found no fault, and nothing waits too long.",
        lines=[Line(text=text, badge="look", colour="danger") for text in queries.doubts(at=at)],
    )


def _violations(*, at: datetime) -> Card:
    recent = ComplianceEvent.objects.filter(type=EventType.SAFETY_VIOLATION, ts_utc__gte=at - timedelta(days=1))
    rows = list(recent.order_by("-id")[:SHOWN])
    return Card(
        title="Safety violations of the last 24 hours",
        url=f"{reverse('admin:compliance_complianceevent_changelist')}?type__exact=SAFETY_VIOLATION",
        empty="None.",
        lines=[
            Line(
                text=row.action.replace("_", " "),
                url=reverse("admin:compliance_complianceevent_change", args=[row.pk]),
                note=f"{projection.name(row.subject_pid or row.actor_pid)}, {span(at - row.ts_utc)} ago",
            )
            for row in rows
        ],
        more=len(rows) if len(rows) < SHOWN else recent.count(),
    )


def _alerts(*, at: datetime) -> Card:
    """What alertd has found and not seen end; gravest first."""
    open_ones = Alert.objects.filter(state__in=(Alert.State.FIRING, Alert.State.STALE))
    rows = list(open_ones.order_by("priority", "fired_at")[:SHOWN])
    return Card(
        title="Alerts",
        empty="None is open.",
        lines=[
            Line(
                text=row.rule,
                note=f"{legible(row.text)[:120]}, since {span(at - row.fired_at)}"
                + (f", acknowledged by {row.acknowledged_by}" if row.acknowledged_at else ""),
                badge=row.priority,
                colour="danger" if row.priority == "P1" else "warning",
            )
            for row in rows
        ],
        more=len(rows) if len(rows) < SHOWN else open_ones.count(),
    )


def _machine(*, at: datetime) -> Card:
    beats = dict(Heartbeat.objects.filter(name__in=BEATS).values_list("name", "at"))
    late = [name for name in BEATS if at - beats.get(name, datetime.min.replace(tzinfo=at.tzinfo)) > BEAT_AGE]
    silent = [Line(text=f"{BEATS[name]} in two minutes", badge="down", colour="danger") for name in late]
    broken = [
        Line(
            text=f"Circuit breaker of {row.name}",
            url=reverse("admin:agents_breaker_changelist"),
            note=legible(row.last_error),
            badge=row.get_state_display(),
            colour="danger",
        )
        for row in Breaker.objects.exclude(state=Breaker.State.CLOSED)[:SHOWN]
    ]
    return Card(title="Processes", url=reverse("ht"), empty="Worker and sealer are at work.", lines=[*silent, *broken])


def _jobs(*, at: datetime) -> Card:
    found = [state for state in punctuality.states(at=at) if state.problems]
    return Card(
        title="Jobs",
        url=reverse("admin:ops_jobs"),
        empty="Every job ran when it should have.",
        lines=[
            Line(
                text=state.job.name,
                note=(state.last.summary if state.last and state.last.summary else state.job.what)[:120],
                badge=", ".join(state.problems),
                colour="danger",
            )
            for state in found[:SHOWN]
        ],
        more=len(found),
    )


def _tasks(*, at: datetime) -> Card:
    waiting = OrmQ.objects.count()
    failed = Failure.objects.filter(started__gte=at - timedelta(days=1)).order_by("-started")[:SHOWN]
    lines = [
        Line(
            text=task.func,
            url=reverse("admin:django_q_failure_change", args=[task.pk]),
            note=legible(str(task.result))[:120],
            badge="failed",
            colour="danger",
        )
        for task in failed
    ]
    return Card(
        title="Background tasks",
        url=reverse("admin:django_q_failure_changelist"),
        empty=f"None failed in 24 hours; {waiting or 'none'} in the queue.",
        lines=lines,
    )


def _figures(request: HttpRequest, *, at: datetime) -> Iterator[Figure]:
    start, user = _midnight(at), request.user
    if may_see_orders(request):
        yield from _orders_today(start)
    if user.has_perm("orders.view_execution"):
        yield _filled_today(start)
    if user.has_perm("compliance.view_complianceevent"):
        yield from _trail_today(start)
    if user.has_perm("agents.view_modelcall"):
        yield _calls_today(start)


def _orders_today(start: datetime) -> Iterator[Figure]:
    """By status and time, which is what the index is in."""
    rows = Order.objects.filter(status__in=Status.values, created_at__gte=start).values("status")
    counts = {row["status"]: row["number"] for row in rows.annotate(number=Count("pk"))}
    went = sum(counts.get(status, 0) for status in (Status.FILLED, Status.PARTIALLY_FILLED))
    url = reverse("admin:orders_order_changelist")
    told = [
        f"{counts[status]} {Status(status).label.lower()}"
        for status in (Status.DENIED, Status.DECLINED, Status.LAPSED, Status.WITHDRAWN)
        if counts.get(status)
    ]
    yield Figure(label="Orders proposed", value=str(sum(counts.values())), url=url, note=", ".join(told))
    yield Figure(label="of them filled", value=str(went), url=f"{url}?status__exact=filled")


def _filled_today(start: datetime) -> Figure:
    found = Execution.objects.filter(executed_at__gte=start).aggregate(number=Count("pk"), value=Sum(VALUE))
    number = found["number"]
    return Figure(
        label="Traded, USD",
        value=usd(found["value"] or Decimal(0)),
        url=reverse("admin:orders_execution_changelist"),
        note=f"in {number} execution{'' if number == 1 else 's'}",
    )


def _trail_today(start: datetime) -> Iterator[Figure]:
    found = ComplianceEvent.objects.filter(ts_utc__gte=start).aggregate(
        number=Count("pk"),
        refused=Count("pk", filter=Q(outcome=Outcome.REFUSED)),
        alerts=Count("pk", filter=Q(type=EventType.ALERT)),
    )
    url = reverse("admin:compliance_complianceevent_changelist")
    yield Figure(label="Events on the trail", value=f"{found['number']:,}", url=url)
    yield Figure(label="Refusals", value=str(found["refused"]), url=f"{url}?outcome__exact=refused")
    yield Figure(label="Alerts", value=str(found["alerts"]), url=f"{url}?type__exact=ALERT")


def _calls_today(start: datetime) -> Figure:
    found = ModelCall.objects.filter(at__gte=start).aggregate(
        number=Count("pk"), cost=Sum("cost_usd"), took=Avg("latency_ms")
    )
    cost = f"{found['cost'] or 0:.2f} USD"
    took = f", {found['took']:.0f} ms each" if found["number"] else ""
    return Figure(
        label="Model calls",
        value=f"{found['number']:,}",
        url=reverse("admin:agents_modelcall_changelist"),
        note=cost + took,
    )


def _mine(request: HttpRequest, *, at: datetime) -> Card | None:
    """What this approver has decided in a week; None for who decides on nothing."""
    if not may_decide(request):
        return None
    assert isinstance(request.user, User)
    since = at - timedelta(days=7)
    given = Approval.objects.filter(checker=request.user, at__gte=since).select_related("order").order_by("-id")[:SHOWN]
    refused = ComplianceEvent.objects.filter(
        type=EventType.APPROVAL,
        action=Action.ORDER_DECLINED,
        actor_pid=audit.person(request.user),
        ts_utc__gte=since,
    ).order_by("-id")[:SHOWN]
    declined = {event.order_id: event.ts_utc for event in refused}
    rows = [(approval.at, "approved", approval.order) for approval in given]
    rows += [
        (declined[row.pk], "declined", row) for row in Order.objects.filter(pk__in=[key for key in declined if key])
    ]
    newest = sorted(rows, key=_moment, reverse=True)[:SHOWN]
    return Card(
        title="Your decisions of the last seven days",
        empty="You have decided on nothing in seven days.",
        lines=[_decision(when, what, row, at=at) for when, what, row in newest],
    )


def _moment(row: tuple[datetime, str, Order]) -> datetime:
    return row[0]


def _decision(when: datetime, what: str, order: Order, *, at: datetime) -> Line:
    return Line(
        text=f"{what.capitalize()}: {order.side} {plain(order.quantity)} {order.symbol}",
        url=reverse("admin:orders_order_review", args=[order.pk]),
        note=f"{span(at - when)} ago",
        badge=order.get_status_display(),
        colour=STATUS_COLOURS[Status(order.status)],
    )


def _midnight(at: datetime) -> datetime:
    return timezone.localtime(at).replace(hour=0, minute=0, second=0, microsecond=0)

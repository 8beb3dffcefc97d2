"""A week of the desk in charts and tables, each role's part of it: `/admin/week/?week=2026-W48`.

Every figure goes over one week by an index on time.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median_low
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from agents.models import ModelCall
from compliance import projection, review
from compliance.models import ComplianceEvent, EventType, Outcome
from compliance.review import Week
from nextrade.ops.models import MaintenanceRun
from orders.admin.queue import may_see_orders
from orders.models import Approval, Execution, Order, Status
from orders.review import span, usd

DAYS = 7
LINES = ("--color-primary-600", "--color-orange-500", "--color-red-500", "--color-green-600", "--color-blue-500")
OUTCOMES = {
    "filled": (Status.FILLED, Status.PARTIALLY_FILLED),
    "declined or lapsed": (Status.DECLINED, Status.LAPSED, Status.WITHDRAWN),
    "denied or rejected": (Status.DENIED, Status.REJECTED),
}
CONCERNS = {
    "safety violations": Q(type=EventType.SAFETY_VIOLATION),
    "refusals": Q(outcome=Outcome.REFUSED),
    "alerts": Q(type=EventType.ALERT),
}


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a chart, and one row of its table: a number for each day."""

    name: str
    values: list[float]
    colour: str

    @property
    def total(self) -> str:
        return f"{sum(self.values):,.2f}".removesuffix(".00")


@dataclass(frozen=True, kw_only=True)
class Section:
    """A chart with its table, and sentences. heads: the days."""

    title: str
    heads: list[str]
    series: list[Series]
    told: list[str]
    rows: Sequence[tuple[str, ...]]
    row_heads: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not any(any(each.values) for each in self.series)

    @property
    def chart(self) -> str:
        """What unfold's chart reads, as JSON."""
        sets = [
            {"label": each.name, "data": each.values, "backgroundColor": f"var({each.colour})"} for each in self.series
        ]
        return json.dumps({"labels": self.heads, "datasets": sets})


OPTIONS = json.dumps(
    {
        "animation": False,
        "responsive": True,
        "maintainAspectRatio": False,
        "scales": {"x": {"stacked": True, "grid": {"display": False}}, "y": {"stacked": True, "beginAtZero": True}},
        "plugins": {"legend": {"display": True, "position": "bottom", "labels": {"boxWidth": 10, "boxHeight": 10}}},
        "maxBarThickness": 36,
    }
)


def page(request: HttpRequest) -> HttpResponse:
    """The week that is asked for, or this one so far."""
    now = timezone.now()
    try:
        week = Week.of(request.GET["week"]) if "week" in request.GET else Week.before(now + timedelta(days=DAYS))
    except ValueError:
        return HttpResponse("a week is written 2026-W48", status=400, content_type="text/plain")
    context = {
        **admin.site.each_context(request),
        "title": f"Week {week}",
        "week": week,
        "last_day": week.end - timedelta(days=1),
        "before": str(Week(week.start - timedelta(days=DAYS))),
        "after": str(Week(week.end)) if week.end <= now else "",
        "sections": list(sections(request, week)),
        "options": OPTIONS,
    }
    return TemplateResponse(request, "admin/week.html", context)


def sections(request: HttpRequest, week: Week) -> Iterator[Section]:
    """The parts that this person has the rights to."""
    assert isinstance(request.user, User)  # admin_view lets nobody else through
    user = request.user
    if may_see_orders(request):
        yield _orders(week)
        yield _decisions(week)
    if user.has_perm("orders.view_execution"):
        yield _traded(week)
    if user.has_perm("compliance.view_complianceevent"):
        yield _concerns(week)
        yield _reviews(week)
    if user.has_perm("agents.view_modelcall"):
        yield _models(week)
    if user.has_perm("ops.view_maintenancerun"):
        yield _jobs(week)


def _orders(week: Week) -> Section:
    rows = _daily(Order.objects.filter(status__in=Status.values), "created_at", week).values_list("day", "status")
    counted = [(day, status, number) for day, status, number in rows.annotate(number=Count("pk"))]
    named = {
        name: _by_day(week, ((day, number) for day, status, number in counted if status in statuses))
        for name, statuses in OUTCOMES.items()
    }
    total = sum(number for _, _, number in counted)
    return _section("Orders", week, named, [f"{total:,} order{_s(total)} {_were(total)} proposed."])


def _decisions(week: Week) -> Section:
    given = Approval.objects.filter(at__gte=week.start, at__lt=week.end)
    rows = list(given.values_list("at", "order__created_at", "checker__username"))
    took = [at - made for at, made, _ in rows]
    told = (
        [f"An approval took {span(median_low(took))} in the middle, {span(max(took))} at the longest."] if took else []
    )
    people: dict[str, list[timedelta]] = {}
    for at, made, who in rows:
        people.setdefault(who, []).append(at - made)
    table = [(who, f"{len(spent):,}", span(median_low(spent))) for who, spent in sorted(people.items())]
    named = {"approvals": _by_day(week, ((at.date(), 1) for at, _, _ in rows))}
    return _section("Approvals", week, named, told, table, ("Approver", "Given", "Median"))


def _traded(week: Week) -> Section:
    rows = _daily(Execution.objects.all(), "executed_at", week).values_list("day", "quantity", "price_usd")
    worth = [(day, float(quantity * price)) for day, quantity, price in rows]
    total = usd(Decimal(str(round(sum(value for _, value in worth), 2))))
    told = [f"Executions worth {total} USD." if worth else "Nothing was traded."]
    return _section("Traded, USD", week, {"value": _by_day(week, worth)}, told)


def _concerns(week: Week) -> Section:
    wanted = Q()
    for which in CONCERNS.values():
        wanted |= which
    kinds = {name.replace(" ", "_"): Count("pk", filter=which) for name, which in CONCERNS.items()}
    rows = list(_daily(ComplianceEvent.objects.filter(wanted), "ts_utc", week).values("day").annotate(**kinds))
    named = {name: _by_day(week, ((row["day"], row[name.replace(" ", "_")]) for row in rows)) for name in CONCERNS}
    return _section("On the trail", week, named, [] if rows else ["No violation, no refusal and no alert."])


def _reviews(week: Week) -> Section:
    found = review.report(week, at=timezone.now())
    named = {"signed off": _by_day(week, ((item.signed_at.date(), 1) for item, _, _ in found["signed"]))}
    opened, breaches = found["opened"], len(found["breaches"])
    told = [f"{opened} event{_s(opened)} needed a supervisor’s eye; {breaches} {_were(breaches)} a breach."]
    told += (
        [f"Open: {', '.join(f'{number} {age}' for age, number in found['ageing'] if number)}."]
        if any(number for _, number in found["ageing"])
        else ["Nothing is open."]
    )
    rows = [(name, str(number), middle, longest) for name, number, middle, longest in found["by"]]
    return _section("Reviews", week, named, told, rows, ("Reviewer", "Signed off", "Median", "Longest"))


def _models(week: Week) -> Section:
    rows = list(
        _daily(ModelCall.objects.all(), "at", week)
        .values("day")
        .annotate(number=Count("pk"), failed=Count("pk", filter=~Q(outcome="ok")), cost=Sum("cost_usd"))
    )
    cost = sum((row["cost"] or Decimal(0) for row in rows), Decimal(0))
    named = {
        "calls": _by_day(week, ((row["day"], row["number"] - row["failed"]) for row in rows)),
        "failed": _by_day(week, ((row["day"], row["failed"]) for row in rows)),
    }
    return _section("Model calls", week, named, [f"They cost {cost:.2f} USD." if rows else "No model was called."])


def _jobs(week: Week) -> Section:
    runs = MaintenanceRun.objects.filter(started_at__gte=week.start, started_at__lt=week.end)
    bad = runs.filter(status__in=(MaintenanceRun.Status.FAILED, MaintenanceRun.Status.DIED))
    rows = list(bad.order_by("-started_at").values_list("started_at", "job", "started_by")[:200])
    named = {"failed": _by_day(week, ((at.date(), 1) for at, _, _ in rows))}
    table = [(f"{at:%d %b %H:%M}", job, projection.name(by)) for at, job, by in rows[:20]]
    told = [f"{len(rows)} run{_s(len(rows))} failed."] if rows else ["Every run that was finished succeeded."]
    return _section("Jobs", week, named, told, table, ("Started (UTC)", "Job", "By"))


def _daily(rows: QuerySet[Any], moment: str, week: Week) -> QuerySet[Any]:
    """Rows of the week with their day (UTC)."""
    within = rows.filter(**{f"{moment}__gte": week.start, f"{moment}__lt": week.end})
    daily: QuerySet[Any] = within.annotate(day=TruncDate(moment, tzinfo=week.start.tzinfo)).order_by()
    return daily


def _by_day(week: Week, found: Any) -> list[float]:
    """A number for each day of the week, Monday first."""
    numbers = [0.0] * DAYS
    for day, number in found:
        place = (datetime.combine(day, datetime.min.time(), week.start.tzinfo) - week.start).days
        numbers[place] += float(number)
    return [int(number) if number == int(number) else round(number, 2) for number in numbers]


def _section(
    title: str,
    week: Week,
    named: dict[str, list[float]],
    told: list[str],
    rows: Sequence[tuple[str, ...]] = (),
    row_heads: tuple[str, ...] = (),
) -> Section:
    return Section(
        title=title,
        heads=[f"{week.start + timedelta(days=number):%a %d}" for number in range(DAYS)],
        series=[
            Series(name=name, values=values, colour=colour)
            for (name, values), colour in zip(named.items(), LINES, strict=False)
        ],
        told=told,
        rows=rows,
        row_heads=row_heads,
    )


def _s(number: int) -> str:
    return "" if number == 1 else "s"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"

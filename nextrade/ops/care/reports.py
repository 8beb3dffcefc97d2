"""What a firm asks of its system from time to time: how long the disk lasts, what it costs, who may do what, what
waits, what is slow. Read from rows; nothing is written."""

import shutil
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Count, Max, Q, Sum
from django.db.models.functions import TruncDate
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import get_token_model

from agents.models import ModelCall
from compliance import review
from compliance.models import ComplianceEvent
from nextrade.ops.care import tidying
from nextrade.ops.models import BreakGlass, CostEntry, MetricAggregate, ServiceAccount

Report = dict[str, Any]
WINDOW = timedelta(days=90)
FULL_AT = 0.8
"""The share of a disk from which it counts as full (the guide's 80 %)."""
GROWING = MappingProxyType({"chats": "chat_turn_seconds", "orders": "orders_proposed", "events": "audit_events"})
DECIDES = "orders.approve_order"
DEAR = timedelta(days=7)


def capacity(*, at: datetime) -> Report:
    """A day's numbers now and their slope, and the day the disk is full.

    per_day: mean of the last 28 days; slope_per_day: of a straight line through the days of the last 90 (least
    squares); days_to_full: until 80 % of the disk at today's bytes a day, None where nothing grows.
    """
    growth = {name: _trend(_days(metric, at=at)) for name, metric in GROWING.items()}
    disk, stored = shutil.disk_usage(settings.DATA_DIR), tidying.stored_bytes()
    events = ComplianceEvent.objects.count()
    bytes_per_day = stored / events * growth["events"]["per_day"] if events else 0.0
    left = FULL_AT * disk.total - disk.used
    return {
        "growth": growth,
        "database_bytes": stored,
        "bytes_per_day": round(bytes_per_day),
        "disk_used_pct": round(100 * disk.used / disk.total, 1),
        "days_to_full": round(max(0.0, left) / bytes_per_day) if bytes_per_day else None,
    }


def cost(*, at: datetime) -> Report:
    """The month so far: models by their own prices, what was entered by hand, and the bytes that are stored."""
    month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    calls = ModelCall.objects.filter(at__gte=month, at__lt=at)
    models = calls.values("model").annotate(
        usd=Sum("cost_usd"), calls=Count("pk"), unpriced=Count("pk", filter=Q(cost_usd=None))
    )
    entered = (
        CostEntry.objects.filter(month__year=at.year, month__month=at.month)
        .values("kind")
        .annotate(usd=Sum("usd"))
        .order_by("kind")
    )
    by_hand = {row["kind"]: row["usd"] for row in entered}
    spent = {row["model"]: row["usd"] or Decimal(0) for row in models}
    return {
        "month": f"{month:%Y-%m}",
        "models": [{**row, "usd": str(row["usd"] or 0)} for row in models.order_by("model")],
        "unpriced_calls": sum(row["unpriced"] for row in models),
        "entered": {kind: str(usd) for kind, usd in by_hand.items()},
        "total_usd": str(sum(spent.values(), Decimal(0)) + sum(by_hand.values(), Decimal(0))),
        "database_bytes": tidying.stored_bytes(),
    }


def access(*, at: datetime) -> Report:
    """Everybody who may do anything beyond their own: groups, whether they decide, their second factor, last log-in."""
    enrolled = set(TOTPDevice.objects.filter(confirmed=True).values_list("user_id", flat=True))
    tokens = get_token_model().objects.filter(expiry__gt=at).values("user").annotate(n=Count("pk"))
    held = {row["user"]: row["n"] for row in tokens}
    people = User.objects.filter(Q(is_staff=True) | Q(is_superuser=True) | Q(groups__isnull=False)).distinct()
    rows = [
        {
            "username": user.username,
            "groups": sorted(group.name for group in user.groups.all()),
            "is_active": user.is_active,
            "is_superuser": user.is_superuser,
            "may_approve": user.is_active and user.has_perm(DECIDES),
            "second_factor": user.pk in enrolled,
            "tokens": held.get(user.pk, 0),
            "last_login": user.last_login and user.last_login.strftime("%Y-%m-%d"),
        }
        for user in people.prefetch_related("groups").order_by("username")
    ]
    programs = ServiceAccount.objects.filter(user__is_active=True)
    return {
        "people": rows,
        "service_accounts": list(programs.values_list("user__username", "owner__username")),
        "emergencies_90_days": BreakGlass.objects.filter(started_at__gt=at - WINDOW).count(),
    }


def reviews(*, at: datetime) -> Report:
    """What waits for a supervisor, by age, and last week's work."""
    week = review.Week.before(at)
    return {"waiting": dict(review.ageing(at=at)), "week": str(week), "done": review.report(week, at=at)}


def bottlenecks(*, at: datetime) -> Report:
    """What took longest of the last seven days: the highest hourly p95 of each thing that is timed, in seconds."""
    timed = MetricAggregate.objects.filter(hour__gt=at - DEAR, name__endswith="_seconds")
    slow = timed.values("name", "labels").annotate(p95=Max("p95"), longest=Max("max"), count=Sum("count"))
    return {"slowest": list(slow.order_by("-p95")[:20]), "queries": "manage.py db explain", "turn": "manage.py profile"}


REPORTS: Mapping[str, Callable[..., Report]] = MappingProxyType(
    {each.__name__: each for each in (capacity, cost, access, reviews, bottlenecks)}
)


def _days(metric: str, *, at: datetime) -> list[int]:
    """How many a day of the last 90, oldest first, from the first day that had any."""
    rows = MetricAggregate.objects.filter(name=metric, hour__gt=at - WINDOW, hour__lt=at)
    found: dict[Any, int] = defaultdict(int)
    for row in rows.annotate(day=TruncDate("hour")).values("day").annotate(n=Sum("count")):
        found[row["day"]] = row["n"]
    if not found:
        return []
    first, last = min(found), max(found)
    return [found[first + timedelta(days=number)] for number in range((last - first).days + 1)]


def _trend(days: list[int]) -> dict[str, float]:
    recent = days[-28:]
    slope = statistics.linear_regression(range(len(days)), days).slope if len(days) > 1 else 0.0
    return {"per_day": statistics.fmean(recent) if recent else 0.0, "slope_per_day": slope}

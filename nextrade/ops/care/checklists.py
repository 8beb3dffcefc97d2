"""The guide's lists, one table: what a program can see it gathers; what only a person can judge stays `unknown` and is
theirs to sign. A list that nobody has signed when its period is over becomes a ticket."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from compliance import audit, verify
from compliance.audit import Action
from compliance.models import ComplianceEvent, EventType
from nextrade.errors import Missing, NotPermitted, Refused
from nextrade.ops import punctuality
from nextrade.ops.care import doctor, integrity, plans, supplies, tidying
from nextrade.ops.care.finding import Finding, Verdict, worst
from nextrade.ops.models import ChecklistItem, ChecklistRun, MaintenanceRun, Ticket
from nextrade.ops.results import Watch

Kind = ChecklistRun.Kind
Look = Callable[[datetime], Iterable[Finding]]
RIGHT = "ops.sign_checklist"
DAY = timedelta(days=1)
KEPT = 7 * DAY
"""How long after its end an unsigned period is still reminded of."""


class AlreadySigned(Refused):
    code = "already_signed"


def gather(kind: Kind, *, at: datetime) -> tuple[ChecklistRun, list[Finding]]:
    """Look at everything of a list and keep it as its period's evidence, in place of what was gathered before; one that
    is signed stays as it was signed, and what is found now is given without being kept."""
    found = list(look(kind, at=at))
    run = ChecklistRun(kind=kind, period=period(kind, at), verdict=worst(found), gathered_at=at)
    items = [ChecklistItem(run=run, name=f.what[:60], verdict=f.verdict, said=_said(f)) for f in found]
    with transaction.atomic():
        old = ChecklistRun.objects.select_for_update().filter(kind=kind, period=run.period).first()
        if old is None or old.signed_at is None:
            if old:
                old.delete()
            run.save()
            ChecklistItem.objects.bulk_create(items)
    return run, found


def look(kind: Kind, *, at: datetime) -> Iterable[Finding]:
    for name, ask in LISTS[kind].items():
        for each in ask(at):
            yield Finding(what=f"{name}: {each.what}", verdict=each.verdict, said=each.said, next_step=each.next_step)


def sign(run_id: int, *, by: User, at: datetime) -> ChecklistRun:
    """A person's word that they have looked. Raises Missing, NotPermitted, AlreadySigned."""
    with audit.refusals(actor=audit.person(by), at=at), transaction.atomic(durable=True):
        if not by.has_perm(RIGHT):
            raise NotPermitted("this takes the right to sign off checklists")
        run = ChecklistRun.objects.select_for_update().filter(pk=run_id).first()
        if run is None:
            raise Missing("there is no such checklist")
        if run.signed_at:
            raise AlreadySigned(f"{run.kind} {run.period} is signed")
        run.signed_by, run.signed_at = by, at
        run.save(update_fields=["signed_by", "signed_at"])
        details = {"kind": run.kind, "period": run.period, "verdict": run.verdict, "items": run.items.count()}
        audit.record(Action.CHECKLIST_SIGNED, actor=audit.person(by), at=at, details=details)
    return run


def remind(*, at: datetime) -> list[str]:
    """A ticket for each list of the period before this one that nobody has signed, once; which."""
    made = []
    since = MaintenanceRun.objects.order_by("started_at").values_list("started_at", flat=True).first()
    for kind in Kind:
        last = _start(kind, at) - timedelta(seconds=1)
        name = f"{kind} {period(kind, last)}"
        is_signed = ChecklistRun.objects.filter(kind=kind, period=period(kind, last)).exclude(signed_at=None).exists()
        if is_signed or since is None or since > last or at - last > KEPT:
            continue
        text = f"The checklist {name} is not signed off."
        defaults = {"rule": "ChecklistOverdue", "priority": "P4", "text": text, "opened_at": at, "due": _due(at)}
        if Ticket.objects.get_or_create(key=f"checklist {name}", defaults=defaults)[1]:
            made.append(name)
    return made


def remind_now() -> str:
    """The job."""
    return ", ".join(remind(at=timezone.now())) or "nothing is overdue"


def period(kind: Kind, at: datetime) -> str:
    """In UTC, as the schedule's times are."""
    if kind == Kind.QUARTERLY:
        return f"{at:%Y}-Q{(at.month + 2) // 3}"
    return at.strftime({Kind.DAILY: "%Y-%m-%d", Kind.WEEKLY: "%G-W%V", Kind.MONTHLY: "%Y-%m"}[kind])


def _start(kind: Kind, at: datetime) -> datetime:
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    back = {Kind.DAILY: 0, Kind.WEEKLY: midnight.weekday(), Kind.MONTHLY: midnight.day - 1}
    if kind in back:
        return midnight - back[kind] * DAY
    return midnight.replace(month=3 * ((at.month - 1) // 3) + 1, day=1)


def _due(at: datetime) -> date:
    """The next day of business; holidays aside."""
    due = at.date() + DAY
    while due.weekday() > 4:
        due += DAY
    return due


def _said(found: Finding) -> str:
    return f"{found.said}\n{found.next_step}".strip()


def _health(at: datetime) -> Iterable[Finding]:
    for name, is_up in Watch().look("").components.items():
        yield Finding(what=name, verdict=Verdict.OK if is_up else Verdict.FAIL, said="works" if is_up else "failing")


def _log(at: datetime) -> Iterable[Finding]:
    return doctor.examine("errors", at=at, since=DAY)


def _violations(at: datetime) -> Iterable[Finding]:
    number = ComplianceEvent.objects.filter(type=EventType.SAFETY_VIOLATION, ts_utc__gte=at - DAY).count()
    step = "the audit trail in the admin, by type" if number else ""
    yield Finding(what="last day", verdict=Verdict.WARN if number else Verdict.OK, said=f"{number}", next_step=step)


def _disk(at: datetime) -> Iterable[Finding]:
    yield doctor.disk()


def _processes(at: datetime) -> Iterable[Finding]:
    wrong = [f"{state.job.name} {', '.join(state.problems)}" for state in punctuality.states(at=at) if state.problems]
    said = "; ".join(wrong) or "every job ran in its time"
    yield Finding(what="jobs", verdict=Verdict.FAIL if wrong else Verdict.OK, said=said)


def _latency(at: datetime) -> Iterable[Finding]:
    return doctor.examine("latency", at=at, since=7 * DAY)


def _week_of_errors(at: datetime) -> Iterable[Finding]:
    return doctor.examine("errors", at=at, since=7 * DAY)


def _check(at: datetime) -> Iterable[Finding]:
    return integrity.check()


def _optimize(at: datetime) -> Iterable[Finding]:
    return tidying.optimize(at=at)


def _plans(at: datetime) -> Iterable[Finding]:
    wrong = [plan.query.name for plan in plans.plans(at=at) if plan.scans]
    said = "; ".join(wrong) or "every hot query goes by an index"
    yield Finding(what="plans", verdict=Verdict.FAIL if wrong else Verdict.OK, said=said)


def _supplies(at: datetime) -> Iterable[Finding]:
    return [supplies.outdated(), supplies.audit()]


def _trail(at: datetime) -> Iterable[Finding]:
    faults = verify.verify().faults
    verdict = Verdict.FAIL if faults else Verdict.OK
    yield Finding(what="trail", verdict=verdict, said=f"{len(faults)} faults in all of it")


def _person(what: str, step: str) -> Look:
    """What only a person can judge."""
    return lambda at: [Finding(what=what, verdict=Verdict.UNKNOWN, said="a person's to judge", next_step=step)]


LISTS: Mapping[Kind, Mapping[str, Look]] = MappingProxyType(
    {
        Kind.DAILY: {
            "health": _health,
            "errors": _log,
            "violations": _violations,
            "disk": _disk,
            "processes": _processes,
        },
        Kind.WEEKLY: {
            "performance": _latency,
            "error patterns": _week_of_errors,
            "clean-up": _disk,
            "documents": _person("documents", "read what changed this week, in docs/ and the runbooks"),
        },
        Kind.MONTHLY: {
            "database": lambda at: [*_optimize(at), *_check(at), *_plans(at)],
            "dependencies": lambda at: [supplies.outdated()],
            "security": lambda at: [supplies.audit(), *_trail(at)],
            "load": _person("load test", "tests/performance/load_test.py against a copy, not the desk that trades"),
        },
        Kind.QUARTERLY: {
            "capacity": _person("capacity", "rows a day and room left: docs/operations.md"),
            "recovery": _person("drill", "manage.py dr drill"),
            "security": _person("review", "penetration test, users and rights in the admin, policies"),
            "architecture": _person("architecture", "manage.py doctor latency, db explain, profile chat"),
        },
    }
)

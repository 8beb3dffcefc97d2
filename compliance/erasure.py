"""A person's rights: what is known of them, given to them; and forgotten, as far as the law does not want it kept.

Each app registers what it holds of people (`contributor`); compliance knows no other app. Erasing destroys the keys of
the person's events, deletes what each contributor may delete, leaves a name without a person, and puts them on a list
apart from the business database, from which every restore is erased again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from compliance import audit, privacy, projection, queries, retention, subjects
from compliance.audit import Action
from compliance.models import ComplianceEvent, RetentionClass, timestamp
from compliance.subjects import Erased
from nextrade.errors import Refused


def _nothing_kept(user: User) -> datetime | None:
    return None


def _nothing_left(user: User) -> int:
    return 0


@dataclass(frozen=True, kw_only=True)
class Contributor:
    """What an app holds of a person.

    export: JSON-ready. erase: how many things went, in the caller's transaction; again: 0. kept_until: until when the
    law wants the rest kept. expire: lets that rest go. scrub: after the commit, sees to it that no byte is left behind.
    """

    name: str
    export: Callable[[User], Any]
    erase: Callable[[User], int] = _nothing_left
    kept_until: Callable[[User], datetime | None] = _nothing_kept
    expire: Callable[[User], int] = _nothing_left
    scrub: Callable[[], None] = lambda: None


_contributors: dict[str, Contributor] = {}


class UnderLegalHold(Refused):
    code = "legal_hold"


def contributor(made: Contributor) -> None:
    _contributors[made.name] = made


def export(user: User, *, by: str, at: datetime) -> dict[str, Any]:
    """All that is known of a person, JSON-ready. That it was given is an event."""
    with transaction.atomic():
        audit.record(Action.PERSONAL_DATA_EXPORTED, actor=by, on_behalf_of=audit.person(user), at=at)
    found = {each.name: each.export(user) for each in _contributors.values()}
    return {"person": audit.person(user), "at": timestamp(at), **found, "events": _events(audit.person(user))}


def erase(user: User, *, by: str, at: datetime) -> dict[str, int]:
    """Forget a person; how many things of each kind went. Again: what is left, which is nothing.

    Raises UnderLegalHold. A crash on the way is made good by `reapply`, since the list comes first.
    """
    pid = audit.person(user)
    if retention.is_held(pid):
        raise UnderLegalHold("there is a legal hold on this person, or on everything")
    until = max(filter(None, (each.kept_until(user) for each in _contributors.values())), default=None)
    erased = Erased(
        pid=pid,
        joined_at=timestamp(user.date_joined),
        erased_at=timestamp(at),
        kept_until=timestamp(until) if until else "",
    )
    subjects.list_erased(erased)
    return _erase(user, erased, by=by, at=at)


def reapply(*, at: datetime) -> list[str]:
    """After a restore: erase again whoever was erased before, by the list and by the trail; their ids."""
    listed = {each.pid: each for each in subjects.all_erased()}
    for event in ComplianceEvent.objects.filter(action=Action.PERSON_ERASED).order_by("id"):
        facts = event.details
        listed.setdefault(
            event.subject_pid,
            Erased(
                pid=event.subject_pid,
                joined_at=facts["joined_at"],
                erased_at=timestamp(event.ts_utc),
                kept_until=facts["kept_until"],
            ),
        )
    done = []
    for pid, erased in listed.items():
        user = User.objects.filter(pk=pid.removeprefix("user:")).first()
        if user is None or timestamp(user.date_joined) != erased.joined_at:
            continue
        is_gone = user.username == alias(user) and not any(subjects.key(pid, one) for one in _at_once(erased))
        if not is_gone:
            subjects.list_erased(erased)
            _erase(user, erased, by="system:restore", at=at)
            done.append(pid)
    return done


def finish(*, at: datetime) -> list[str]:
    """Let go what was kept of erased people by law, once its time is over; their ids."""
    gone = subjects.destroyed()
    done = []
    for erased in subjects.all_erased():
        is_over = bool(erased.kept_until) and subjects.moment(erased.kept_until) <= at
        if not is_over or (erased.pid, RetentionClass.TRANSACTION) in gone or retention.is_held(erased.pid):
            continue
        user = User.objects.filter(pk=erased.pid.removeprefix("user:")).first()
        with transaction.atomic():
            counts = {each.name: each.expire(user) for each in _contributors.values()} if user else {}
            details = {"deleted": {name: count for name, count in counts.items() if count}}
            audit.record(
                Action.PERSON_KEYS_DESTROYED, actor="system:retention", on_behalf_of=erased.pid, at=at, details=details
            )
        subjects.destroy(erased.pid, subjects.every_class(), at=at)
        done.append(erased.pid)
    return done


def alias(user: User) -> str:
    """The name of whoever is forgotten."""
    return f"erased-{user.pk}"


def _at_once(erased: Erased) -> list[str]:
    """The classes whose keys are destroyed at once: all, but the one that the law wants kept."""
    kept = {str(RetentionClass.TRANSACTION)} if erased.kept_until else set()
    return [one for one in subjects.every_class() if one not in kept]


def _erase(user: User, erased: Erased, *, by: str, at: datetime) -> dict[str, int]:
    with transaction.atomic():
        counts = {each.name: each.erase(user) for each in reversed(_contributors.values())}
        details: Mapping[str, Any] = {
            "deleted": counts,
            "kept_until": erased.kept_until,
            "joined_at": erased.joined_at,
        }
        audit.record(Action.PERSON_ERASED, actor=by, on_behalf_of=erased.pid, at=at, details=details)
    subjects.destroy(erased.pid, _at_once(erased), at=at)
    for each in _contributors.values():
        each.scrub()
    projection.username.cache_clear()
    projection.rebuild()
    return counts


def _events(pid: str) -> list[dict[str, Any]]:
    return [{**event.facts(), "details": privacy.told(event)} for event in queries.of_person(pid).order_by("id")]

"""Finding events without looking at all of them: whole values by their indexes, other words among the newest."""

from collections.abc import Iterator

from django.contrib.auth import get_user_model
from django.db.models import Max, Q, QuerySet, TextField
from django.db.models.functions import Cast

from compliance.lists import by_id
from compliance.models import ComplianceEvent

MOST = 1_000
"""So many of the newest that fit are shown."""
WORDS_IN = 50_000
"""Words are looked for in the details of so many events, the newest: no index serves them."""


def find(events: QuerySet[ComplianceEvent], term: str) -> QuerySet[ComplianceEvent]:
    """Of some events the newest that are about a term: a person, an order or thread by its id or the id's start, a
    request, an action, an event's number; else those with the words in their details.

    Each way is asked by itself for its newest few, as one question of them all would read what each index has.
    """
    ways = list(_ways(term))
    keys = {key for way in ways for key in events.filter(way).order_by("-id").values_list("pk", flat=True)[:MOST]}
    if not keys and len(term) > 2:
        keys = set(_with_words(events, term))
    return events.filter(pk__in=sorted(keys, reverse=True)[:MOST])


def _ways(term: str) -> Iterator[Q]:
    if term.lstrip("#").isdigit() and len(term) < 19:
        yield Q(pk=int(term.lstrip("#")))
    for field in ("order_id", "thread_id"):
        about = by_id(field, term)
        if about is not None:
            yield about
    yield Q(request_id=term) & ~Q(request_id="")  # said again, or SQLite does not take the index, which is of those
    yield Q(action=term.lower().replace(" ", "_"))
    people = get_user_model().objects.filter(username__iexact=term).values_list("pk", flat=True)
    for pid in (term, *(f"user:{key}" for key in people)):
        if ":" in pid:
            yield Q(actor_pid=pid)
            yield Q(subject_pid=pid)


def _with_words(events: QuerySet[ComplianceEvent], term: str) -> Iterator[int]:
    newest = ComplianceEvent.objects.aggregate(newest=Max("pk"))["newest"] or 0
    recent = events.filter(pk__gt=newest - WORDS_IN).annotate(told=Cast("details", TextField()))
    yield from recent.filter(told__icontains=term).order_by("-id").values_list("pk", flat=True)[:MOST]

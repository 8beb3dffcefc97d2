"""How long lists are paged and searched, so that none counts its rows and none looks at all of them."""

import re
import uuid
from functools import lru_cache
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.core.paginator import Page
from django.db.models import Model, Q
from django.urls import reverse
from unfold import paginator
from unfold.views import ChangeList

ID_START = re.compile(r"[0-9a-fA-F]{8}[0-9a-fA-F-]{0,28}")
AFTER, BEFORE = "after", "before"
LAST_PAGE = 2_000
"""Further back a list is narrowed down, by a filter or a search, and not leafed through."""


@lru_cache(maxsize=2_048)
def _known(route: str, value: str) -> str:
    return reverse(route, args=[value])


def address(route: str, value: object) -> str:
    """`reverse` with one argument, for the cells of a list: each of them asked anew is a quarter of a page's time.

    A number or a UUID takes the place of another; other values are remembered.
    """
    if not isinstance(value, int | uuid.UUID):
        return _known(route, str(value))
    sample = "0" * 12 if isinstance(value, int) else str(uuid.UUID(int=0))
    return _known(route, sample).replace(sample, str(value))


class LongList(ChangeList):  # type: ignore[misc]
    """A list whose pages are found by the key of the row at their edge, which the address carries beside the number."""

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        for name in (AFTER, BEFORE):
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        found: dict[str, Any] = super().get_filters_params(params)
        return found

    def url_for_result(self, result: Model) -> str:
        if not isinstance(result.pk, int | uuid.UUID):
            return str(super().url_for_result(result))
        return address(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", result.pk)


class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]
    """unfold's, which counts nothing and which its templates know by this name; with a last page.

    after, before: the key of the row that the page begins after or ends before, "" where only its number is known.
    """

    template_name = "admin/pages.html"

    def __init__(self, object_list: Any, per_page: int, *, after: str = "", before: str = "") -> None:
        super().__init__(object_list, per_page)
        self.after, self.before = after, before

    @property
    def count(self) -> int:
        return LAST_PAGE * int(self.per_page)

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        return self._get_page(self.rows(start, start + self.per_page), number, self)  # type: ignore[no-any-return]

    def rows(self, start: int, end: int) -> Any:
        """A slice of the list."""
        found = self.at_edge(self.object_list, end - start) if start else None
        return sliced(self.object_list, start, end) if found is None else found

    def at_edge(self, queryset: Any, count: int) -> list[Any] | None:
        """So many rows beside the edge; None where it is not known, not in the list, or near the list's start."""
        if self.after:
            return beside(queryset, self.after, count)
        found = beside(queryset, self.before, count, is_back=True) if self.before else None
        return found if found and len(found) == count else None


def beside(queryset: Any, key: str, count: int, *, is_back: bool = False) -> list[Any] | None:
    """The rows after one with this key, or before it, in the list's order and by its index, so that nothing is skipped
    row by row. None where the row is not in the list, or the list is not in order of one column and then its key."""
    order = list(dict.fromkeys(name.lstrip("-") for name in queryset.query.order_by))
    is_falling = queryset.query.order_by[0].startswith("-") if order else False
    if order[1:] not in ([], ["pk"], [queryset.model._meta.pk.name]) or "__" in "".join(order):
        return None
    try:
        edge = queryset.filter(pk=key).values_list(order[0], "pk").first()
    except (ValueError, ValidationError):
        return None
    if edge is None:
        return None
    below = is_falling != is_back
    side = queryset.filter(**{f"{order[0]}__{'lte' if below else 'gte'}": edge[0]})
    side = side.exclude(**{order[0]: edge[0], f"pk__{'gte' if below else 'lte'}": edge[1]})
    return list(side.reverse()[:count])[::-1] if is_back else list(side[:count])


def sliced(queryset: Any, start: int, end: int) -> Any:
    """A slice of a queryset; far from its start, keys first and then their rows: what is skipped is not read."""
    if start == 0:
        return queryset[:end]
    keys = list(queryset.values_list("pk", flat=True)[start:end])
    return queryset.filter(pk__in=keys) if keys else queryset.none()


def by_id(field: str, term: str) -> Q | None:
    """A UUID column equal to a term, or between the first and last that begin with it; None where it is no id.

    A range, since LIKE on a UUID reads all of them.
    """
    digits = term.replace("-", "").lower()
    if not ID_START.fullmatch(term) or len(digits) > 32:
        return None
    first, last = uuid.UUID(digits.ljust(32, "0")), uuid.UUID(digits.ljust(32, "f"))
    return Q(**{field: first}) if first == last else Q(**{f"{field}__gte": first, f"{field}__lte": last})


class RecentValuesFilter(admin.AllValuesFieldListFilter):
    """A filter by a column's values, as the newest rows have them: asking for all of them would read the table."""

    newest = 2_000

    def __init__(self, field: Any, request: Any, params: Any, model: Any, model_admin: Any, field_path: str) -> None:
        super().__init__(field, request, params, model, model_admin, field_path)
        seen = model._default_manager.order_by("-pk").values_list(field_path, flat=True)[: self.newest]
        self.lookup_choices = sorted(set(seen))  # type: ignore[assignment]

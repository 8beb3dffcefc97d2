"""How long lists are paged and searched, so that none counts its rows and none looks at all of them."""

import re
import uuid
from typing import Any

from django.contrib import admin
from django.core.paginator import Page
from django.db.models import Q
from unfold import paginator

ID_START = re.compile(r"[0-9a-fA-F]{8}[0-9a-fA-F-]{0,28}")
LAST_PAGE = 2_000
"""Further back a list is narrowed down, by a filter or a search, and not leafed through."""


class InfinitePaginator(paginator.InfinitePaginator):  # type: ignore[misc]
    """unfold's, which counts nothing and which its templates know by this name; with a last page.

    Far pages are found by their keys alone, so that what is skipped is not read.
    """

    template_name = "admin/pages.html"

    @property
    def count(self) -> int:
        return LAST_PAGE * int(self.per_page)

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        start = (number - 1) * self.per_page
        return self._get_page(self.rows(start, start + self.per_page), number, self)  # type: ignore[no-any-return]

    def rows(self, start: int, end: int) -> Any:
        """A slice of the list."""
        return sliced(self.object_list, start, end)


def sliced(queryset: Any, start: int, end: int) -> Any:
    """A slice of a queryset; far from its start, keys first and then their rows."""
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

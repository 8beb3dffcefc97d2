"""The table of an admin list.

Context: unfold's own looks up each column's header again for every row, renders a template for each badge and tick box
and gives every cell some thirty classes: most of a list's time, in the process and in the browser. Choice: the same
table, cells by plain Python, columns looked at once. Cost: what no list here uses (rows that are edited, unfold's
sections and actions of a row) is left out; a list that is edited gets unfold's table (`admin/change_list.html`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.templatetags.admin_urls import add_preserved_filters
from django.contrib.admin.utils import label_for_field, lookup_field
from django.contrib.admin.views.main import PAGE_VAR
from django.db.models import ForeignKey, Model
from django.template import Library
from django.urls import NoReverseMatch
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import SafeString, mark_safe
from unfold.templatetags.unfold_list import result_headers
from unfold.utils import display_for_field, display_for_value

from compliance.lists import AFTER, BEFORE

register = Library()

TICK = "action_checkbox"
Cell = Callable[[Any], str]


@dataclass(frozen=True, kw_only=True)
class Column:
    """label: escaped. cell: what stands in a row, escaped where it has to be. is_link: it leads to the row's page."""

    label: str
    cell: Cell
    is_link: bool


@register.inclusion_tag("admin/rows.html")
def rows(cl: Any) -> dict[str, Any]:
    headers = list(result_headers(cl))
    return {"cl": cl, "result_headers": headers, "rows": _rows(cl), "num_sorted_fields": _sorted(headers)}


@register.simple_tag
def leaf(cl: Any, step: int) -> str:
    """The address of the next page (1) or the one before (-1), by its number and by the row at the edge of this one."""
    edge = list(cl.result_list)[-1:] if step > 0 else list(cl.result_list)[:1]
    keys = {AFTER if step > 0 else BEFORE: row.pk for row in edge}
    return str(cl.get_query_string({PAGE_VAR: cl.page_num + step, **keys}))


def badge(text: object, colour: str = "") -> SafeString:
    return format_html('<span class="nx-badge nx-{}">{}</span>', colour or "none", text)


def _sorted(headers: list[dict[str, Any]]) -> int:
    return sum(bool(header["sortable"] and header["sorted"]) for header in headers)


def _rows(cl: Any) -> SafeString:
    found = list(cl.result_list)
    if not found:
        return SafeString("")
    columns = list(_columns(cl, found[0]))
    address = _address(cl, found[0])
    return mark_safe("".join(_row(columns, row, address) for row in found))  # noqa: S308 - each cell is escaped


def _row(columns: list[Column], row: Model, address: Callable[[Any], str]) -> str:
    cells = "".join(_cell(column, row, address) for column in columns)
    return f'<tr class="data-row">{cells}</tr>'


def _cell(column: Column, row: Model, address: Callable[[Any], str]) -> str:
    shown = column.cell(row)
    if column.is_link and (url := address(row)):
        return f'<th scope="row" data-label="{column.label}"><a href="{escape(url)}">{shown}</a></th>'
    return f'<td data-label="{column.label}">{shown}</td>'


def _columns(cl: Any, sample: Model) -> Iterator[Column]:
    admin = cl.model_admin
    links = cl.list_display_links
    for name in cl.list_display:
        if name == TICK:
            yield Column(label="", cell=_tick, is_link=False)
            continue
        label = str(label_for_field(name, cl.model, model_admin=admin))
        is_link = links is not None and (name in links if links else name == _first(cl))
        yield Column(label=escape(label), cell=_shown(name, sample, admin), is_link=is_link)


def _first(cl: Any) -> object:
    return next(name for name in cl.list_display if name != TICK)


def _tick(row: Model) -> str:
    return format_html(
        '<input type="checkbox" class="action-select nx-tick" name="{}" value="{}" aria-label="Select this row">',
        ACTION_CHECKBOX_NAME,
        row.pk,
    )


def _shown(name: Any, sample: Model, admin: Any) -> Cell:
    """How a column's values are read and shown, as Django's `lookup_field` finds them for the first row."""
    field, attribute, _ = lookup_field(name, sample, admin)
    empty = getattr(attribute, "empty_value_display", admin.get_empty_value_display())
    if isinstance(field, ForeignKey):
        return lambda row: conditional_escape(empty if (other := getattr(row, field.name)) is None else other)
    if field is not None:
        return lambda row: conditional_escape(display_for_field(getattr(row, field.name), field, empty))
    read = attribute if callable(attribute) and (callable(name) or hasattr(admin, name)) else _of_model(name)
    label = getattr(attribute, "label", None)
    if label:
        return lambda row: _labelled(read(row), label, empty)
    is_boolean = getattr(attribute, "boolean", False)
    return lambda row: conditional_escape(display_for_value(read(row), empty, is_boolean))


def _of_model(name: str) -> Callable[[Model], Any]:
    def read(row: Model) -> Any:
        value = getattr(row, name)
        return value() if callable(value) else value

    return read


def _labelled(value: Any, label: Any, empty: str) -> str:
    """A badge, or several of a list; its colour by the value, or by the first of a pair whose second is shown."""
    if isinstance(value, tuple):
        value, colour = value[1], label.get(value[0], "")
    else:
        colour = label.get(value, "") if isinstance(label, dict) and not isinstance(value, list) else ""
    shown = value if isinstance(value, list) else [value] if value else []
    return " ".join(badge(each, colour) for each in shown) or conditional_escape(empty)


def _address(cl: Any, sample: Model) -> Callable[[Any], str]:
    """Where rows lead to, "" where they lead nowhere. What comes after the path is the same for all of a list."""
    try:
        plain = cl.url_for_result(sample)
    except NoReverseMatch:
        return lambda row: ""
    kept = add_preserved_filters({"preserved_filters": cl.preserved_filters, "opts": cl.opts}, plain)
    query = kept.removeprefix(plain)
    return lambda row: f"{cl.url_for_result(row)}{query}"

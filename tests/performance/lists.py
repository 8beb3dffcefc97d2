"""S7 and S8: lists of the admin and of the API on a big past, and stock ModelAdmins on the same rows in the same run.

    python -m tests.performance.lists [--database sqlite|postgres://…] [--events 100000 1000000] [--orders 200000]

Ours is a whole page over Django's test client, middleware and template included; the stock one is its ChangeList alone,
its queries without any page. Goals: 200 ms a page of the admin without COUNT(*) over a table and without growth; 50 ms
a page of the API in as many queries whatever the size.
"""

import argparse
import html
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.campaigns import ground

ROUNDS = 5
BIG = ("compliance_complianceevent", "orders_order", "orders_execution", "agents_modelcall")
SLOW_S = 3.0
"""What takes longer is measured once."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """name, and what is asked for: a page of ours, the same of a stock ModelAdmin, or of the API."""

    name: str
    ask: Callable[[], object]
    goal_ms: int


def measure(*, events: int, orders: int, is_stock: bool) -> dict[str, dict[str, float]]:
    """Of each case the median in milliseconds, by the clock and of this process's processor time (SQLite's work
    included, PostgreSQL's not), the number of queries, and of whole-table counts among them."""
    from django.db import connection

    from tests.performance import filling

    start = time.perf_counter()
    filling.hurry()
    filling.fill(events=events, orders=orders)
    connection.close()  # the lists are asked on one that guards and caches as the product's do
    print(f"filled in {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return {case.name: timed(case) for case in [*cases(), *(stock() if is_stock else ())]}


def timed(case: Case) -> dict[str, float]:
    queries = asked(case)
    took: list[float] = []
    spent: list[float] = []
    while len(took) < ROUNDS and sum(took) < SLOW_S * 1000:
        start, used = time.perf_counter(), time.process_time()
        case.ask()
        took.append((time.perf_counter() - start) * 1000)
        spent.append((time.process_time() - used) * 1000)
    return {"ms": round(statistics.median(took), 1), "cpu_ms": round(statistics.median(spent), 1), **queries}


def asked(case: Case) -> dict[str, float]:
    """How many queries it takes, and how many of them count one of the big tables whole."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as seen:
        case.ask()
    all_of_it = [query["sql"] for query in seen if "COUNT(*)" in query["sql"] and "WHERE" not in query["sql"]]
    counts = sum(any(f'FROM "{table}"' in sql for table in BIG) for sql in all_of_it)
    return {"queries": len(seen), "table_counts": counts}


def cases() -> Iterator[Case]:
    from compliance.models import ComplianceEvent
    from orders.models import Order

    auditor, trader = _staff(), _trader()
    order_id = Order.objects.order_by("created_at")[Order.objects.count() // 2].pk
    first = ComplianceEvent.objects.order_by("id").values_list("order_id", flat=True).first()
    trail, queue = "/admin/compliance/complianceevent/", "/admin/orders/order/"
    for name, path in (
        ("events, first page", trail),
        ("events, by type", f"{trail}?type__exact=SAFETY_VIOLATION"),
        ("events, refused", f"{trail}?outcome__exact=refused"),
        ("events, by order id", f"{trail}?q={first}"),
        ("events, by id's start", f"{trail}?q={str(first)[:8]}"),
        ("events, by person", f"{trail}?q=trader7"),
        ("events, by request", f"{trail}?q=req-4711"),
        ("events, by words", f"{trail}?q=nothing has these words"),
        ("events, page 1,000", _older(auditor, trail)),
        ("events, page 1,000 by its number", f"{trail}?p=1000"),
        ("events, a person's timeline", f"{trail}person/user:{_id('trader7')}/"),
        ("orders, first page", queue),
        ("orders, by status", f"{queue}?status__exact=filled"),
        ("orders, mine to decide", f"{queue}?mine=decide"),
        ("orders, by id", f"{queue}?q={order_id}"),
        ("orders, by symbol", f"{queue}?q=KO"),
        ("orders, by maker", f"{queue}?q=trader7"),
        ("orders, page 1,000", _older(auditor, queue)),
        ("orders, page 1,000 by its number", f"{queue}?p=1000"),
        ("executions, first page", "/admin/orders/execution/"),
        ("executions, page 1,000", _older(auditor, "/admin/orders/execution/")),
        ("model calls, first page", "/admin/agents/modelcall/"),
        ("model calls, page 1,000", _older(auditor, "/admin/agents/modelcall/")),
        ("home", "/admin/"),
    ):
        yield Case(name=name, ask=_got(auditor, path), goal_ms=200)
    for name, web, path in (
        ("API events", auditor, "compliance/events/"),
        ("API events by type", auditor, "compliance/events/?type=SAFETY_VIOLATION"),
        ("API events by person", auditor, "compliance/events/?user=trader7"),
        ("API orders, all", auditor, "orders/"),
        ("API orders by status", auditor, "orders/?status=filled"),
        ("API orders, own", trader, "orders/"),
        ("API orders, own by symbol", trader, "orders/?symbol=KO"),
        ("API executions, own", trader, "executions/"),
        ("API approvals", auditor, "approvals/"),
    ):
        yield Case(name=name, ask=_got(web, f"/api/v1/{path}"), goal_ms=50)


def stock() -> Iterator[Case]:
    """Django's own ModelAdmin with the same columns, filters and search fields."""
    from django.contrib.admin import AdminSite, ModelAdmin
    from django.contrib.auth.models import User
    from django.test import RequestFactory

    from compliance.models import ComplianceEvent
    from orders.models import Order

    class Events(ModelAdmin):  # type: ignore[type-arg]
        list_display = ("ts_utc", "type", "action", "actor_pid", "order_id")
        list_filter = ("type", "severity", "outcome", "ts_utc")
        search_fields = ("actor_pid", "subject_pid", "order_id", "request_id", "action")
        ordering = ("-id",)
        list_per_page = 50

    class Orders(ModelAdmin):  # type: ignore[type-arg]
        list_display = ("id", "created_at", "maker", "symbol", "status")
        list_filter = ("status", "side", "is_tainted")
        list_select_related = ("maker",)
        search_fields = ("symbol", "id", "client_order_id", "maker__username")
        ordering = ("-created_at",)
        list_per_page = 50

    site, chief = AdminSite(), User.objects.get(username="chief")
    term = Order.objects.order_by("created_at").values_list("pk", flat=True).first()
    for name, admin, query in (
        ("stock events, first page", Events(ComplianceEvent, site), ""),
        ("stock events, by type", Events(ComplianceEvent, site), "type__exact=SAFETY_VIOLATION"),
        ("stock events, by order id", Events(ComplianceEvent, site), f"q={term}"),
        ("stock events, page 1,000", Events(ComplianceEvent, site), "p=1000"),
        ("stock orders, first page", Orders(Order, site), ""),
        ("stock orders, by status", Orders(Order, site), "status__exact=filled"),
        ("stock orders, by id", Orders(Order, site), f"q={term}"),
        ("stock orders, page 1,000", Orders(Order, site), "p=1000"),
    ):

        def ask(admin: Any = admin, query: str = query) -> None:
            request = RequestFactory().get(f"/?{query}")
            request.user = chief
            list(admin.get_changelist_instance(request).result_list)

        yield Case(name=name, ask=ask, goal_ms=0)


def _staff() -> Any:
    """A client, by session and token, of somebody who may see everything."""
    from django.contrib.auth.models import User

    return _client(User.objects.filter(username="chief").first() or User.objects.create_superuser("chief"))


def _trader() -> Any:
    from django.contrib.auth.models import Group, User

    user = User.objects.get(username="trader7")
    user.groups.add(Group.objects.get(name="Traders"))
    return _client(user)


def _client(user: Any) -> Any:
    from django.test import Client
    from knox.models import get_token_model

    _, token = get_token_model().objects.create(user=user)
    web = Client(headers={"Authorization": f"Bearer {token}"}, SERVER_NAME="localhost")
    web.force_login(user)
    return web


def _id(username: str) -> int:
    from django.contrib.auth.models import User

    return User.objects.get(username=username).pk


def _older(web: Any, path: str) -> str:
    """Page 1,000 as a person comes to it: by the link of the page before. Where that is the last, itself."""
    page = web.get(f"{path}?p=999").content.decode()
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return path + html.unescape(found[1]) if found else f"{path}?p=1000"


def _got(web: Any, path: str) -> Callable[[], object]:
    def ask() -> object:
        answer = web.get(path)
        if answer.status_code != 200:
            raise AssertionError(f"{path}: {answer.status_code}")
        return answer

    return ask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", default="sqlite")
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--orders", type=int, default=200_000)
    given = parser.parse_args()
    os.environ["NEXTRADE_REQUIRE_2FA"] = "no"
    os.environ["NEXTRADE_RATE_LIMIT"] = "1000000/min"
    for events in given.events:
        pid = os.fork()  # each size on a database and a Django of its own
        if pid == 0:
            with ground.prepare(given.database):
                found = measure(events=events, orders=min(given.orders, events), is_stock=True)
                sys.stdout.write(json.dumps({"events": events, "load": os.getloadavg()[0], "cases": found}) + "\n")
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            sys.exit(1)


if __name__ == "__main__":
    main()

"""Who may do what: one table over every route of the URL conf. A new route without a row fails here.

The people: nobody; the owner of the objects (a trader); another trader; an approver; compliance; staff without a right.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from compliance.models import ComplianceEvent
from orders.models import Order, Status
from tests.agents.test_chat import client
from tests.conftest import Propose

METHODS = ("get", "post", "put", "patch", "delete")
PEOPLE = ("nobody", "owner", "other", "approver", "compliance", "clerk")
API = "api/v1/"
OPEN = (200,) * 6
WHO = (401, 200, 200, 200, 200, 200)
DESK = (401, 200, 200, 403, 403, 403)
HIDDEN = (401, 404, 404, 403, 403, 403)

# route: {method: status for each of PEOPLE}; a method that is not named is 405 (401 for nobody)
TABLE: dict[str, dict[str, tuple[int, ...]]] = {
    "ht/": {"get": OPEN},
    "ht/<slug:component>/": {"get": OPEN},
    "health": {"get": OPEN},
    "docs": {"get": OPEN},
    f"{API}docs/": {"get": OPEN},
    f"{API}schema/": {"get": OPEN},
    f"{API}auth/token/": {"post": (422,) * 6},
    f"{API}auth/tokens/": {"get": WHO},
    f"{API}auth/tokens/<slug:token_id>/": {"delete": (401, *(404,) * 5)},
    f"{API}auth/logout/": {"post": (401, *(204,) * 5)},
    "chat": {"post": (401, 422, 422, 403, 403, 403)},
    f"{API}chat/": {"post": (401, 422, 422, 403, 403, 403)},
    f"{API}chat/stream/": {"post": (401, 422, 422, 403, 403, 403)},
    f"{API}chat/stream/<uuid:pk>/": {"get": HIDDEN},
    f"{API}chat/turns/<uuid:pk>/": {"get": HIDDEN},
    f"{API}usage/": {"get": DESK},
    f"{API}threads/": {"get": DESK},
    f"{API}threads/<uuid:pk>/": {"get": HIDDEN, "delete": HIDDEN},
    f"{API}orders/": {"get": WHO},
    f"{API}orders/<uuid:pk>/": {"get": (401, 200, 404, 200, 200, 404)},
    f"{API}orders/<uuid:pk>/cancel/": {"post": (401, 200, 404, 404, 404, 404)},
    f"{API}approvals/": {"get": (401, 403, 403, 200, 403, 403)},
    f"{API}approvals/<uuid:order_id>/": {"post": (401, 422, 422, 422, 422, 422)},
    f"{API}portfolio/": {"get": (401, 200, 200, 404, 404, 404)},
    f"{API}executions/": {"get": WHO},
    f"{API}compliance/events/": {"get": (401, 403, 403, 403, 200, 403)},
    f"{API}compliance/events/<int:pk>/proof/": {"get": (401, 403, 403, 403, 200, 403)},
}
WEB = {  # the desk's pages, for the session of a person who may use the desk
    "",
    "oidc/authenticate/",
    "oidc/callback/",
    "login/",
    "logout/",
    "side/",
    "say/",
    "say/stream/",
    "threads/",
    "threads/<uuid:thread_id>/",
    "threads/<uuid:thread_id>/news/",
    "portfolio/",
    "orders/",
    "orders/<uuid:order_id>/",
    "orders/<uuid:order_id>/card/",
    "orders/<uuid:order_id>/cancel/",
    "executions/",
    "executions.csv",
    "report/",
    "report/<str:week>/",
}
ELSEWHERE = {"health/live", "health/ready", "metrics"}  # tests of their own, in test_ops


def routes() -> Iterator[tuple[str, Any]]:
    def walk(resolver: URLResolver, before: str) -> Iterator[tuple[str, Any]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, before + str(pattern.pattern))
            elif isinstance(pattern, URLPattern):
                yield before + str(pattern.pattern), pattern.callback

    yield from walk(get_resolver(), "")


def test_every_route_has_its_row_and_every_row_its_route() -> None:
    found = {route for route, _ in routes() if not route.startswith("admin/")}
    assert found - ELSEWHERE - WEB - set(TABLE) == set()
    assert set(TABLE) - found == set()


@pytest.fixture
def people(ann: User, ben: User, bob: User, carol: User) -> dict[str, Client]:
    clerk = User.objects.create_user("clerk", "clerk@nextrade.example", "secret", is_staff=True)
    known = {"owner": ann, "other": ben, "approver": bob, "compliance": carol, "clerk": clerk}
    return {"nobody": Client(), **{name: client(user) for name, user in known.items()}}


@pytest.mark.django_db
@pytest.mark.parametrize("person", PEOPLE)
@pytest.mark.parametrize("route", sorted(TABLE))
def test_each_person_may_do_what_the_table_says(
    people: dict[str, Client], propose: Propose, route: str, person: str
) -> None:
    order = propose()
    path = "/" + route.replace("<uuid:pk>", str(order.pk)).replace("<uuid:order_id>", str(order.pk)).replace(
        "<slug:token_id>", "0" * 16
    ).replace("<int:pk>", str(ComplianceEvent.objects.latest("id").pk)).replace("<slug:component>", "api")
    for method in METHODS:
        reply = getattr(people[person], method)(path, {} if method == "get" else "{}", content_type="application/json")
        if method in TABLE[route]:
            assert reply.status_code == TABLE[route][method][PEOPLE.index(person)], (method, reply.content)
        else:
            assert reply.status_code in (401, 403, 405), (method, reply.status_code)
        if person in ("nobody", "other", "clerk") and "orders" in route:
            assert str(order.client_order_id) not in reply.content.decode()
    assert Order.objects.get().status in {Status.PENDING_APPROVAL, Status.WITHDRAWN}


@pytest.mark.django_db
def test_the_desk_s_pages_tell_nothing_to_nobody_and_nothing_of_another_person(propose: Propose, ben: User) -> None:
    order = propose()
    clerk = User.objects.create_user("clerk", "clerk@nextrade.example", "secret", is_staff=True)
    webs = {"nobody": Client(), "other": Client(), "clerk": Client()}
    webs["other"].force_login(ben)
    webs["clerk"].force_login(clerk)
    for route in WEB - {"", "login/", "logout/"}:
        path = "/" + route.replace("<uuid:order_id>", str(order.pk)).replace("<uuid:thread_id>", str(order.pk))
        for name, web in webs.items():
            for method in ("get", "post"):
                reply = getattr(web, method)(path)
                assert reply.status_code < 500
                if name != "other" or "<uuid" in route:
                    assert reply.status_code in (302, 401, 403, 404, 405), (name, method, path)
    order.refresh_from_db()
    assert order.status == Status.PENDING_APPROVAL


def admin_paths() -> list[str]:
    """Every page of the admin, with an id where it takes one."""
    found = set()
    for route, _ in routes():
        if route.startswith("admin/") and "(?P" not in route:
            path = "/" + route
            for kind in ("path", "uuid", "int", "str", "slug"):
                while f"<{kind}:" in path:
                    start = path.index(f"<{kind}:")
                    filler = "8b2c5d0e-0000-4000-8000-000000000000" if kind == "uuid" else "1"
                    path = path[:start] + filler + path[path.index(">", start) + 1 :]
            found.add(path)
    return sorted(found)


ANYBODY = {"/admin/login/", "/admin/logout/", "/admin/jsi18n/"}


@pytest.mark.django_db
def test_no_page_of_the_admin_is_for_who_is_not_logged_in_or_not_staff(ann: User) -> None:
    trader = Client()
    trader.force_login(ann)
    paths = [path for path in admin_paths() if path not in ANYBODY and path != "/admin/second-factor/"]
    assert len(paths) > 100
    for web in (Client(), trader):
        for method in ("get", "post"):
            told = {path: getattr(web, method)(path).status_code for path in paths}
            assert {path: status for path, status in told.items() if status not in (301, 302, 403, 404, 405)} == {}


@pytest.mark.django_db
def test_staff_without_a_right_see_no_model(db: None) -> None:
    clerk = User.objects.create_user("clerk", "clerk@nextrade.example", "secret", is_staff=True)
    web = Client()
    web.force_login(clerk)
    pages = [path for path in admin_paths() if path.count("/") == 4 and path not in ANYBODY]
    told = {path: web.get(path).status_code for path in pages}
    open_to_staff = {"/admin/", "/admin/password_change/", "/admin/password_change/done/", "/admin/autocomplete/"}
    assert {path: status for path, status in told.items() if status == 200 and path not in open_to_staff} == {}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["bob", "carol", "olga"])
def test_no_list_of_the_admin_is_an_oracle_for_passwords(
    request: pytest.FixtureRequest, approved: Order, name: str
) -> None:
    """By the address' filters, over every relation that leads to a person; superusers get no answer either."""
    web = Client()
    web.force_login(request.getfixturevalue(name))
    asked = 0
    for model in site._registry:
        page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if web.get(page).status_code != 200:
            continue
        ways = [""] if model is User else []
        for field in model._meta.get_fields():
            if field.related_model is User:
                ways.append(f"{field.name}__")
            elif field.is_relation and field.related_model is not None:
                onward = field.related_model._meta.get_fields()
                ways += [f"{field.name}__{far.name}__" for far in onward if far.related_model is User]
        for way in ways:
            for question in (f"{way}password__startswith=md5", f"{way}password__startswith=zzz"):
                asked += 1
                reply = web.get(f"{page}?{question}")
                assert reply.status_code == 400 or (reply.status_code, reply["Location"]) == (302, f"{page}?e=1"), (
                    page,
                    question,
                )
        assert model is not User or web.get(f"{page}?_to_field=password").status_code == 400
        assert web.get(f"{page}?o=99.-99.x").status_code == 200
    assert asked > 3

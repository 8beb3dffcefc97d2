"""Every failure of a page is told in one style, with the request's id, and by what is not broken itself."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError
from django.test import Client, override_settings
from django.urls import path

from nextrade import error_pages, lockout
from nextrade.errors import Exhausted, Refused
from nextrade.urls import handler400, handler403, handler404, handler500
from nextrade.urls import urlpatterns as real

FAILURES = {
    400: SuspiciousOperation("x"),
    403: PermissionDenied("x"),
    409: Refused("<b>the order</b> has moved"),
    429: Exhausted("that was often", wait_s=7),
    500: RuntimeError("secret of the house"),
    503: OperationalError("password=hunter2"),
}
__all__ = ("handler400", "handler403", "handler404", "handler500")


def _fail(request: Any, status: int) -> Any:
    raise FAILURES[status]


urlpatterns = [*real, path("fail/<int:status>/", _fail), path("api/v1/fail/<int:status>/", _fail)]


@pytest.fixture
def web() -> Client:
    return Client(raise_request_exception=False)


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("status", [*FAILURES, 404])
def test_a_page_says_what_happened_and_what_to_quote(web: Client, status: int) -> None:
    reply = web.get(f"/fail/{status}/" if status != 404 else "/nowhere/", headers={"X-Request-ID": "seen-by-me"})
    page = reply.content.decode()
    assert reply.status_code == status
    assert f'<p class="code">{status}</p>' in page
    assert "seen-by-me" in page
    assert "hunter2" not in page
    assert "secret" not in page
    assert "<b>the order" not in page
    assert "no-store" in reply["Cache-Control"]
    assert (reply.get("Retry-After", "")) == {429: "7", 503: "30"}.get(status, "")


@override_settings(ROOT_URLCONF=__name__)
@pytest.mark.parametrize("status", [*FAILURES, 404])
def test_the_api_never_answers_with_a_page(web: Client, status: int) -> None:
    reply = web.get(f"/api/v1/fail/{status}/" if status != 404 else "/api/v1/nowhere/")
    assert reply.status_code == status
    assert set(reply.json()) == {"code", "message", "request_id"}


@pytest.mark.django_db
def test_a_form_of_an_earlier_session_is_told_in_words(ann: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    reply = strict.post("/login/", {"username": "ann", "password": "secret"})
    assert reply.status_code == 403
    assert "open too long" in reply.content.decode()


@pytest.mark.django_db
def test_a_locked_name_is_told_for_how_long(web: Client, ann: User) -> None:
    for _ in range(lockout.TRIES):
        assert web.post("/login/", {"username": "ann", "password": "wrong"}).status_code == 200
    reply = web.post("/login/", {"username": "ann", "password": "secret"})
    assert reply.status_code == 429
    assert "15 minutes" in reply.content.decode()
    assert int(reply["Retry-After"]) > 800


def test_the_page_needs_no_database(rf: Any) -> None:
    request = rf.get("/")
    request.META["nextrade.request_id"] = "r1"
    assert b"r1" in error_pages.server_error(request).content

"""What browsers are told, what bodies are refused, and that a password cannot be guessed."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client, RequestFactory
from django.test.client import MULTIPART_CONTENT as MULTIPART
from rest_framework.authentication import SessionAuthentication
from rest_framework.views import APIView

from nextrade import addresses, lockout
from nextrade.api import BearerAuthentication, RateLimit
from nextrade.parsers import MAX_DEPTH
from tests.agents.test_chat import client
from tests.nextrade.test_authority import routes

ROOT = Path(__file__).resolve().parent.parent.parent
JSON = "application/json"
TOKEN = "/api/v1/auth/token/"
PUBLIC = [
    "/",
    "/admin/login/",
    "/docs",
    "/api/v1/docs/",
    "/api/v1/orders/",
    "/health",
    "/health/live",
    "/ht/",
    "/nowhere",
]


def policy(reply: object) -> dict[str, str]:
    header = reply.headers["Content-Security-Policy"]  # type: ignore[attr-defined]
    return dict(rule.strip().partition(" ")[::2] for rule in header.split(";"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", PUBLIC)
def test_every_answer_tells_the_browser_what_it_may_do(path: str) -> None:
    reply = Client().get(path)
    rules = policy(reply)
    assert rules["default-src"] == rules["object-src"] == rules["base-uri"] == rules["frame-ancestors"] == "'none'"
    assert "unsafe-inline" not in rules["script-src"]
    assert ("unsafe-eval" in rules["script-src"]) == path.startswith("/admin/")
    assert ("unsafe-inline" in rules["style-src"]) == path.startswith("/admin/")
    assert "*" not in reply["Content-Security-Policy"]
    assert "http" not in reply["Content-Security-Policy"]
    assert reply["X-Frame-Options"] == "DENY"
    assert reply["X-Content-Type-Options"] == "nosniff"
    assert reply["Referrer-Policy"] == "same-origin"
    assert reply["Cross-Origin-Opener-Policy"] == reply["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in reply["Permissions-Policy"]


@pytest.mark.django_db
@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://testserver.evil.example"])
def test_no_other_origin_may_read(ann: User, origin: str) -> None:
    for method in ("get", "options"):
        reply = getattr(client(ann), method)(
            "/api/v1/portfolio/", headers={"Origin": origin, "Access-Control-Request-Method": "GET"}
        )
        assert not [name for name in reply.headers if name.startswith("Access-Control")]


@pytest.mark.django_db
def test_nobody_s_answer_is_kept_by_a_cache(ann: User) -> None:
    assert "no-store" in client(ann).get("/api/v1/portfolio/")["Cache-Control"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
        '{"username": "ann", "username": "bob", "password": "secret"}',
        '{"username": "ann", "password": NaN}',
        b'{"username": "\xff"}',
        "",
        "{",
    ],
)
def test_a_body_that_two_readers_may_read_differently_is_refused(db: None, body: str | bytes) -> None:
    reply = Client().post(TOKEN, body, content_type=JSON)
    assert reply.status_code == 400 if body else reply.status_code in (400, 422)
    assert reply.headers["Content-Type"] == JSON


def test_brackets_within_words_are_no_depth(db: None) -> None:
    body = {"username": "[" * 100 + '\\"{' * 10, "password": "x"}
    assert Client().post(TOKEN, body, content_type=JSON).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["ann", "nobody"])
def test_ten_wrong_passwords_lock_a_name_whether_somebody_has_it_or_not(ann: User, name: str) -> None:
    for _ in range(lockout.TRIES):
        assert guess(name, "wrong") == 401
    assert guess(name, "wrong") == 429
    reply = Client().post(TOKEN, {"username": name.upper(), "password": "secret"}, content_type=JSON)
    assert reply.status_code == 429
    assert 0 < int(reply["Retry-After"]) <= lockout.WINDOW_S


def guess(name: str, password: str) -> int:
    """From another address each time, and with another claim to it."""
    guess.address = getattr(guess, "address", 0) + 1  # type: ignore[attr-defined]
    address = f"10.0.{guess.address // 250}.{guess.address % 250}"  # type: ignore[attr-defined]
    web = Client(headers={"X-Forwarded-For": address}, REMOTE_ADDR=address)
    return web.post(TOKEN, {"username": name, "password": password}, content_type=JSON).status_code


@pytest.mark.django_db
def test_the_lock_of_one_door_holds_at_the_others_and_can_be_lifted(bob: User) -> None:
    page = "/admin/login/?next=/admin/"
    for _ in range(lockout.TRIES):
        assert Client().post(page, {"username": "bob", "password": "wrong"}).status_code == 200
    assert guess("bob", "secret") == 429
    assert Client().post(page, {"username": "bob", "password": "secret"}).status_code == 200
    assert client(bob).get("/api/v1/approvals/").status_code == 200
    call_command("unlock", "bob")
    assert Client().post(page, {"username": "bob", "password": "secret"}).status_code == 302


@pytest.mark.django_db
def test_the_right_password_takes_the_count_back(ann: User) -> None:
    for _ in range(3):
        for _ in range(lockout.TRIES - 1):
            assert guess("ann", "wrong") == 401
        assert guess("ann", "secret") == 200


class Counting(PBKDF2PasswordHasher):
    """Django's, few rounds, that counts how often it works."""

    iterations = 10
    times = 0

    def encode(self, *args: Any, **kwargs: Any) -> str:
        Counting.times += 1
        return super().encode(*args, **kwargs)


@pytest.mark.django_db
@pytest.mark.parametrize("door", [TOKEN, "/login/", "/admin/login/"])
def test_the_time_of_a_refused_log_in_does_not_tell_who_is_there(settings: Any, db: None, door: str) -> None:
    """The work that a log-in's time consists of is done as often for anybody."""
    settings.PASSWORD_HASHERS = [f"{Counting.__module__}.Counting"]
    for name in ("known", "gone"):
        User.objects.create_user(name, password="secret", is_staff=True, is_active=name != "gone")
    User.objects.create_user("provider", is_staff=True)  # logs in elsewhere and has no password
    times = {}
    for name in ("known", "gone", "provider", "nobody"):
        before = Counting.times
        Client().post(door, {"username": name, "password": "wrong"}, content_type=JSON if door == TOKEN else MULTIPART)
        times[name] = Counting.times - before
    assert set(times.values()) == {1}, times


@pytest.mark.django_db(transaction=True)
def test_guesses_at_once_are_counted_one_by_one(ann: User) -> None:
    def run(_: int) -> int:
        try:
            return (
                Client(REMOTE_ADDR=f"10.1.0.{_}")
                .post(TOKEN, {"username": "ann", "password": "wrong"}, content_type=JSON)
                .status_code
            )
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(run, range(40)))
    assert replies.count(401) <= lockout.TRIES
    assert replies.count(401) + replies.count(429) == 40


@pytest.fixture
def twenty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RateLimit.THROTTLE_RATES, "login", "20/min")


@pytest.mark.django_db
def test_a_claimed_address_does_not_widen_the_limit_of_log_ins(twenty: None) -> None:
    replies = [
        Client(headers={"X-Forwarded-For": f"203.0.113.{place}"})
        .post(TOKEN, {"username": f"nobody{place}", "password": "x"}, content_type=JSON)
        .status_code
        for place in range(25)
    ]
    assert replies == [401] * 20 + [429] * 5


@pytest.mark.django_db
def test_tries_to_log_in_from_one_address_count_together_at_all_doors(twenty: None) -> None:
    web = Client(REMOTE_ADDR="203.0.113.7")
    for place in range(10):
        assert web.post("/login/", {"username": f"a{place}", "password": "x"}).status_code == 200
        assert web.post("/admin/login/", {"username": f"b{place}", "password": "x"}).status_code == 200
    assert web.post(TOKEN, {"username": "c", "password": "x"}, content_type=JSON).status_code == 429
    for door in addresses.WEB_DOORS:
        reply = web.post(door, {"username": "d", "password": "x"})
        assert reply.status_code == 429
        assert 0 < int(reply["Retry-After"]) <= 60
    assert web.get("/login/").status_code == 200
    assert Client(REMOTE_ADDR="203.0.113.8").post("/login/", {"username": "d", "password": "x"}).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "connected", "claimed", "counted"),
    [
        (0, "203.0.113.7", "", "203.0.113.7"),
        (0, "203.0.113.7", "198.51.100.1", "203.0.113.7"),
        (1, "10.0.0.1", "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (2, "10.0.0.1", "198.51.100.1, 203.0.113.7, 10.0.0.2", "203.0.113.7"),
        (1, "10.0.0.1", "not an address", "10.0.0.1"),
        (0, "2001:db8:1:2::3", "", "2001:db8:1:2::/64"),
        (0, "::ffff:203.0.113.7", "", "203.0.113.7"),
        (0, "", "", "unknown"),
    ],
)
def test_an_address_is_what_our_proxies_say_and_nobody_else(
    proxies: int, connected: str, claimed: str, counted: str, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = proxies
    claim = {"X-Forwarded-For": claimed} if claimed else {}
    request = RequestFactory().get("/", REMOTE_ADDR=connected, headers=claim)
    assert addresses.counted_as(request) == counted


def test_what_is_exempt_from_the_form_s_token_asks_for_another() -> None:
    """Whatever changes something takes a bearer token, or a session by DRF, which asks for the form's token itself."""
    exempt = [view for _, view in routes() if getattr(view, "csrf_exempt", False)]
    assert exempt
    assert [view for view in exempt if not issubclass(getattr(view, "cls", object), APIView)] == []
    changing = [view.cls for view in exempt if {"post", "put", "patch", "delete"} & set(dir(view.cls))]
    assert {door for view in changing for door in view.authentication_classes} == {
        BearerAuthentication,
        SessionAuthentication,
    }


@pytest.mark.django_db
@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "/\\evil.example/", "https:///evil.example", "javascript:alert(1)"],
)
def test_a_log_in_leads_to_no_other_host(ann: User, elsewhere: str) -> None:
    reply = Client().post("/login/", {"username": "ann", "password": "secret", "next": elsewhere})
    assert reply.status_code == 302
    assert reply["Location"] in ("/", "/admin/")
    part = Client().get("/side/", headers={"HX-Request": "true", "HX-Current-URL": f"{elsewhere}x?a=b"})
    assert part["HX-Redirect"].startswith("/login/?next=")
    assert "evil" not in part["HX-Redirect"]


@pytest.mark.django_db
@pytest.mark.parametrize("header", ["Host", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL"])
def test_no_header_makes_a_page_that_a_cache_would_give_to_others(ann: User, header: str) -> None:
    web = Client(headers={header: "evil.example"})
    web.force_login(ann)
    reply = web.get("/portfolio/")
    assert reply.status_code == (400 if header == "Host" else 200)
    assert "evil.example" not in reply.content.decode()
    if header != "Host":
        assert "no-store" in reply["Cache-Control"]


def manage(*arguments: str, tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**known, "NEXTRADE_DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


GOOD_KEY = "k3p-9dJ2_vQx7LmZ0tRw8sYh5nBc4fGa6uEe1iOo_TqVyXzDpM"


@pytest.mark.parametrize(
    ("environment", "why"),
    [
        ({}, "SECRET_KEY is not set"),
        ({"SECRET_KEY": "django-insecure-abc"}, "everybody knows"),
        ({"SECRET_KEY": GOOD_KEY, "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS may not be *"),
    ],
)
def test_production_does_not_start_on_defaults(tmp_path: Path, environment: dict[str, str], why: str) -> None:
    done = manage("check", tmp_path=tmp_path, **environment)
    assert done.returncode != 0
    assert why in done.stderr


def test_production_passes_django_s_own_check_without_a_warning(tmp_path: Path) -> None:
    done = manage(
        "check",
        "--deploy",
        "--fail-level",
        "WARNING",
        tmp_path=tmp_path,
        SECRET_KEY=GOOD_KEY,
        ALLOWED_HOSTS="desk.example",
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout

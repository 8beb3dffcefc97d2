"""Second factor, tokens with scopes, sessions that end."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from django_otp.oath import totp
from django_otp.plugins.otp_static.models import StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from compliance.models import ComplianceEvent
from nextrade import scopes
from tests.conftest import NOON, Propose

JSON = "application/json"
TOKEN = "/api/v1/auth/token/"
PAGE = "/admin/second-factor/"


@pytest.fixture
def demanded(settings: Any) -> None:
    settings.REQUIRE_2FA = True


def logged_in(name: str) -> Client:
    web = Client()
    assert web.post("/admin/login/", {"username": name, "password": "secret"}).status_code == 302
    return web


def code_of(user: User, *, later_s: int = 0) -> str:
    device = TOTPDevice.objects.get(user=user)
    return f"{totp(device.bin_key, t0=-later_s):06d}"


def enrolled(user: User) -> tuple[Client, list[str]]:
    web = logged_in(user.username)
    web.get(PAGE)
    reply = web.post(PAGE, {"code": code_of(user)})
    return web, re.findall(r"<li><code>(\w+)</code>", reply.content.decode())


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/", "/admin/orders/order/", "/admin/compliance/complianceevent/"])
def test_a_password_alone_opens_no_page_of_the_admin(demanded: None, bob: User, path: str) -> None:
    reply = logged_in("bob").get(path)
    assert (reply.status_code, reply["Location"]) == (302, PAGE)


@pytest.mark.django_db
def test_staff_enrol_at_their_first_log_in_and_keep_ten_codes(demanded: None, bob: User) -> None:
    web, codes = enrolled(bob)
    assert len(set(codes)) == 10
    assert web.get("/admin/orders/order/").status_code == 200
    assert not StaticToken.objects.filter(token__in=codes).exists()
    again = logged_in("bob")
    assert again.get("/admin/orders/order/").status_code == 302
    page = again.get(PAGE).content.decode()
    assert "<img" not in page
    assert TOTPDevice.objects.get().key not in page


@pytest.mark.django_db
def test_a_code_counts_once(demanded: None, bob: User) -> None:
    enrolled(bob)
    used = code_of(bob)
    assert "wrong" in logged_in("bob").post(PAGE, {"code": used}).content.decode()


@pytest.mark.django_db
def test_a_recovery_code_opens_once(demanded: None, bob: User) -> None:
    _, codes = enrolled(bob)
    assert logged_in("bob").post(PAGE, {"code": f" {codes[0].upper()} "}).status_code == 302
    assert "wrong" in logged_in("bob").post(PAGE, {"code": codes[0]}).content.decode()
    assert StaticToken.objects.count() == 9


@pytest.mark.django_db
def test_another_person_s_code_opens_nothing(demanded: None, bob: User, bea: User) -> None:
    enrolled(bob)
    _, of_bea = enrolled(bea)
    web = logged_in("bob")
    assert web.post(PAGE, {"code": of_bea[0]}).status_code == 200
    assert web.get("/admin/").status_code == 302


@pytest.mark.django_db
def test_guesses_of_a_code_are_slowed_and_leave_events(demanded: None, bob: User) -> None:
    enrolled(bob)
    web = logged_in("bob")
    for guess in range(5):
        assert web.post(PAGE, {"code": f"{guess:06d}"}).status_code == 200
    assert TOTPDevice.objects.get().throttling_failure_count >= 1
    assert ComplianceEvent.objects.filter(action="second_factor", outcome="refused").count() >= 5


@pytest.mark.django_db
def test_the_token_endpoint_asks_for_it_too(demanded: None, bob: User) -> None:
    wanted = {"username": "bob", "password": "secret"}
    reply = Client().post(TOKEN, wanted, content_type=JSON)
    assert (reply.status_code, reply.json()["code"]) == (403, "second_factor_missing")
    _, codes = enrolled(bob)
    assert Client().post(TOKEN, wanted, content_type=JSON).status_code == 403
    assert Client().post(TOKEN, {**wanted, "otp": "123456"}, content_type=JSON).status_code == 401
    with time_machine.travel(timezone.now() + timedelta(seconds=90)):
        reply = Client().post(TOKEN, {**wanted, "otp": code_of(bob)}, content_type=JSON)
        assert reply.status_code == 200, reply.content
    assert codes


@pytest.mark.django_db
def test_a_trader_needs_none_and_a_lost_phone_is_reset_by_a_colleague(demanded: None, ann: User, bob: User) -> None:
    wanted = {"username": "ann", "password": "secret"}
    assert Client().post(TOKEN, wanted, content_type=JSON).status_code == 200
    web, _ = enrolled(bob)
    call_command("second_factor", "reset", "bob")
    assert web.get("/admin/orders/order/").status_code == 302
    assert ComplianceEvent.objects.filter(action="second_factor_reset").count() == 1
    _, codes = enrolled(bob)
    assert len(codes) == 10


def token(user: User, *wanted: str) -> Client:
    body = {"username": user.username, "password": "secret", "scopes": list(wanted)}
    reply = Client().post(TOKEN, body, content_type=JSON)
    assert reply.status_code == 200, reply.content
    return Client(headers={"Authorization": f"Bearer {reply.json()['token']}"})


@pytest.mark.django_db
def test_a_token_does_what_its_scopes_say_and_no_more(propose: Propose, ann: User, bob: User) -> None:
    order = propose()
    decision = {"decision": "approve", "version": order.version, "reason": ""}
    path = f"/api/v1/approvals/{order.pk}/"
    for wanted in (("read",), ("chat",), ("read", "chat")):
        reply = token(bob, *wanted).post(path, decision, content_type=JSON)
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_denied")
    reader, talker = token(ann, "read"), token(ann, "chat")
    assert reader.get("/api/v1/portfolio/").status_code == 200
    assert reader.post("/api/v1/chat/", {"message": "hello"}, content_type=JSON).status_code == 403
    assert reader.post(f"/api/v1/orders/{order.pk}/cancel/").status_code == 403
    assert talker.get("/api/v1/portfolio/").status_code == 403
    assert talker.post("/api/v1/chat/", {"message": "hello"}, content_type=JSON).status_code == 200
    assert token(bob, "approve").get("/api/v1/approvals/").status_code == 403
    assert token(bob, "approve").post(path, {**decision, "version": 99}, content_type=JSON).status_code == 409


@pytest.mark.django_db
def test_a_scope_is_not_widened_by_writing_it_into_the_token(ann: User) -> None:
    header = token(ann, "read").defaults["HTTP_AUTHORIZATION"]
    forged = Client(headers={"Authorization": header.replace("nt_r_", "nt_cra_")})
    assert forged.get("/api/v1/portfolio/").status_code == 401


@pytest.mark.django_db
def test_tokens_are_listed_and_ended_by_their_owner_alone(ann: User, ben: User) -> None:
    mine, other = token(ann, "read"), token(ben)
    rows = mine.get("/api/v1/auth/tokens/").json()
    assert [(row["scopes"], row["is_current"]) for row in rows] == [(["read"], True)]
    path = f"/api/v1/auth/tokens/{rows[0]['id']}/"
    assert other.delete(path).status_code == 404
    assert mine.delete("/api/v1/auth/tokens/0/").status_code == 404
    assert mine.delete(path).status_code == 204
    assert mine.get("/api/v1/portfolio/").status_code == 401
    assert other.get("/api/v1/portfolio/").status_code == 200


def test_a_token_without_a_mark_has_every_scope() -> None:
    assert scopes.of(type("Row", (), {"token_key": "0a1b2c3d4e5f6a7"})) == ["chat", "read", "approve"]


@pytest.mark.django_db
@pytest.mark.parametrize(("clicks_s", "is_in"), [([1700, 1700], True), ([1900], False), ([1700] * 26, False)])
def test_a_session_ends_when_nobody_clicks_and_after_half_a_day(bob: User, clicks_s: list[int], is_in: bool) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        web = logged_in("bob")
        assert web.get("/admin/").status_code == 200
        for wait_s in clicks_s:
            clock.shift(wait_s)
            reply = web.get("/admin/")
    assert (reply.status_code == 200) == is_in


@pytest.mark.django_db
def test_sessions_are_listed_and_ended(bob: User, bea: User, capsys: pytest.CaptureFixture[str]) -> None:
    webs = [logged_in("bob"), logged_in("bob"), logged_in("bea")]
    call_command("sessions", "list", "bob")
    assert capsys.readouterr().out.count("begun") == 2
    call_command("sessions", "end", "bob")
    assert [web.get("/admin/").status_code for web in webs] == [302, 302, 200]


@pytest.mark.django_db
def test_a_log_in_changes_the_session_s_key_and_a_password_change_ends_the_others(bob: User) -> None:
    web = Client()
    web.get("/admin/login/")
    web.session.save()
    before = web.session.session_key
    web.post("/admin/login/", {"username": "bob", "password": "secret"})
    assert web.session.session_key != before
    bob.set_password("another")
    bob.save()
    assert web.get("/admin/").status_code == 302


@pytest.mark.django_db
def test_who_has_enrolled_is_asked_where_it_is_not_demanded_too(bob: User) -> None:
    assert logged_in("bob").get("/admin/orders/order/").status_code == 200
    enrolled(bob)
    assert logged_in("bob").get("/admin/orders/order/")["Location"] == PAGE


@pytest.mark.django_db
def test_a_trader_who_has_enrolled_is_asked_at_the_desk_too(ann: User) -> None:
    TOTPDevice.objects.create(user=ann, name="authenticator", confirmed=True)
    web = Client()
    web.post("/login/", {"username": "ann", "password": "secret"})
    for path in ("/", "/parts/", "/say/stream/", "/a-page-that-is-to-come/"):
        reply = web.get(path)
        assert (reply.status_code, reply["Location"]) == (302, PAGE)
    passed = web.post(PAGE, {"code": code_of(ann)})
    assert (passed.status_code, passed["Location"]) == (302, "/")
    assert b"What would you like to know or trade?" in web.get("/").content

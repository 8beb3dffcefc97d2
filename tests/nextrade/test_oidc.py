"""Log-in at the firm's identity provider, over HTTP with one that runs here."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.conf import settings as configured
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.test import Client

from compliance.models import ComplianceEvent
from nextrade.ops import checks
from nextrade.ops.models import ProviderIdentity
from tests import oidc_server

ZOE = {"sub": "00u1", "preferred_username": "zoe", "email": "zoe@firm.example", "groups": ["desk", "cantina"]}


@pytest.fixture
def provider(db: None, settings: Any) -> Iterator[oidc_server.Provider]:
    with oidc_server.running() as made:
        for name, value in made.settings().items():
            setattr(settings, name, value)
        settings.OIDC_GROUPS = {"desk": "Traders", "four-eyes": "Approvers"}
        settings.AUTHENTICATION_BACKENDS = [*configured.AUTHENTICATION_BACKENDS, "nextrade.oidc.ProviderBackend"]
        made.claims = dict(ZOE)
        yield made


def sign_in(browser: Client | None = None) -> tuple[Client, str]:
    """Through both redirects; the browser, and where it ended."""
    browser = browser or Client()
    there = browser.get("/oidc/authenticate/").headers["Location"]
    back = httpx.get(there, follow_redirects=False).headers["Location"]
    return browser, browser.get(back.removeprefix("http://testserver")).headers["Location"]


def test_a_person_of_the_provider_s_comes_in_with_the_groups_of_the_claim(provider: oidc_server.Provider) -> None:
    browser, page = sign_in()
    user = User.objects.get(username="zoe")
    assert page == "/"
    assert browser.session["_auth_user_id"] == str(user.pk)
    assert [group.name for group in user.groups.all()] == ["Traders"]
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (False, False, False)
    assert ComplianceEvent.objects.filter(action="identity_linked", subject_pid=f"user:{user.pk}").exists()
    assert ComplianceEvent.objects.filter(action="login", actor_pid=f"user:{user.pk}").exists()


def test_who_loses_a_group_there_loses_it_here_at_the_next_log_in(provider: oidc_server.Provider) -> None:
    provider.claims["groups"] = ["desk", "four-eyes"]
    sign_in()
    assert User.objects.get(username="zoe").is_staff
    provider.claims |= {"groups": ["desk"], "preferred_username": "renamed"}
    sign_in()
    zoe = User.objects.get(username="zoe")
    assert [group.name for group in zoe.groups.all()] == ["Traders"]
    assert not zoe.is_staff
    assert ProviderIdentity.objects.count() == 1


@pytest.mark.parametrize(
    "token",
    [
        {"aud": "another"},
        {"iss": "http://elsewhere.example"},
        {"exp": 1},
        {"nonce": "stale"},
        {"sub": "00u2"},
        {"aud": ["nextrade", "another"], "azp": "another"},
    ],
    ids=lambda token: next(iter(token)),
)
def test_a_token_that_is_not_for_us_lets_nobody_in(provider: oidc_server.Provider, token: dict[str, Any]) -> None:
    provider.token = token
    _refused()


@pytest.mark.parametrize(
    "claims", [{"groups": []}, {"groups": ["cantina"]}, {"groups": "desk"}, {"preferred_username": "../etc"}]
)
def test_who_has_no_role_or_no_name_here_gets_no_account(
    provider: oidc_server.Provider, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    _refused()
    assert not User.objects.filter(email="zoe@firm.example").exists()


def test_a_right_that_is_given_here_stays_when_the_provider_does_not_decide_on_it(
    provider: oidc_server.Provider,
) -> None:
    sign_in()
    User.objects.get(username="zoe").groups.add(Group.objects.get(name="Compliance"))
    sign_in()
    zoe = User.objects.get(username="zoe")
    assert {group.name for group in zoe.groups.all()} == {"Traders", "Compliance"}
    assert zoe.is_staff


def test_a_claim_never_takes_over_a_name_nor_makes_a_superuser(provider: oidc_server.Provider, bob: User) -> None:
    provider.claims |= {"preferred_username": "BOB", "email": bob.email, "groups": ["four-eyes"], "is_superuser": True}
    _refused()
    call_command("oidc", "link", "bob", "00u1", "--by", "olga")
    sign_in()
    bob.refresh_from_db()
    assert (bob.is_superuser, bob.has_usable_password()) == (False, False)
    assert not Client().login(username="bob", password="secret")


def test_who_is_switched_off_here_stays_out(provider: oidc_server.Provider) -> None:
    sign_in()
    User.objects.filter(username="zoe").update(is_active=False)
    _refused()


def test_another_s_answer_or_one_twice_is_refused(provider: oidc_server.Provider) -> None:
    victim, attacker = Client(), Client()
    there = attacker.get("/oidc/authenticate/").headers["Location"]
    back = httpx.get(there, follow_redirects=False).headers["Location"].removeprefix("http://testserver")
    assert victim.get(back).status_code == 302
    assert "_auth_user_id" not in victim.session


def test_the_sign_in_page_offers_it_and_says_when_it_was_refused(provider: oidc_server.Provider) -> None:
    assert "Sign in with your firm" in Client().get("/login/").content.decode()
    assert "did not let you in" in Client().get("/login/?provider=refused").content.decode()


def test_without_it_there_is_no_such_door(db: None) -> None:
    assert Client().get("/oidc/authenticate/").status_code == 404
    assert "Sign in with your firm" not in Client().get("/login/").content.decode()
    with pytest.raises(CommandError):
        call_command("oidc", "link", "bob", "1", "--by", "olga")


def test_settings_that_do_not_fit_are_named(settings: Any) -> None:
    settings.OIDC_ISSUER, settings.OIDC_GROUPS, settings.OIDC_RP_SIGN_ALGO = (
        "https://id.example",
        {"x": "Kings"},
        "HS256",
    )
    found = {problem.id for problem in checks.settings_fit()}
    assert {"nextrade.E014", "nextrade.E015", "nextrade.E016"} <= found


def _refused() -> None:
    browser, page = sign_in()
    assert page == "/login/?provider=refused"
    assert "_auth_user_id" not in browser.session

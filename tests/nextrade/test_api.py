"""What every view shares: identity, errors, rates, repeats, pages, the schema."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from knox.models import get_token_model

from compliance.models import ComplianceEvent
from nextrade.ops.models import IdempotentReply
from orders.models import Order
from tests.agents.test_chat import client
from tests.conftest import NOON, Propose

JSON = "application/json"


def test_without_a_token_nothing_is_told(db: None) -> None:
    reply = Client().get("/api/v1/orders/")
    assert (reply.status_code, reply.json()["message"], reply["WWW-Authenticate"]) == (401, "Invalid token", "Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer garbage", "Bearer", "Bearer a b", "Basic YW5uOnNlY3JldA==", "Token x", "bearer \x00"]
)
def test_a_token_that_is_none_is_refused_in_the_same_words(db: None, header: str) -> None:
    reply = Client(headers={"Authorization": header}).get("/api/v1/orders/")
    assert (reply.status_code, reply.json()["code"], reply.json()["message"]) == (401, "invalid_token", "Invalid token")


@pytest.mark.django_db
def test_a_token_is_given_for_a_password_hashed_at_rest_and_taken_away(ann: User) -> None:
    body = {"username": "ann", "password": "secret"}
    token = Client().post("/api/v1/auth/token/", body, content_type=JSON).json()["token"]
    assert not get_token_model().objects.filter(digest=token).exists()
    web = Client(headers={"Authorization": f"Bearer {token}"})
    assert web.get("/api/v1/portfolio/").status_code == 200
    assert web.post("/api/v1/auth/logout/").status_code == 204
    assert web.get("/api/v1/portfolio/").status_code == 401
    assert list(
        ComplianceEvent.objects.filter(action__startswith="log").order_by("id").values_list("action", flat=True)
    ) == [
        "login",
        "logout",
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "body", [{"username": "ann", "password": "wrong"}, {"username": "nobody", "password": "secret"}]
)
def test_a_wrong_password_and_a_wrong_name_read_the_same(ann: User, body: dict[str, str]) -> None:
    reply = Client().post("/api/v1/auth/token/", body, content_type=JSON)
    assert (reply.status_code, reply.json()["code"]) == (401, "wrong_credentials")
    assert reply["WWW-Authenticate"] == "Bearer"
    assert ComplianceEvent.objects.filter(action="login_failed").count() == 1


@pytest.mark.django_db
def test_a_token_ends_with_its_time_and_with_its_person(ann: User) -> None:
    web = client(ann)
    assert web.get("/api/v1/portfolio/").status_code == 200
    get_token_model().objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert web.get("/api/v1/portfolio/").status_code == 401
    web = client(ann)
    User.objects.update(is_active=False)
    assert web.get("/api/v1/portfolio/").status_code == 401


@pytest.mark.django_db
def test_what_is_not_there_is_json_and_carries_the_request_s_id(ann: User) -> None:
    reply = client(ann).get("/api/v1/orders/8b2c5d0e-0000-0000-0000-000000000000/", headers={"X-Request-ID": "abc-1"})
    assert (reply.status_code, reply.json()["code"], reply.json()["request_id"], reply["X-Request-ID"]) == (
        404,
        "not_found",
        "abc-1",
        "abc-1",
    )
    forged = client(ann).get("/api/v1/portfolio/", headers={"X-Request-ID": "x\ny"})
    assert "\n" not in forged["X-Request-ID"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/nothing/", "/api/v1/orders/not-a-uuid/", "/api/v1/"])
def test_an_unknown_path_of_the_api_is_json_too(path: str) -> None:
    reply = Client().get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")


@pytest.mark.django_db
def test_a_method_or_a_type_that_is_not_spoken_is_refused(ann: User) -> None:
    assert client(ann).put("/api/v1/chat/", {}, content_type=JSON).json()["code"] == "method_not_allowed"
    reply = client(ann).post("/api/v1/chat/", "x=1", content_type="text/xml")
    assert (reply.status_code, reply.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.django_db
def test_a_body_over_a_megabyte_is_too_large(ann: User) -> None:
    reply = client(ann).post("/api/v1/chat/", {"message": "a" * 1_100_000}, content_type=JSON)
    assert (reply.status_code, reply.json()["code"]) == (413, "too_large")


@pytest.mark.django_db(transaction=True)
def test_the_rate_is_exact_under_simultaneous_requests(ann: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextrade.api.RateLimit.THROTTLE_RATES", {"chat": "10/min"})
    _, token = get_token_model().objects.create(user=ann)

    def ask(_: int) -> Any:
        try:
            return Client(headers={"Authorization": f"Bearer {token}"}).post("/api/v1/chat/", {}, content_type=JSON)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, range(30)))
    codes = [reply.status_code for reply in replies]
    assert (codes.count(422), codes.count(429)) == (10, 20)
    refused = next(reply for reply in replies if reply.status_code == 429)
    assert refused.json()["code"] == "throttled"
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert (refused["RateLimit-Limit"], refused["RateLimit-Remaining"]) == ("10", "0")


@pytest.mark.django_db(transaction=True)
def test_a_repeat_with_an_idempotency_key_is_answered_and_not_done_again(ann: User) -> None:
    web = client(ann)
    first, second = (
        web.post("/api/v1/chat/", {"message": "buy 1 Nike"}, content_type=JSON, headers={"Idempotency-Key": "k1"})
        for _ in range(2)
    )
    assert first.json() == second.json()
    assert second["Idempotency-Replayed"] == "true"
    assert Order.objects.count() == 1
    other = web.post("/api/v1/chat/", {"message": "buy 2 Nike"}, content_type=JSON, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.django_db(transaction=True)
def test_a_repeat_tells_nothing_to_a_token_that_has_ended(ann: User, ben: User) -> None:
    key = {"Idempotency-Key": "k1"}
    web = client(ann)
    first = web.post("/api/v1/chat/", {"message": "buy 1 Nike"}, content_type=JSON, headers=key)
    other = client(ben).post("/api/v1/chat/", {"message": "buy 1 Nike"}, content_type=JSON, headers=key)
    assert other.json()["thread_id"] != first.json()["thread_id"]
    get_token_model().objects.filter(user=ann).delete()
    late = web.post("/api/v1/chat/", {"message": "buy 1 Nike"}, content_type=JSON, headers=key)
    assert (late.status_code, late.json()["code"]) == (401, "invalid_token")


@pytest.mark.django_db
def test_no_token_is_kept_for_a_repeat(ann: User) -> None:
    ann.set_password("a long enough one")
    ann.save()
    credentials = {"username": "ann", "password": "a long enough one"}
    web = client(ann)
    tokens = {
        web.post("/api/v1/auth/token/", credentials, content_type=JSON, headers={"Idempotency-Key": "k1"}).json()[
            "token"
        ]
        for _ in range(2)
    }
    assert len(tokens) == 2
    assert not IdempotentReply.objects.exists()


@pytest.mark.django_db
def test_lists_are_paged_by_cursor(ann: User, propose: Propose) -> None:
    for minute in range(5):
        propose(quantity=str(minute + 1), at=NOON + timedelta(seconds=minute))
    web = client(ann)
    page = web.get("/api/v1/orders/?limit=2").json()
    seen = [order["quantity"] for order in page["results"]]
    while page["next"]:
        page = web.get(page["next"]).json()
        seen += [order["quantity"] for order in page["results"]]
    assert seen == ["5", "4", "3", "2", "1"]
    assert set(page) == {"next", "previous", "results"}


LISTS = (
    "orders/",
    "approvals/",
    "executions/",
    "compliance/events/",
    "threads/",
    "auth/tokens/",
    "usage/",
    "portfolio/",
)
ORACLES = [
    f"{way}{field}__password{look}"
    for field in ("maker", "user", "account__owner", "order__maker")
    for way, look in (("ordering=", ""), ("ordering=-", ""), ("", "__startswith=md5"), ("", "__startswith=zzz"))
] + ["search=md5", "fields=password", "expand=user", "_method=DELETE", "maker__username__startswith=z"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", LISTS)
def test_a_list_takes_no_other_questions(ann: User, bob: User, carol: User, approved: Order, path: str) -> None:
    """Neither order nor number of rows answers what was not to be asked."""
    for user in (ann, bob, carol):
        web = client(user)
        plain = web.get(f"/api/v1/{path}")
        for oracle in ORACLES:
            asked = web.get(f"/api/v1/{path}?{oracle}", headers={"Accept": "text/html, application/json"})
            assert (asked.status_code, asked.headers["Content-Type"]) == (plain.status_code, JSON), oracle
            if asked.status_code == 200 and "portfolio" not in path:
                assert asked.json() == plain.json(), oracle


@pytest.mark.django_db
@pytest.mark.parametrize("query", ["?format=api", "?cursor=zzz", "?limit=100000", "?limit=-1", "?status=nothing"])
def test_a_question_that_is_none_breaks_no_list(ann: User, query: str) -> None:
    reply = client(ann).get(f"/api/v1/orders/{query}")
    assert reply.status_code in (200, 404, 422)
    assert reply.headers["Content-Type"] == JSON


@pytest.mark.django_db
def test_a_cursor_of_another_person_s_list_opens_ones_own_alone(ann: User, ben: User, propose: Propose) -> None:
    for number in range(3):
        propose(quantity=str(number + 1), at=NOON + timedelta(seconds=number))
    theirs = client(ann).get("/api/v1/orders/?limit=1").json()["next"]
    assert theirs
    assert client(ben).get(theirs).json()["results"] == []


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["orders/{}/", "orders/{}/cancel/", "approvals/{}/", "threads/{}/"])
def test_options_tell_nothing_of_what_is_there(ben: User, propose: Propose, path: str) -> None:
    web = client(ben)
    there, nowhere = (
        web.options(f"/api/v1/{path.format(pk)}") for pk in (propose().pk, "8b2c5d0e-0000-4000-8000-000000000000")
    )
    told = [(reply.status_code, reply.json() | {"request_id": ""}) for reply in (there, nowhere)]
    assert told[0] == told[1]


@pytest.mark.django_db
def test_a_list_costs_the_same_number_of_queries_however_long(
    ann: User,
    propose: Propose,
    django_assert_max_num_queries: Any,
) -> None:
    for minute in range(12):
        propose(quantity=str(minute + 1), at=NOON + timedelta(seconds=minute))
    web = client(ann)
    with django_assert_max_num_queries(5):
        assert len(web.get("/api/v1/orders/").json()["results"]) == 12


@pytest.mark.django_db
def test_compliance_reads_the_trail_and_nobody_else_does(ann: User, bob: User, carol: User) -> None:
    assert client(carol).get("/api/v1/compliance/events/?type=SYSTEM&from=2020-01-01T00:00:00Z").json()["results"]
    assert client(carol).get("/api/v1/compliance/events/?type=NONSENSE").status_code == 422
    for user in (ann, bob):
        assert client(user).get("/api/v1/compliance/events/").status_code == 403


@pytest.mark.django_db
def test_the_schema_is_openapi_3_1_and_its_page_shows_every_operation_and_asks_no_foreign_host() -> None:
    schema = Client().get("/api/v1/schema/", headers={"Accept": "application/json"}).json()
    assert schema["openapi"] == "3.1.0"
    for url in ("/docs", "/api/v1/docs/"):
        page = Client().get(url).content.decode()
        for path, methods in schema["paths"].items():
            for method in methods:
                assert f'data-method="{method.upper()}" data-path="{path}"' in page
        assert "must be yours, if given at all" in page
        assert "&quot;message&quot;: &quot;string&quot;" in page
        assert "https://" not in page

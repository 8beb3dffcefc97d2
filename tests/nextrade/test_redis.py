"""Redis is taken away under the product: it is slower and says so, and nothing else."""

import os
import time
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from knox.models import get_token_model

from agents import breakers, services
from agents.models import Breaker, Thread
from nextrade import counting
from nextrade.caches import PAUSE_S, SharedCache
from orders import services as order_services
from orders.models import Order
from tests.conftest import NOON
from tests.relay import Relay, relay

SERVER = os.environ.get("TEST_REDIS_URL", "")
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not SERVER, reason="there is no Redis"),
]
KEY = "a-model"


@pytest.fixture
def line() -> Iterator[Relay]:
    where = urlsplit(SERVER)
    with relay((where.hostname or "127.0.0.1", where.port or 6379)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def shared(line: Relay, settings: Any) -> SharedCache:
    """The product's cache, over the line, with keys of this test's own."""
    settings.REDIS_URL = f"redis://127.0.0.1:{line.port}{urlsplit(SERVER).path}"
    one = {
        "BACKEND": "nextrade.caches.SharedCache",
        "LOCATION": settings.REDIS_URL,
        "KEY_PREFIX": uuid.uuid4().hex,
        "TIMEOUT": 60,
    }
    settings.CACHES = {"default": one, "stats": one}
    cache = caches["default"]
    assert isinstance(cache, SharedCache)
    return cache


def test_a_rate_is_counted_in_redis_and_on_in_the_table(line: Relay, shared: SharedCache) -> None:
    assert [counting.count_briefly("ann", 60)[0] for _ in range(3)] == [1, 2, 3]
    assert counting.read("ann", 60)[0] == 0
    line.cut()
    assert [counting.count_briefly("ann", 60)[0] for _ in range(3)] == [1, 2, 3]
    assert counting.read("ann", 60)[0] == 3
    line.mend()
    time.sleep(PAUSE_S)
    counted, left_s = counting.count_briefly("ann", 60)
    assert counted == 4
    assert 50 < left_s <= 60


def test_a_restart_of_redis_is_not_even_noticed(line: Relay, shared: SharedCache) -> None:
    shared.set("known", 1)
    line.mend()  # ends what is connected
    assert shared.get("known") == 1
    assert not shared.is_away


@pytest.mark.parametrize("way", ["cut", "deafen"])
def test_a_redis_that_is_away_is_waited_for_once(
    line: Relay, shared: SharedCache, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextrade.caches.PAUSE_S", 8.0)  # less than 23 times the half second of one wait
    shared.set("known", 1)
    getattr(line, way)()
    start = time.monotonic()
    assert [shared.get("known", "nothing") for _ in range(20)] == ["nothing"] * 20
    assert shared.add("lock", 1)
    assert shared.get_many(["known"]) == {}
    shared.set("known", 2)
    assert time.monotonic() - start < 8
    assert shared.is_away


def test_the_proof_of_a_model_is_in_redis_until_a_call_fails(
    shared: SharedCache, django_assert_num_queries: Any
) -> None:
    row = breakers.admit(KEY, at=NOON)
    assert row
    breakers.succeeded(row, at=NOON)
    with django_assert_num_queries(0):
        known = breakers.admit(KEY, at=NOON)
        assert known
        breakers.succeeded(known, at=NOON)
    breakers.failed(known, "timeout", at=NOON)
    assert shared.get(f"breaker.{KEY}") is None
    assert Breaker.objects.get().failures == 1


def test_a_breaker_opens_for_all_while_redis_is_away(line: Relay, shared: SharedCache) -> None:
    row = breakers.admit(KEY, at=NOON)
    assert row
    breakers.succeeded(row, at=NOON)
    line.cut()
    for _ in range(breakers.THRESHOLD):
        row = breakers.admit(KEY, at=NOON)
        assert row
        breakers.failed(row, "timeout", at=NOON)
    assert breakers.admit(KEY, at=NOON) is None
    line.mend()
    time.sleep(PAUSE_S)
    if row := breakers.admit(KEY, at=NOON):  # the proof of before, which could not be taken back
        breakers.failed(row, "timeout", at=NOON)
    assert breakers.admit(KEY, at=NOON) is None
    assert breakers.is_shut(KEY)


@pytest.mark.parametrize("way", ["cut", "deafen"])
def test_without_redis_no_page_breaks_and_health_says_so(
    line: Relay, ann: User, bob: User, carol: User, olga: User, way: str
) -> None:
    getattr(line, way)()
    _, token = get_token_model().objects.create(user=ann)
    api = Client(headers={"Authorization": f"Bearer {token}"})
    said = api.post("/api/v1/chat/", {"message": "buy 2 Nike"}, content_type="application/json")
    assert said.status_code == 200, said.content
    order = Order.objects.get()
    pages = {
        ann: ["/", "/orders/", "/executions/"],
        bob: [reverse("admin:orders_order_changelist"), reverse("admin:orders_order_review", args=[order.pk])],
        carol: [reverse("admin:compliance_complianceevent_changelist"), reverse("trail-integrity")],
        olga: [
            reverse("ops-system"),
            reverse("admin:agents_breaker_changelist"),
            reverse("admin:auth_user_changelist"),
        ],
    }
    for person, paths in pages.items():
        web = Client()
        web.force_login(person)
        for path in paths:
            assert web.get(path).status_code == 200, path
    health = api.get("/ht/", headers={"Accept": "application/json"})
    assert health.status_code == 200
    assert (health.json()["status"], health.json()["components"]["cache"]) == ("degraded", False)


def test_a_poll_asks_redis_alone_until_there_is_news(
    line: Relay, ann: User, ben: User, bob: User, django_assert_num_queries: Any
) -> None:
    services.process_chat_request(by=ann, message="buy 2 Nike", thread_id=None, at=timezone.now())
    order, thread = Order.objects.get(), Thread.objects.get()
    web, other = Client(), Client()
    web.force_login(ann)
    other.force_login(ben)
    last = thread.messages.latest("id").pk
    news, card = f"/threads/{thread.pk}/news/?after={last}", f"/orders/{order.pk}/card/?was={order.version}"
    assert [web.get(news).status_code, web.get(card).status_code] == [204, 204]
    with django_assert_num_queries(0):
        assert [web.get(news).status_code, web.get(card).status_code] == [204, 204]
    assert [other.get(news).status_code, other.get(card).status_code] == [404, 404]
    order_services.approve(order.pk, by=bob, version=order.version, at=timezone.now())
    assert b"Approved by bob" in web.get(news).content
    assert web.get(card).status_code == 200
    last = thread.messages.latest("id").pk
    news = f"/threads/{thread.pk}/news/?after={last}"
    assert [web.get(news).status_code, web.get(news).status_code] == [204, 204]
    services.process_chat_request(by=ann, message="hello", thread_id=thread.pk, at=timezone.now())
    assert web.get(news).status_code == 200
    line.cut()
    assert web.get(news).status_code == 200

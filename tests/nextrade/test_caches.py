"""What somebody has put into a cache is not run by whoever reads it."""

import base64
import os
import pickle
import time
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.cache import cache, caches
from django.core.management import call_command
from django.db import connection

from nextrade.ops.asking import Told
from orders.quotes.base import Bar, Quote
from tests.conftest import NOON

SERVER = os.environ.get("TEST_REDIS_URL", "")
KINDS = ["table", pytest.param("redis", marks=pytest.mark.skipif(not SERVER, reason="there is no Redis"))]
OURS = [
    {"citations": [{"url": "x"}], "text": "y", "unsupported": []},
    Quote(symbol="AAPL", price_usd=Decimal("1.10"), as_of=NOON, source="yahoo"),
    (Bar(day=date(2026, 11, 20), close_usd=Decimal(2)),),
    Told(problem="", at=1.5),
    datetime.now(UTC),
    *("ok", 7, True, None),
]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, settings: Any, transactional_db: None) -> str:
    call_command("createcachetable", "nextrade_cache", verbosity=0)  # `migrate` makes none where Redis is the cache
    found = {
        "table": {"BACKEND": "nextrade.caches.TableCache", "LOCATION": "nextrade_cache"},
        "redis": {"BACKEND": "nextrade.caches.SharedCache", "LOCATION": SERVER},
    }[request.param]
    settings.CACHES = {"default": {**found, "KEY_PREFIX": uuid.uuid4().hex}}
    return str(request.param)


class Harm:
    """Whoever unpickles this makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def plant(kind: str, key: str, data: bytes) -> None:
    """As somebody with the store's password would: not by our code."""
    place = caches["default"].make_key(key)
    if kind == "redis":
        redis.Redis.from_url(SERVER).set(place, data, ex=60)
        return
    with connection.cursor() as cursor:
        given = [place, base64.b64encode(data).decode(), datetime(2999, 1, 1, tzinfo=UTC)]
        cursor.execute("INSERT INTO nextrade_cache (cache_key, value, expires) VALUES (%s, %s, %s)", given)


def test_what_was_planted_in_a_cache_is_not_run(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "harm"
    pickle.loads(pickle.dumps(Harm(file)))
    assert file.exists()
    file.unlink()
    plant(kind, "quotes", pickle.dumps(Harm(file)))
    for read in (cache.get, lambda key: cache.get_many([key])):
        with pytest.raises(pickle.UnpicklingError, match="nothing of ours"):
            read("quotes")
    assert not file.exists()


@pytest.mark.parametrize("name", ["os system", "orders.quotes.base Quote.__init__.__globals__", "decimal _os"])
def test_no_other_name_is_looked_up(kind: str, name: str) -> None:
    module, _, wanted = name.partition(" ")
    plant(
        kind,
        "x",
        b"\x80\x04\x8c"
        + bytes([len(module)])
        + module.encode()
        + b"\x8c"
        + bytes([len(wanted)])
        + wanted.encode()
        + b"\x93.",
    )
    with pytest.raises(pickle.UnpicklingError, match="nothing of ours"):
        cache.get("x")


@pytest.mark.parametrize("value", OURS, ids=lambda value: type(value).__name__)
def test_what_is_ours_comes_back(kind: str, value: object) -> None:
    cache.set("one", value, 60)
    assert cache.get("one", "nothing") == value
    assert cache.get_many(["one", "two"]) == {"one": value}
    assert cache.get_many([]) == {}


def test_what_is_over_does_not_come_back(kind: str) -> None:
    cache.set_many({"one": 1, "two": 2}, 1)
    time.sleep(2.1)
    assert cache.get_many(["one", "two"]) == {}
    assert cache.add("one", 3, 60)
    assert cache.get("one") == 3

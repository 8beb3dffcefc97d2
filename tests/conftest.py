"""The cast, a fixed noon, and a database whose trail may be emptied between tests."""

import os
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase
from hypothesis import HealthCheck

from agents import memory
from compliance import grants, projection, secrets, subjects, triggers
from orders import services
from orders.models import Account, Limits, Order
from tests import caching

Propose = Callable[..., Order]
NOON = datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC)
_empty = TransactionTestCase._fixture_teardown
hypothesis.settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("shared machine")


def _empty_without_triggers(case: TransactionTestCase) -> None:
    """Emptying the tables is what the triggers are there to prevent; `flush` puts them back by its post_migrate."""
    triggers.remove()
    _empty(case)


TransactionTestCase._fixture_teardown = _empty_without_triggers  # type: ignore[method-assign]


def person(username: str, group: str, *, is_staff: bool = False, **more: Any) -> User:
    user = User.objects.create_user(username, f"{username}@nextrade.example", "secret", is_staff=is_staff, **more)
    user.groups.add(Group.objects.get(name=group))
    return user


@pytest.fixture
def ann(db: None) -> User:
    """A trader with USD 100,000."""
    user = person("ann", "Traders")
    services.open_account(user, cash_usd=Decimal(100_000), by="system:test", at=NOON)
    return user


@pytest.fixture
def ben(db: None) -> User:
    user = person("ben", "Traders")
    services.open_account(user, cash_usd=Decimal(100_000), by="system:test", at=NOON)
    return user


@pytest.fixture
def bob(db: None) -> User:
    return person("bob", "Approvers", is_staff=True)


@pytest.fixture
def bea(db: None) -> User:
    return person("bea", "Approvers", is_staff=True)


@pytest.fixture
def carol(db: None) -> User:
    return person("carol", "Compliance", is_staff=True)


@pytest.fixture
def olga(db: None) -> User:
    """Operations, and superuser."""
    return person("olga", "Operations", is_staff=True, is_superuser=True)


@pytest.fixture
def account(ann: User) -> Account:
    return Account.objects.get(owner=ann)


@pytest.fixture(autouse=True)
def the_cache_is_fresh() -> None:
    caching.begin()


@pytest.fixture(autouse=True)
def people_are_fresh() -> None:
    """Two tests may give one key to two people."""
    projection.username.cache_clear()
    secrets.path(subjects.WRAP).unlink(missing_ok=True)
    Path(settings.SUBJECTS_DATABASE["NAME"]).unlink(missing_ok=True)
    subjects.forget()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The roles' rights, committed: a check in a thread of its own has a connection of its own."""
    if os.environ.get("TEST_ROLE") and not settings.SQLITE:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            for statement in grants.statements():
                cursor.execute(statement)


@pytest.fixture(autouse=True)
def restricted_role(request: pytest.FixtureRequest, limits: None) -> Iterator[None]:
    """With TEST_ROLE=nextrade_app, on PostgreSQL, a test's own work is done in the role that `audit grants` makes, but
    for those marked `owner`, which do what only the sealer or the tables' owner may."""
    wanted = os.environ.get("TEST_ROLE", "")
    is_owner = request.node.get_closest_marker("owner")
    if not wanted or is_owner or settings.SQLITE or not {"db", "transactional_db"} & set(request.fixturenames):
        yield
        return

    def take_on(connection: Any = connection, **_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET ROLE {wanted}")

    take_on()
    connection_created.connect(take_on)
    yield
    connection_created.disconnect(take_on)
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")


@pytest.fixture(autouse=True)
def limits(request: pytest.FixtureRequest) -> None:
    """The limits that the migration leaves, which an emptied database has lost."""
    if "db" in request.fixturenames or "transactional_db" in request.fixturenames:
        request.getfixturevalue("transactional_db" if "transactional_db" in request.fixturenames else "db")
        if not Limits.objects.exists():
            make_limits()


def make_limits(**changes: Any) -> Limits:
    wanted: dict[str, Any] = {
        "max_quantity": Decimal(100_000),
        "max_notional_usd": Decimal(250_000),
        "min_notional_usd": Decimal(1),
        "max_approval_usd": Decimal(250_000),
        "second_approver_usd": Decimal(75_000),
        "collar_pct": Decimal(10),
        "drift_pct": Decimal("0.5"),
        "max_position_pct": Decimal(80),
        "max_sector_pct": Decimal(95),
        "max_gross_usd": Decimal(1_000_000),
        "max_credit_usd": Decimal(500_000),
        "max_firm_credit_usd": Decimal(10_000_000),
        "max_daily_loss_usd": Decimal(10_000),
        "max_drawdown_pct": Decimal(25),
        "max_orders_per_minute": 30,
        "max_orders_per_day": 500,
        "duplicate_window_s": 30,
        "max_quote_age_s": 120,
        "set_by": "system:test",
        "set_at": NOON,
        "approved_by": "system:installation",
        "approved_at": NOON,
    }
    return Limits.objects.create(**{**wanted, **changes})


@pytest.fixture(scope="session", autouse=True)
def memory_is_closed(django_db_setup: None) -> Iterator[None]:
    """The supervisor's connections, which the test database could not be dropped under."""
    yield
    if memory.checkpointer.cache_info().currsize and not settings.SQLITE:
        memory.checkpointer().conn.close()  # type: ignore[attr-defined]


@pytest.fixture
def propose(ann: User) -> Propose:
    """Proposes as ann's agent would; each call is a tool call of its own unless a key is given."""

    def run(**wanted: Any) -> Order:
        owner, at = wanted.pop("owner", ann), wanted.pop("at", NOON)
        request = {"key": uuid.uuid4().hex, "symbol": "AAPL", "side": "buy", "quantity": "10", **wanted}
        return services.propose(services.Request(**request), owner=owner, by="agent:portfolio", at=at)

    return run


@pytest.fixture
def approved(propose: Propose, bob: User) -> Order:
    order = propose()
    return services.approve(order.pk, by=bob, version=order.version, at=NOON)

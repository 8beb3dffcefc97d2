import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User

from orders import services
from orders.models import Order
from tests.conftest import NOON

Propose = Callable[..., Order]


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

"""What the worker runs: each loads by id, calls one service and survives running twice."""

import uuid

from django.utils import timezone

from orders import services
from orders.models import Outbox


def execute(*, order_id: str, kind: str) -> None:
    services.execute(uuid.UUID(order_id), Outbox.Kind(kind), at=timezone.now())


def reconcile() -> int:
    return services.reconcile(at=timezone.now())


def expire_stale() -> int:
    return services.expire_stale(at=timezone.now())

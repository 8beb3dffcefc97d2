import logging
from datetime import timedelta
from uuid import UUID

import structlog
from django.utils import timezone

from agents import memory, metrics, months, services, stream
from agents.models import QueuedTurn
from agents.serializers import rendered
from nextrade.errors import NexTradeError

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(minutes=15)
QUEUED_KEPT = timedelta(days=1)
"""How long the status of a queued turn can be asked for; its words and answer stay in the conversation."""


def tell_late() -> int:
    return services.tell_late(since=timezone.now() - LOOK_BACK)


def forget_streams() -> int:
    now = timezone.now()
    queued, _ = QueuedTurn.objects.filter(created_at__lt=now - QUEUED_KEPT).delete()
    return queued + stream.forget(at=now)


def prune_checkpoints() -> int:
    return memory.prune()


def make_months() -> int:
    return months.make_ahead(at=timezone.now())


def answer(*, turn_id: str) -> None:
    """Answer one queued turn and keep what became of it."""
    row = QueuedTurn.objects.filter(pk=turn_id)
    request_id = row.values_list("request_id", flat=True).first() or ""
    outcome: dict[str, object]
    with structlog.contextvars.bound_contextvars(request_id=request_id, user=None, thread_id=None):
        try:
            with metrics.counted("/chat"):
                given = services.answer_queued(UUID(turn_id), at=timezone.now())
            if given is None:
                return
            outcome = {"state": QueuedTurn.State.DONE, "answer": rendered(given, request_id)}
        except NexTradeError as error:
            outcome = {"state": QueuedTurn.State.FAILED, "error": {"code": error.reason, "message": error.message}}
        except Exception:
            log.exception("Chat endpoint error: a queued turn failed")
            failed = {"code": "server_error", "message": "Something went wrong on our side. Please try again."}
            outcome = {"state": QueuedTurn.State.FAILED, "error": failed}
    row.update(finished_at=timezone.now(), **outcome)

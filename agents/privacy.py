"""What agents hold of a person: their conversations, and what the model remembers of these."""

import sqlite3
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User

from agents.models import Message, ModelCall, QueuedTurn, Thread, TurnEvent
from compliance.erasure import Contributor


def _export(user: User) -> dict[str, Any]:
    threads = Thread.objects.filter(owner=user).order_by("created_at")
    return {
        "threads": [
            {
                "id": str(thread.pk),
                "title": thread.title,
                "created_at": thread.created_at.isoformat(),
                "messages": [
                    {"role": said.role, "content": said.content, "at": said.created_at.isoformat()}
                    for said in Message.objects.filter(thread=thread).order_by("id")
                ],
            }
            for thread in threads
        ],
        "model_calls": ModelCall.objects.filter(user=user).count(),
    }


def _erase(user: User) -> int:
    """Conversations and memory. The count of model calls has nothing of the person in it, and stays for the bill."""
    from agents import graph

    for thread_id in Thread.objects.filter(owner=user).values_list("pk", flat=True):
        graph.forget(thread_id)
    for thread_id in ModelCall.objects.filter(user=user).values_list("thread_id", flat=True).distinct():
        graph.forget(thread_id)
    streamed = TurnEvent.objects.filter(owner=user).delete()[0] + QueuedTurn.objects.filter(owner=user).delete()[0]
    return streamed + Thread.objects.filter(owner=user).delete()[0]


def _scrub() -> None:
    """Write the memory's file anew: deleted rows of SQLite stay in it until something else takes their place."""
    file = settings.DATA_DIR / "checkpoints.sqlite3"
    if settings.SQLITE and file.exists():
        connection = sqlite3.connect(file, timeout=20)
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


CONTRIBUTOR = Contributor(name="conversations", export=_export, erase=_erase, scrub=_scrub)

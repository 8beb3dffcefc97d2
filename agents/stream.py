"""A turn's events as they happen, and again for whoever lost the connection.

The turn runs in a thread of its own: a client that goes away ends nothing. Its events are rows for five minutes, so any
process can tell the rest of them. An answer leaves piece by piece, each only after the output guard has seen what
comes after it; `done` carries the whole answer, and is what counts where the two differ.
"""

import contextvars
import json
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from agents import calls
from agents.guard_stream import OutputStream
from agents.models import TurnEvent
from agents.turn import Tell
from nextrade.errors import Missing

KEPT = timedelta(minutes=5)
ENDS = frozenset({"done", "error"})
AGAIN = "again"
POLL_S = 0.2
KEEP_ALIVE_S = 10


@dataclass(frozen=True, kw_only=True)
class Event:
    """number: from 1, without gaps in a turn. kind: status, token, tool, order, done or error."""

    number: int
    kind: str
    data: Mapping[str, Any]

    def encode(self) -> str:
        """As text/event-stream has it (WHATWG HTML, 9.2)."""
        return f"id: {self.number}\nevent: {self.kind}\ndata: {json.dumps(self.data, cls=DjangoJSONEncoder)}\n\n"


@dataclass(kw_only=True)
class Recorder:
    """Keeps what a turn tells, and hands it to whoever follows from this process."""

    turn_id: uuid.UUID
    owner: User
    spoken: str = ""
    told: "queue.SimpleQueue[Event | Exception]" = field(default_factory=queue.SimpleQueue)
    count: int = 0

    def __call__(self, kind: str, data: Mapping[str, Any]) -> None:
        event = Event(number=self.count + 1, kind=kind, data=json.loads(json.dumps(data, cls=DjangoJSONEncoder)))
        self._keep(event)
        self.told.put(event)
        self.spoken = "" if data.get("step") == AGAIN else self.spoken + data.get("text", "") * (kind == "token")
        self.count += 1

    def fail(self, error: Exception) -> None:
        """End with an error, which whoever follows here hears of even where it cannot be kept."""
        if not self.count:
            self.told.put(error)
            return
        event = Event(number=self.count + 1, kind="error", data=_described(error))
        self.told.put(event)
        self._keep(event)

    def _keep(self, event: Event) -> None:
        TurnEvent.objects.create(
            turn_id=self.turn_id,
            owner=self.owner,
            number=event.number,
            kind=event.kind,
            data=event.data,
            at=timezone.now(),
        )
        calls.lend_connections()

    def say_rest(self, whole: str) -> None:
        """Tell what the preview held back; nothing where the whole answer reads otherwise than what was told."""
        if whole.startswith(self.spoken) and (rest := whole[len(self.spoken) :]):
            self("token", {"text": rest})


class Preview:
    """An answer that is still being written, told piece by piece as the output guard lets it."""

    def __init__(self, tell: Tell, *, canary: str = "") -> None:
        self._tell = tell
        self._canary = canary
        self._message = ""
        self._guarded = OutputStream(canary=canary)

    def add(self, message_id: str, text: str) -> None:
        """Some more of a message. Another message's id: the model began anew, and so does the preview."""
        if message_id != self._message:
            if self._message:
                self._tell("status", {"step": AGAIN, "text": "The answer begins again."})
            self._message, self._guarded = message_id, OutputStream(canary=self._canary)
        if fresh := self._guarded.feed(text):
            self._tell("token", {"text": fresh})


def begin(turn_id: uuid.UUID, *, owner: User, run: Callable[[Tell], Mapping[str, Any]]) -> Iterator[str]:
    """Run a turn in a thread of its own and follow it. run: tells of the turn, and gives what `done` carries.

    Raises what the turn raises before it has told anything, so that a refusal keeps its own status.
    """
    recorder = Recorder(turn_id=turn_id, owner=owner)

    def work() -> None:
        try:
            answer = run(recorder)
            recorder.say_rest(answer["response"])
            recorder("done", answer)
        except Exception as error:  # noqa: BLE001 - whoever follows is told; the log has it already
            recorder.fail(error)
        finally:
            calls.release_connections()

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True, name=f"turn-{turn_id}").start()
    calls.lend_connections()
    first = recorder.told.get()
    if isinstance(first, Exception):
        raise first
    return _follow_here(first, recorder)


def follow(turn_id: uuid.UUID, *, owner: User, after: int) -> Iterator[str]:
    """What a turn has told since event number `after`, and tells until its end, from any process.

    Raises Missing when the turn is another person's, unknown, or told its last event more than five minutes ago.
    """
    known = TurnEvent.objects.filter(turn_id=turn_id, owner=owner)
    if not known.filter(at__gt=timezone.now() - KEPT).exists():
        raise Missing("there is no such turn, or it ended more than five minutes ago")
    return _follow_rows(turn_id, after)


def forget(*, at: datetime) -> int:
    """Drop the events that nobody can ask for any more; how many."""
    deleted, _ = TurnEvent.objects.filter(at__lt=at - 2 * KEPT).delete()
    return deleted


def _follow_here(first: Event, recorder: Recorder) -> Iterator[str]:
    yield first.encode()
    while True:
        calls.release_connections()
        try:
            event = recorder.told.get(timeout=KEEP_ALIVE_S)
        except queue.Empty:
            yield ": the turn goes on\n\n"
            continue
        assert isinstance(event, Event)
        yield event.encode()
        if event.kind in ENDS:
            return


def _follow_rows(turn_id: uuid.UUID, after: int) -> Iterator[str]:
    deadline = time.monotonic() + settings.TURN_DEADLINE_S + KEEP_ALIVE_S
    while time.monotonic() < deadline:
        for row in TurnEvent.objects.filter(turn_id=turn_id, number__gt=after).order_by("number"):
            after = row.number
            yield Event(number=row.number, kind=row.kind, data=row.data).encode()
            if row.kind in ENDS:
                return
        calls.release_connections()
        time.sleep(POLL_S)
    lost = {"code": "turn_lost", "message": "The process that answered has ended. What was proposed stands."}
    yield Event(number=after + 1, kind="error", data=lost).encode()


def _described(error: Exception) -> dict[str, str]:
    code = getattr(error, "reason", "server_error")
    return {"code": code, "message": getattr(error, "message", "Something went wrong on our side. Please try again.")}

"""Where checkpoints are put outside of the database, so that its owner cannot take them back.

`NEXTRADE_ANCHORS` lists the sinks: `file:/path`, `mailto:officer@firm`, `s3:bucket/prefix`, `rfc3161:https://authority`.
Whoever can be read back says what the newest size of each log was; sealer and `audit verify` refuse what is smaller.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from django.conf import settings
from django.core.mail import EmailMessage

from compliance import notes, trust
from compliance.models import timestamp
from nextrade.errors import Unavailable


class SinkProblem(Unavailable):
    """A sink cannot be written or read."""

    code = "anchor_sink"


@dataclass(frozen=True, kw_only=True)
class Anchored:
    """A note as a sink has it: a checkpoint's or a statement's. at: when it was put there."""

    note: str
    at: str
    ref: str


class Sink(Protocol):
    """name: as the setting has it. every: how often it takes checkpoints."""

    name: str
    every: timedelta

    def publish(self, note_texts: Sequence[str], *, at: datetime) -> str:
        """Put the notes outside; how they are found there. Raises SinkProblem."""

    def read(self) -> Iterator[Anchored] | None:
        """What was put there, oldest first; None where it cannot be asked. Raises SinkProblem."""


class FileSink:
    """An append-only file, one JSON object a line, on another volume than the database."""

    every = timedelta(0)

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = Path(name.removeprefix("file:"))

    def publish(self, note_texts: Sequence[str], *, at: datetime) -> str:
        lines = "".join(json.dumps({"at": timestamp(at), "note": note}) + "\n" for note in note_texts)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), "ab") as file:
                file.write(lines.encode())
                file.flush()
                os.fsync(file.fileno())
                return f"byte {file.tell() - len(lines.encode())}"
        except OSError as error:
            raise SinkProblem(f"the anchor file cannot be written: {type(error).__name__}") from error

    def read(self) -> Iterator[Anchored]:
        if not self.path.exists():
            return
        try:
            with self.path.open("rb") as file:
                place = 0
                for line in file:
                    stored = json.loads(line)
                    yield Anchored(note=stored["note"], at=stored["at"], ref=f"byte {place}")
                    place += len(line)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SinkProblem("the anchor file is damaged") from error


class MailSink:
    """A daily message with the newest checkpoints: cheap, and in mailboxes that no administrator empties at once."""

    every = timedelta(days=1)

    def __init__(self, name: str) -> None:
        self.name = name

    def publish(self, note_texts: Sequence[str], *, at: datetime) -> str:
        message = EmailMessage(
            subject=f"Audit trail checkpoints, {at:%Y-%m-%d}",
            body="Keep this message: it proves what the trail was.\n\n" + "\n".join(note_texts),
            to=[self.name.removeprefix("mailto:")],
        )
        headers = message.message()
        message.extra_headers["Message-ID"] = headers["Message-ID"]
        try:
            message.send()
        except OSError as error:  # smtplib's errors are such too
            raise SinkProblem(f"the digest was not sent: {type(error).__name__}") from error
        return str(headers["Message-ID"])

    def read(self) -> None:
        return None


def sinks() -> tuple[Sink, ...]:
    """By `NEXTRADE_ANCHORS`, in its order."""
    from compliance.remote_sinks import BucketSink, ClockSink

    known: dict[str, Callable[[str], Sink]] = {
        "file": FileSink,
        "mailto": MailSink,
        "s3": BucketSink,
        "rfc3161": ClockSink,
    }
    return tuple(known[name.partition(":")[0]](name) for name in settings.ANCHORS)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """The newest that a sink has of a log."""

    checkpoint: notes.Checkpoint
    at: str
    ref: str


def newest(anchored: Iterable[Anchored], ring: trust.Keyring) -> dict[str, Seen]:
    """By log, believing what our keys signed; a restore statement takes a log back to where it says.

    Raises SinkProblem where the sink itself goes back without one.
    """
    found: dict[str, Seen] = {}
    for item in anchored:
        note = notes.take_apart(item.note)
        if note.text.startswith(f"{trust.origin()}\n"):
            said = trust.read(item.note)
            if said.kind == trust.Kind.RESTORE and ring.is_signed(note, said.at):
                found.pop(said.subject, None)
            continue
        checkpoint = notes.Checkpoint.parse(note.text)
        if not ring.signers(note, checkpoint.at):
            continue
        log = checkpoint.origin.removeprefix(trust.origin(""))
        before = found.get(log)
        if before and checkpoint.size < before.checkpoint.size:
            raise SinkProblem(f"{log} goes back from {before.checkpoint.size} to {checkpoint.size} in its anchors")
        found[log] = Seen(checkpoint=checkpoint, at=item.at, ref=item.ref)
    return found

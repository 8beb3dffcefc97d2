"""The sealer's round: seal what is there, put the new checkpoints outside, never go behind what stands outside."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from compliance import anchors, notes, seal, trust
from compliance.alerts import raise_alert
from compliance.anchors import SinkProblem
from compliance.models import Anchor, Checkpoint, EventType, Statement, timestamp
from compliance.notes import Signer
from compliance.seal import TrailBroken, Unsealed
from compliance.secrets import KeyProblem

log = logging.getLogger(__name__)
IMMEDIATE = (EventType.ORDER, EventType.APPROVAL, EventType.EXECUTION, EventType.SYSTEM)
LOOK_BACK = timedelta(minutes=1)
LOOK_AT_ALL = timedelta(hours=1)


@dataclass
class Outbox:
    """What one sink has yet to take: statements, and the newest checkpoint of each log."""

    sink: anchors.Sink
    statements: list[str] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    taken_at: datetime | None = None

    def is_due(self, at: datetime) -> bool:
        has_something = bool(self.statements or self.checkpoints)
        return has_something and (self.taken_at is None or at - self.taken_at >= self.sink.every)


@dataclass
class Sealer:
    """One sealer's memory, which saves it work; another may seal at any moment.

    It looks for events above `floor`, a minute back or two, in each round, and at the past below once an hour, a
    stretch a round. reached: where a backlog of several rounds goes on. past: as far as the past has been looked at.
    """

    outboxes: list[Outbox] = field(default_factory=lambda: [Outbox(sink) for sink in anchors.sinks()])
    seen: dict[str, notes.Checkpoint] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    statements: int = 0
    floor: int = 0
    next_floor: int = 0
    reached: int = 0
    past: int = 0
    newest_id: int = 0
    floor_at: datetime | None = None
    past_at: datetime | None = None

    def start(self, *, at: datetime) -> None:
        """Make sure of key, past and sinks. Raises KeyProblem, SinkProblem, TrailBroken."""
        with transaction.atomic():
            seal.lock()
            if not Statement.objects.exists():
                if Checkpoint.objects.exists():
                    raise TrailBroken("there are checkpoints, and no key that could have signed them")
                trust.begin(timestamp(at)).save()
        ring = trust.keyring()
        signer_in_force(ring)
        self.statements = len(ring.said)
        for outbox in self.outboxes:
            self._compare(outbox, ring)
        for name in {*self.seen, *(checkpoint.log for checkpoint in tips())}:
            seal.tip(name, ring)
        for name, newest in self.seen.items():
            require_progress(name, newest)
        self.newest_id = seal.newest_sealed()
        self.floor = self.next_floor = max(0, self.newest_id - seal.RECENT)

    def is_urgent(self) -> bool:
        """Whether something waits that may not wait for the second to be over."""
        waiting = seal.unsealed(above=max(self.floor, self.reached)).filter(type__in=IMMEDIATE)
        return waiting.exclude(pk__in=self.refused).exists()

    def seal(self, *, at: datetime) -> int:
        """Seal and anchor what is there; how many events. Raises KeyProblem and TrailBroken."""
        self._move_floor(at)
        with transaction.atomic():
            seal.lock()
            ring = trust.keyring()
            signer = signer_in_force(ring)
            self._pass_on(ring)
            for name, newest in self.seen.items():
                require_progress(name, newest)
            made = seal.freeze_past(ring=ring, signer=signer, at=at)
            batches = self._batches(at)
            for name, events in batches.items():
                made.append(seal.extend(name, events, ring=ring, signer=signer, at=at))
        for checkpoint in made:
            self._put(checkpoint)
        self.newest_id = max([self.newest_id, *(events[-1].id for events in batches.values())])
        self.anchor(signer, at=at)
        return sum(map(len, batches.values()))

    def anchor(self, signer: Signer, *, at: datetime) -> None:
        """Put outside what waits, wherever it is time. A sink that fails is tried again and holds up no other."""
        for outbox in self.outboxes:
            if not outbox.is_due(at):
                continue
            texts = [*outbox.statements, *outbox.checkpoints.values()]
            try:
                ref = outbox.sink.publish(texts, at=at)
            except SinkProblem as problem:
                log.error("Anchoring failed: %s", problem.message)  # noqa: TRY400 - no traceback a second
                continue
            Anchor.objects.bulk_create(
                [
                    confirmation(name, note, outbox.sink.name, ref, signer, at)
                    for name, note in outbox.checkpoints.items()
                ]
            )
            outbox.taken_at = at
            outbox.statements.clear()
            outbox.checkpoints.clear()

    def _batches(self, at: datetime) -> dict[str, list[Unsealed]]:
        """What is to be sealed, by log. An event whose HMAC is wrong is left out, and raises the alarm once."""
        first, folder = seal.first_signed(), settings.KEYS_DIR
        found: dict[str, list[Unsealed]] = {}
        logs: dict[str, str] = {}
        for event in self._pending():
            if not seal.is_written_by_us(event, first_signed=first, folder=folder):
                self.refused.add(event.id)
                raise_alert("event_not_ours", actor="system:sealer", at=at, details={"event": event.id})
                continue
            if event.retention_class not in logs:
                logs[event.retention_class] = seal.open_log(event.retention_class, at)
            found.setdefault(logs[event.retention_class], []).append(event)
        return found

    def _put(self, checkpoint: Checkpoint) -> None:
        self.seen[checkpoint.log] = notes.Checkpoint.parse(notes.take_apart(checkpoint.note).text)
        for outbox in self.outboxes:
            outbox.checkpoints[checkpoint.log] = checkpoint.note

    def _pass_on(self, ring: trust.Keyring) -> None:
        """Have what was stated since the last round put outside too."""
        if len(ring.said) > self.statements:
            new = list(Statement.objects.order_by("id").values_list("note", flat=True)[self.statements :])
            self.statements = len(ring.said)
            for outbox in self.outboxes:
                outbox.statements += new

    def _compare(self, outbox: Outbox, ring: trust.Keyring) -> None:
        """Learn what the sink has, and give it what it lacks."""
        anchored = outbox.sink.read()
        known = list(anchored) if anchored is not None else []
        has = {item.note for item in known}
        outbox.statements = [
            note for note in Statement.objects.order_by("id").values_list("note", flat=True) if note not in has
        ]
        if outbox.sink.every:
            last = Anchor.objects.filter(sink=outbox.sink.name).order_by("-id").first()
            outbox.taken_at = last.confirmed_at if last else None
            outbox.statements = [] if last else outbox.statements
        for name, newest in anchors.newest(known, ring).items():
            if name not in self.seen or newest.checkpoint.size >= self.seen[name].size:
                self.seen[name] = newest.checkpoint
        for checkpoint in tips():
            if (
                checkpoint.note not in has
                and not Anchor.objects.filter(sink=outbox.sink.name, log=checkpoint.log, size=checkpoint.size).exists()
            ):
                outbox.checkpoints[checkpoint.log] = checkpoint.note

    def _pending(self) -> Iterator[Unsealed]:
        """A batch of what is unsealed: of a stretch of the past, then of what is new."""
        if self.past < self.floor:
            upto = min(self.past + seal.BATCH, self.floor)
            yield from seal.pending(above=self.past, upto=upto, refused=self.refused)
            self.past = upto
        start, newest, found = max(self.reached, self.floor), seal.newest(), 0
        while start < newest and found < seal.BATCH:
            stretch = seal.pending(above=start, upto=start + seal.BATCH, refused=self.refused)
            yield from stretch
            start, found = start + seal.BATCH, found + len(stretch)
        self.reached = start if start < newest else 0

    def _move_floor(self, at: datetime) -> None:
        """Each minute stop looking again at what was sealed a minute ago; each hour begin to look at all of it."""
        if self.past_at is None or abs(at - self.past_at) >= LOOK_AT_ALL:
            self.past, self.past_at = 0, at
        if self.floor_at is None or abs(at - self.floor_at) >= LOOK_BACK:
            self.floor, self.next_floor, self.floor_at = self.next_floor, self.newest_id, at


def tips() -> list[Checkpoint]:
    """The newest checkpoint of each log."""
    logs = Checkpoint.objects.values_list("log", flat=True).distinct()
    return [Checkpoint.objects.filter(log=name).latest("id") for name in logs]


def signer_in_force(ring: trust.Keyring) -> Signer:
    """Raises KeyProblem where no key is in force, or it is not here."""
    if ring.faults or ring.current is None:
        raise KeyProblem(f"the keys' statements do not lead to a key in force: {'; '.join(ring.faults)}")
    return trust.load(ring.current.verifier)


def require_progress(name: str, newest: notes.Checkpoint) -> None:
    """Raises TrailBroken where the database is behind what stands outside, or says something else."""
    same = Checkpoint.objects.filter(log=name, size=newest.size)
    if not any(bytes(root) == newest.root for root in same.values_list("root", flat=True)):
        here = Checkpoint.objects.filter(log=name).order_by("-id").values_list("size", flat=True).first()
        raise TrailBroken(
            f"{name} is anchored at {newest.size} events and stands at {here or 0}, or with another root: "
            "after a restore, run manage.py audit restored"
        )


def confirmation(name: str, note: str, sink: str, ref: str, signer: Signer, at: datetime) -> Anchor:
    """The sealer's signed word that a sink has taken a checkpoint, not saved."""
    size = notes.Checkpoint.parse(notes.take_apart(note).text).size
    anchor = Anchor(log=name, size=size, sink=sink, external_ref=ref, confirmed_at=at)
    anchor.note = notes.make(confirmed(anchor), signer)
    return anchor


def confirmed(anchor: Anchor) -> list[str]:
    """The lines of an anchor's note, from its columns."""
    columns = (anchor.log, str(anchor.size), anchor.sink, anchor.external_ref, timestamp(anchor.confirmed_at))
    return [trust.origin("anchor"), *columns]

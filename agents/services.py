"""The verbs of a conversation: answer a message, delete a thread, tell a thread what became of its orders."""

import logging
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django_q.tasks import async_task

from agents import answers, canary, claims, costs, guard, live, metrics
from agents.evidence import Citation
from agents.guarding.advice import advice
from agents.models import Message, ModelCall, QueuedTurn, Thread
from agents.turn import ModelUnavailable, Stopped, Tell, Turn, silent
from compliance import audit
from compliance.audit import Action
from compliance.models import ComplianceEvent, Outcome
from compliance.projection import name as username
from nextrade.errors import Invalid, Missing, Refused
from nextrade.resilience import log_execution_time
from orders import instruments
from orders.models import Order
from orders.payload import plain

log = logging.getLogger(__name__)
LOGGED_CHARACTERS, REDACTED_CHARACTERS = 50, 1_000
MOST_ATTEMPTS = 2
"""How many workers may die on a queued turn."""
MOST_NAMED = 20
"""Numbers without a source that an answer names."""
MOST_TOPICS = 12
CLOSING_S = 1
"""Of a turn's seconds, those that are kept for storing the answer."""
TOLD = {
    "order_approved": "Approved by {who}: {what}. It is on its way to the broker.",
    "order_declined": "Declined by {who}: {what}. Reason: {why}",
    "order_denied": "Stopped before sending: {what}. {why}",
    "order_lapsed": "Lapsed: {what}. Nobody decided in time, so nothing was sent.",
    "order_filled": "Filled: {what} at {price}{approver}.",
    "order_partially_filled": "Partly filled: {done} of {what} at {price}{approver}.",
    "order_rejected": "Rejected by the broker: {what}. {why}",
    "order_canceled": "Canceled at the broker: {what}.",
    "order_expired": "Expired at the broker: {what}.",
}
"""What a thread is told of an order's moves; {why} and the like are facts of the move, escaped where they are shown."""


class InputRejected(Invalid):
    code = "input_rejected"


class MessageTooLong(Invalid):
    code = "message_too_long"


class ThreadBusy(Refused):
    code = "thread_busy"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One turn's end. orders: those proposed in this turn, denied ones too. unsupported: numbers of the answer that no
    source of it gave. is_cached: said a moment ago to the same words."""

    response: str
    thread_id: uuid.UUID
    at: datetime
    orders: Sequence[Order]
    model: str
    citations: Sequence[Citation]
    unsupported: Sequence[str]
    is_cached: bool = False


@log_execution_time
def process_chat_request(
    *,
    by: User,
    message: str,
    thread_id: uuid.UUID | None,
    at: datetime,
    turn_id: uuid.UUID | None = None,
    tell: Tell = silent,
) -> Answer:
    """One turn: look at the words, run the graph, look at the answer, keep both.

    turn_id: a new one's, where the caller needs to know it. tell: hears of the steps, first when the words are taken.
    Raises MessageTooLong, InputRejected, Missing for another person's thread, ThreadBusy, Unavailable when no model
    answers.
    """
    log.info("Processing chat request for user %s", guard.normalise(by.username))
    turn = _open(by, message, thread_id, turn_id=turn_id or uuid.uuid4(), tell=tell, at=at)
    tell(
        "status",
        {"step": "reading", "text": "Reading your message", "thread_id": turn.thread_id, "turn_id": turn.turn_id},
    )
    return _answer(turn)


def enqueue(*, by: User, message: str, thread_id: uuid.UUID | None, request_id: str, at: datetime) -> QueuedTurn:
    """Take the words now and leave the answer to the worker. Raises what `process_chat_request` does before it asks a
    model."""
    turn = _open(by, message, thread_id, turn_id=uuid.uuid4(), tell=silent, at=at)
    with transaction.atomic(durable=True):
        queued = QueuedTurn.objects.create(
            id=turn.turn_id, owner=by, thread_id=turn.thread_id, words=message, request_id=request_id, created_at=at
        )
        async_task("agents.tasks.answer", turn_id=str(queued.pk), save=False)
    return queued


@log_execution_time
def answer_queued(turn_id: uuid.UUID, *, at: datetime) -> Answer | None:
    """Answer what `enqueue` took; None where another worker has it or has done it.

    A worker that died on it is followed by one more, which gives the answer that the first has kept, if it has; orders
    of the first stand and are not proposed again.
    """
    row = QueuedTurn.objects.select_related("owner", "thread").filter(pk=turn_id, finished_at=None).first()
    if row is None:
        return None
    if not QueuedTurn.objects.filter(pk=turn_id, finished_at=None, attempts=row.attempts).update(
        attempts=row.attempts + 1, state=QueuedTurn.State.RUNNING
    ):
        return None
    turn = _turn(row.owner, row.thread, row.pk, row.words, facts=_facts(row.thread), tell=silent)
    if said := Message.objects.filter(turn_id=turn_id, role=Message.Role.ASSISTANT).first():
        return _told(turn, said.content, at=said.created_at)
    if row.attempts >= MOST_ATTEMPTS or Order.objects.filter(turn_id=turn_id).exists():
        return _finish(turn, f"The process that answered you ended before it was done.{_proposed(turn)}")
    return _answer(turn)


def _answer(turn: Turn) -> Answer:
    """The graph's answer, screened and kept. The thread is let go, whatever happens."""
    try:
        if said := answers.kept(turn):
            _remember(turn, said)
            return _finish(turn, said, is_cached=True)
        text = _run(turn)
    except BaseException:
        _close(turn, at=timezone.now())
        raise
    answers.keep(turn, text)
    return _finish(turn, text)


def _remember(turn: Turn, said: str) -> None:
    from agents import graph

    graph.remember(turn, said)


def _finish(turn: Turn, text: str, *, is_cached: bool = False) -> Answer:
    screened = guard.screen_output(claims.corrected(turn, text), canary=canary.of(turn.thread_id))
    now = timezone.now()
    _close(turn, screened=screened, at=now)
    return _told(turn, screened.text, is_cached=is_cached, at=now)


def _told(turn: Turn, text: str, *, is_cached: bool = False, at: datetime) -> Answer:
    return Answer(
        response=text,
        thread_id=turn.thread_id,
        at=at,
        orders=[] if turn.is_mere_talk else list(_orders(turn)),
        model=turn.model,
        citations=turn.evidence.citations,
        unsupported=turn.unsupported,
        is_cached=is_cached,
    )


def delete_thread(thread_id: uuid.UUID, *, by: User, at: datetime) -> None:
    """Forget a conversation: its messages and what the model remembers. Its orders stay."""
    with transaction.atomic(durable=True):
        deleted, _ = Thread.objects.filter(pk=thread_id, owner=by).delete()
        if not deleted:
            raise Missing("there is no such thread")
        audit.record(Action.THREAD_DELETED, actor=audit.person(by), at=at, thread_id=thread_id)
    from agents import graph

    graph.forget(thread_id)


def tell(*, order_id: uuid.UUID, action: str = "", **_: Any) -> None:
    """Add to an order's thread a message for each of its moves that it has not heard of. Called after the commit of a
    move, with its action."""
    if action and action not in TOLD:
        return
    order = Order.objects.filter(pk=order_id).first()
    thread = Thread.objects.filter(pk=order.thread_id).first() if order and order.thread_id else None
    if order is None or thread is None:
        return
    Message.objects.bulk_create(_notices(order, thread), ignore_conflicts=True)
    live.moved(thread.pk)


def tell_late(*, since: datetime) -> int:
    """Tell what a crash between a move and its message left untold; how many orders were looked at."""
    moved = Order.objects.filter(updated_at__gte=since, thread_id__isnull=False).values_list("pk", flat=True)
    for order_id in moved:
        tell(order_id=order_id)
    return len(moved)


def _open(by: User, message: str, thread_id: uuid.UUID | None, *, turn_id: uuid.UUID, tell: Tell, at: datetime) -> Turn:
    """Take the thread for one turn and keep the message, or refuse it; either way the trail has it."""
    verdict = guard.screen_input(message)
    if settings.BUDGET_USER_USD or settings.BUDGET_FIRM_USD:
        costs.require_budget(by, at=at)
    thread = _thread(by, message, thread_id, at=at)
    told = _events_of_message(by, message, verdict, thread.pk if thread_id or verdict.valid else None, at=at)
    with transaction.atomic(durable=True):
        audit.append(*told)
        if verdict.valid:
            _take(thread, at=at)
            Message.objects.create(
                thread=thread, role=Message.Role.USER, content=message, turn_id=turn_id, created_at=at
            )
    if verdict.too_long:
        raise MessageTooLong(f"a message has at most {guard.MAX_LENGTH:,} characters, this one has {verdict.length:,}")
    if not verdict.valid:
        raise InputRejected(advice(verdict.categories))
    live.moved(thread.pk)
    facts = _facts(thread) if thread_id else ""
    return _turn(by, thread, turn_id, message, facts=facts, tell=tell)


def _events_of_message(
    by: User, message: str, verdict: guard.Verdict, thread_id: uuid.UUID | None, *, at: datetime
) -> list[ComplianceEvent]:
    """The events of a message: that it came, and what the guard said of it."""
    draft = partial(audit.draft, actor=audit.person(by), at=at, thread_id=thread_id)
    logged = guard.redact(message[:REDACTED_CHARACTERS])[:LOGGED_CHARACTERS]  # half a card number would not be found
    outcome = Outcome.SUCCESS if verdict.valid else Outcome.REFUSED
    told = [
        draft(Action.CHAT_REQUEST, personal={"message": logged}),
        draft(Action.INPUT, outcome=outcome, details={"length": verdict.length}),
    ]
    return told if verdict.valid else [*told, draft(Action.INPUT_VALIDATION_FAILED, details={"errors": verdict.errors})]


def _turn(owner: User, thread: Thread, turn_id: uuid.UUID, words: str, *, facts: str, tell: Tell) -> Turn:
    structlog.contextvars.bind_contextvars(user=audit.person(owner), thread_id=str(thread.pk))
    return Turn(
        owner=owner,
        thread_id=thread.pk,
        turn_id=turn_id,
        words=words,
        facts=facts,
        topics=tuple(thread.topics),
        models=_models(words),
        deadline=time.monotonic() + settings.TURN_DEADLINE_S - CLOSING_S,
        tell=tell,
    )


def _thread(by: User, message: str, thread_id: uuid.UUID | None, *, at: datetime) -> Thread:
    if thread_id is None:
        return Thread(owner=by, title=" ".join(message.split())[:80], created_at=at, updated_at=at)
    thread = Thread.objects.filter(pk=thread_id, owner=by).first()
    if thread is None:
        raise Missing("there is no such thread")
    return thread


def _take(thread: Thread, *, at: datetime) -> None:
    """Hold the thread until the turn must be over. Raises ThreadBusy when another turn has it."""
    until = at + timedelta(seconds=settings.TURN_DEADLINE_S + settings.LLM_TIMEOUT_S)
    if thread._state.adding:
        thread.busy_until = until
        thread.save(force_insert=True)
        return
    free = Thread.objects.filter(Q(busy_until=None) | Q(busy_until__lte=at), pk=thread.pk)
    if not free.update(busy_until=until):
        raise ThreadBusy("this conversation is still answering your last message")


def _models(words: str) -> tuple[str, ...]:
    from agents import llm

    return llm.route(words)


def _run(turn: Turn) -> str:
    """The graph's answer. Where a limit or a failing model ended the turn, what happened, and what was proposed until
    then. Raises ModelUnavailable when there is nothing but that to tell."""
    from agents import graph, limits  # the language-model libraries cost seconds to import; only who talks should pay

    try:
        answer = graph.answer(turn) if turn.tell is silent else graph.answer_aloud(turn)
        return _checked(limits.shorten_answer(answer), turn) or "I have no answer to that."
    except Stopped as stop:
        return f"{stop}{_proposed(turn)}"
    except ModelUnavailable as error:
        if proposed := _proposed(turn):
            return f"{error.message}{proposed}"
        raise


def _checked(answer: str, turn: Turn) -> str:
    """The answer, with a word on numbers that none of its sources gave."""
    turn.unsupported.extend(turn.evidence.unsupported(answer, known=f"{turn.words}\n{turn.facts}"))
    if not turn.unsupported:
        return answer
    named = "; ".join(turn.unsupported[:MOST_NAMED])
    return f"{answer}\n\nNo source of this answer gave these numbers, so do not rely on them: {named}."


def _orders(turn: Turn) -> QuerySet[Order]:
    return Order.objects.filter(turn_id=turn.turn_id).order_by("created_at", "pk")


def _proposed(turn: Turn) -> str:
    lines = [
        f"- {order.side} {plain(order.quantity)} {order.symbol}: {order.get_status_display()}"
        for order in _orders(turn)
    ]
    return "\n".join(["\n\nBefore that I made these orders, which stand:", *lines]) if lines else ""


def _close(turn: Turn, *, at: datetime, screened: guard.Screened | None = None) -> None:
    """Let the thread go, and keep the answer, if there is one, and the model calls."""
    rows = _calls(turn, at=at)
    _keep(turn, rows, screened, at=at)
    live.moved(turn.thread_id)
    metrics.count_calls(rows)
    if settings.BUDGET_USER_USD or settings.BUDGET_FIRM_USD:
        costs.warn(turn.owner, at=at)


def _calls(turn: Turn, *, at: datetime) -> list[ModelCall]:
    models = {call.model for call in turn.calls}
    priced = costs.prices(models, at=at) if models else {}
    for model in models - set(priced):
        log.warning("No price is known for model %s: its calls have no cost", model)
    return [
        ModelCall(
            user=turn.owner,
            thread_id=turn.thread_id,
            turn_id=turn.turn_id,
            cost_usd=costs.cost_usd(call, priced.get(call.model)),
            **asdict(call),
        )
        for call in turn.calls
    ]


def _keep(turn: Turn, calls: list[ModelCall], screened: guard.Screened | None, *, at: datetime) -> None:
    told = _events_of_answer(turn, screened, at=at)
    with transaction.atomic(durable=True):
        ModelCall.objects.bulk_create(calls)
        Thread.objects.filter(pk=turn.thread_id).update(busy_until=None, updated_at=at, topics=_topics(turn))
        if screened:
            Message.objects.create(
                thread_id=turn.thread_id,
                role=Message.Role.ASSISTANT,
                content=screened.text,
                turn_id=turn.turn_id,
                model=turn.model,
                citations=[asdict(citation) for citation in turn.evidence.citations],
                created_at=at,
            )
        audit.append(*told)


def _events_of_answer(turn: Turn, screened: guard.Screened | None, *, at: datetime) -> list[ComplianceEvent]:
    draft = partial(audit.draft, actor=audit.person(turn.owner), at=at, thread_id=turn.thread_id)
    errors = [*(screened.sensitive if screened else ()), *turn.leaks]
    told = [draft(Action.OUTPUT_VALIDATION_FAILED, details={"errors": errors})] if errors else []
    if screened:
        outcome = Outcome.REFUSED if screened.sensitive else Outcome.SUCCESS
        told.append(draft(Action.OUTPUT, outcome=outcome, details={"length": len(screened.text)}))
    return told


def _facts(thread: Thread) -> str:
    """What a model may know of a conversation beyond its newest words: the symbols that the person named, and the
    newest orders as the books have them. Facts alone, so that nobody's sentence lives on in it."""
    named = [f"Named in this conversation, the newest last: {', '.join(thread.topics)}"] if thread.topics else []
    orders = Order.objects.filter(thread_id=thread.pk).order_by("-created_at")[:5]
    lines = [
        f"- {order.pk} {order.side} {plain(order.quantity)} {order.symbol} {_kind(order)}: {order.status}"
        for order in orders
    ]
    books = ["Orders of this conversation, newest first, from the books:", *lines] if lines else []
    return "\n".join([*named, *books])


def _kind(order: Order) -> str:
    limit = f" at {plain(order.limit_price)}" if order.limit_price else ""
    return f"{order.order_type}{limit} {order.time_in_force}"


def _topics(turn: Turn) -> list[str]:
    named = [mention.instrument.symbol for mention in instruments.mentions(turn.words)]
    return list(dict.fromkeys(reversed([*turn.topics, *named])))[:MOST_TOPICS][::-1]


def _notices(order: Order, thread: Thread) -> list[Message]:
    history = [move for move in audit.history(order.pk) if move["to"]]
    approver = next((username(move["actor"]) for move in history if move["action"] == "order_approved"), "")
    price = f"${order.avg_px:,.2f}" if order.avg_px else "an unknown price"
    known = {
        "what": f"{order.side} {plain(order.quantity)} {order.symbol}",
        "done": plain(order.cum_qty),
        "price": price,
        "approver": f", approved by {approver}" if approver else "",
    }
    return [
        Message(
            thread=thread,
            role=Message.Role.NOTICE,
            content=TOLD[move["action"]].format(who=username(move["actor"]), why=move["reason"], **known),
            order_id=order.pk,
            order_version=move["version"],
            created_at=move["at"],
        )
        for move in history
        if move["action"] in TOLD and not (move["action"] == "order_denied" and move["from"] == "proposed")
    ]

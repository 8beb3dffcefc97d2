"""A trader's conversations, and the orders that come of them."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from rest_framework.authentication import SessionAuthentication

from agents import services
from agents.api import ChatStream
from agents.models import Message, Thread
from nextrade.api import RateLimit
from nextrade.desk import panels, shown
from nextrade.desk.access import DESK, htmx, trader, trader_page
from nextrade.desk.shown import Card
from nextrade.errors import Exhausted, NexTradeError
from orders import services as order_services
from orders.models import Order

MOST_THREADS, MOST_MESSAGES = 30, 200
LONG, LONG_LINES = 3_000, 40
NOTHING_NEW = 204
SUGGESTIONS = ("What do I hold?", "AAPL?", "Research Nvidia", "Buy 10 shares of Apple", "Compare Coca-Cola and Pepsi")
QUICK = ("What do I hold?", "Show my open orders", "How is my portfolio doing?")


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message with what it rests on and the orders that came of it. is_long: it is shown in a box that scrolls, so
    that no text pushes what follows off the page."""

    role: str
    content: str
    is_long: bool
    at: datetime
    model: str
    citations: Sequence[dict[str, Any]]
    cards: Sequence[Card]


class DeskStream(ChatStream):
    """The API's stream for who is logged in here; a session needs its CSRF token."""

    authentication_classes = (SessionAuthentication,)
    schema = None


@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The desk for traders, else what this is and where to go."""
    return desk(request) if request.user.has_perm(DESK) else render(request, "home.html")


@trader_page
def desk(request: HttpRequest, thread_id: uuid.UUID | None = None) -> HttpResponse:
    """A conversation with what surrounds it; none: a new one."""
    return render(request, "desk/page.html", _context(trader(request), thread_id))


@trader_page
def threads(request: HttpRequest) -> HttpResponse:
    """The list of conversations, which of them is `here`."""
    here = _thread(trader(request), _uuid(request.GET.get("here", "")))
    return render(request, "desk/threads.html", {"thread": here, "threads": _threads(trader(request))})


@trader_page
def news(request: HttpRequest, thread_id: uuid.UUID) -> HttpResponse:
    """What was said in a conversation since message `after`; nothing: 204."""
    thread = get_object_or_404(Thread, pk=thread_id, owner=trader(request))
    context = _talk(thread, after=_number(request.GET.get("after", "")))
    if not context["said"] and not context["is_answering"]:
        return HttpResponse(status=NOTHING_NEW)
    return render(request, "desk/news.html", {"thread": thread, **context})


@trader_page
def card(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """An order's card if it is no more as it `was`; else 204. Whoever listens is told that an order moved."""
    orders = Order.objects.prefetch_related("approvals__checker")
    order = get_object_or_404(orders, pk=order_id, maker=trader(request))
    if request.GET.get("was") == str(order.version):
        return HttpResponse(status=NOTHING_NEW)
    response = render(request, "desk/card.html", {"card": shown.card(order)})
    response.headers["HX-Trigger"] = "moved"
    return response


@trader_page
def side(request: HttpRequest) -> HttpResponse:
    return render(request, "desk/side.html", panels.side(trader(request), at=timezone.now()))


@trader_page
@require_POST
def say(request: HttpRequest) -> HttpResponse:
    """A message by plain form. A refusal is told above the conversation, and the words are still in the box."""
    user, words, thread_id = trader(request), request.POST.get("message", ""), _uuid(request.POST.get("thread_id", ""))
    try:
        _require_rate(request)
        answer = services.process_chat_request(by=user, message=words, thread_id=thread_id, at=timezone.now())
    except NexTradeError as error:
        messages.error(request, error.message)
        return render(request, "desk/page.html", {**_context(user, thread_id), "words": words}, status=200)
    return redirect("thread", thread_id=answer.thread_id)


@trader_page
@require_POST
def cancel(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Take an order of one's own back; then to where the button was."""
    user = trader(request)
    order = get_object_or_404(Order, pk=order_id, maker=user)
    problem = ""
    try:
        order_services.cancel(order_id, owner=user, by=f"user:{user.pk}", at=timezone.now())
    except NexTradeError as error:
        problem = f"Not cancelled: {error.message}."
    if htmx(request):
        order.refresh_from_db()
        response = render(request, "desk/card.html", {"card": shown.card(order), "problem": problem})
        response.headers["HX-Trigger"] = "moved"
        return response
    if problem:
        messages.error(request, problem)
    return redirect("thread", thread_id=order.thread_id) if order.thread_id else redirect("order", order_id=order.pk)


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


def _number(text: str) -> int:
    """The id of a message; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _require_rate(request: HttpRequest) -> None:
    limit = RateLimit()
    if not limit.allow_request(request, SimpleNamespace(throttle_scope="chat")):  # type: ignore[arg-type]
        raise Exhausted(f"That was often. Please wait {limit.wait():.0f} seconds.", wait_s=limit.wait())


def _context(user: User, thread_id: uuid.UUID | None) -> dict[str, Any]:
    thread, at = _thread(user, thread_id), timezone.now()
    return {
        "thread": thread,
        "threads": _threads(user),
        "suggestions": SUGGESTIONS,
        "quick": QUICK,
        "chart": panels.equity_chart(user, days=90),
        **(_talk(thread) if thread else {"said": [], "last_id": 0, "is_answering": False}),
        **panels.side(user, at=at),
    }


def _thread(user: User, thread_id: uuid.UUID | None) -> Thread | None:
    return get_object_or_404(Thread, pk=thread_id, owner=user) if thread_id else None


def _threads(user: User) -> QuerySet[Thread]:
    return Thread.objects.filter(owner=user).order_by("-updated_at", "-id")[:MOST_THREADS]


def _talk(thread: Thread, *, after: int = 0) -> dict[str, Any]:
    """What was said after a message, the newest id, and whether an answer is still being written."""
    rows = list(thread.messages.filter(pk__gt=after).order_by("-id")[:MOST_MESSAGES])[::-1]
    return {
        "said": _said(rows),
        "last_id": rows[-1].pk if rows else after,
        "is_answering": bool(thread.busy_until and thread.busy_until > timezone.now()),
    }


def _said(rows: Sequence[Message]) -> list[Said]:
    turns = {row.turn_id for row in rows if row.turn_id and row.role == Message.Role.ASSISTANT}
    cards: dict[uuid.UUID | None, list[Card]] = {}
    for order in Order.objects.filter(turn_id__in=turns).prefetch_related("approvals__checker").order_by("created_at"):
        cards.setdefault(order.turn_id, []).append(shown.card(order))
    return [
        Said(
            role=row.role,
            content=row.content,
            is_long=len(row.content) > LONG or row.content.count("\n") > LONG_LINES,
            at=row.created_at,
            model=row.model,
            citations=row.citations,
            cards=cards.get(row.turn_id, []) if row.role == Message.Role.ASSISTANT else [],
        )
        for row in rows
    ]

"""The page of a trader: conversations, orders that change while one looks, the books.

Everything is rendered here, with JavaScript or without: the script only sends the form as a stream and fetches the
parts of the page anew.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from rest_framework.authentication import SessionAuthentication

from agents import costs, services
from agents.api import ChatStream
from agents.models import Message, Thread
from nextrade.api import RateLimit
from nextrade.errors import Exhausted, NexTradeError
from orders import queries
from orders import services as order_services
from orders.models import OPEN, Account, Order, Status
from orders.payload import plain

DESK = "agents.use_desk"
MOST_THREADS, MOST_MESSAGES, MOST_ORDERS = 30, 200, 8
COLOURS = MappingProxyType(
    {
        Status.PENDING_APPROVAL: "waits",
        Status.APPROVED: "goes",
        Status.FILLED: "good",
        Status.PARTIALLY_FILLED: "goes",
        Status.NEW: "goes",
        Status.PENDING_NEW: "goes",
        Status.PENDING_CANCEL: "goes",
        Status.DENIED: "bad",
        Status.DECLINED: "bad",
        Status.REJECTED: "bad",
    }
)
SUGGESTIONS = ("What do I hold?", "AAPL?", "Research Nvidia", "Buy 10 shares of Apple", "Compare Coca-Cola and Pepsi")


@dataclass(frozen=True, kw_only=True)
class Card:
    """An order as the page shows it. detail: who decided, at what price, or why not."""

    order_id: uuid.UUID
    what: str
    price: str
    estimate: str
    status: str
    colour: str
    detail: str
    is_open: bool


@dataclass(frozen=True, kw_only=True)
class Said:
    """One message with the orders that came of it."""

    role: str
    content: str
    at: Any
    model: str
    cards: Sequence[Card]


class DeskStream(ChatStream):
    """The API's stream for who is logged in here; a session needs its CSRF token."""

    authentication_classes = (SessionAuthentication,)
    schema = None


@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The desk for traders, else what this is and where to go."""
    if request.user.has_perm(DESK):
        return desk(request)
    return render(request, "home.html")


@login_required(login_url="login")
@permission_required(DESK, raise_exception=True)
@never_cache
def desk(request: HttpRequest, thread_id: uuid.UUID | None = None) -> HttpResponse:
    """A conversation with what surrounds it; none: a new one."""
    return render(request, "desk/page.html", _context(_trader(request), thread_id))


@login_required(login_url="login")
@permission_required(DESK, raise_exception=True)
@never_cache
def parts(request: HttpRequest, thread_id: uuid.UUID | None = None) -> HttpResponse:
    """The parts of the page that change by themselves."""
    return render(request, "desk/parts.html", _context(_trader(request), thread_id))


@login_required(login_url="login")
@permission_required(DESK, raise_exception=True)
@require_POST
def say(request: HttpRequest) -> HttpResponse:
    """A message by plain form. A refusal is told above the conversation, and the words are still in the box."""
    user, words, thread_id = _trader(request), request.POST.get("message", ""), _uuid(request.POST.get("thread_id", ""))
    try:
        _require_rate(request)
        answer = services.process_chat_request(by=user, message=words, thread_id=thread_id, at=timezone.now())
    except NexTradeError as error:
        messages.error(request, error.message)
        return render(request, "desk/page.html", {**_context(user, thread_id), "words": words}, status=200)
    return redirect("thread", thread_id=answer.thread_id)


@login_required(login_url="login")
@permission_required(DESK, raise_exception=True)
@require_POST
def cancel(request: HttpRequest, order_id: uuid.UUID) -> HttpResponse:
    """Take an order of one's own back."""
    user = _trader(request)
    order = get_object_or_404(Order, pk=order_id, maker=user)
    try:
        order_services.cancel(order_id, owner=user, by=f"user:{user.pk}", at=timezone.now())
    except NexTradeError as error:
        messages.error(request, f"Not cancelled: {error.message}.")
    return redirect("thread", thread_id=order.thread_id) if order.thread_id else redirect("home")


def _trader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text) if text else None
    except ValueError as error:
        raise Http404 from error


def _require_rate(request: HttpRequest) -> None:
    limit = RateLimit()
    if not limit.allow_request(request, SimpleNamespace(throttle_scope="chat")):  # type: ignore[arg-type]
        raise Exhausted(f"That was often. Please wait {limit.wait():.0f} seconds.", wait_s=limit.wait())


def _context(user: User, thread_id: uuid.UUID | None) -> dict[str, Any]:
    now = timezone.now()
    thread = get_object_or_404(Thread, pk=thread_id, owner=user) if thread_id else None
    account = Account.objects.filter(owner=user).first()
    said = _said(thread) if thread else []
    recent = Order.objects.filter(maker=user).prefetch_related("approvals__checker").order_by("-created_at")
    orders = [_card(order) for order in recent[:MOST_ORDERS]]
    return {
        "thread": thread,
        "threads": Thread.objects.filter(owner=user).order_by("-updated_at", "-id")[:MOST_THREADS],
        "said": said,
        "is_moving": any(card.is_open for message in said for card in message.cards),
        "suggestions": SUGGESTIONS,
        "orders": orders,
        "books": _books(account, at=now) if account else None,
        "usage": costs.total(costs.today(now).filter(user=user)),
        "budgets": costs.budgets(user, at=now),
    }


def _said(thread: Thread) -> list[Said]:
    rows = list(thread.messages.order_by("-id")[:MOST_MESSAGES])[::-1]
    turns = {row.turn_id for row in rows if row.turn_id and row.role == Message.Role.ASSISTANT}
    cards: dict[uuid.UUID | None, list[Card]] = {}
    for order in Order.objects.filter(turn_id__in=turns).prefetch_related("approvals__checker").order_by("created_at"):
        cards.setdefault(order.turn_id, []).append(_card(order))
    return [
        Said(
            role=row.role,
            content=row.content,
            at=row.created_at,
            model=row.model,
            cards=cards.get(row.turn_id, []) if row.role == Message.Role.ASSISTANT else [],
        )
        for row in rows
    ]


def _card(order: Order) -> Card:
    return Card(
        order_id=order.pk,
        what=f"{order.side.capitalize()} {plain(order.quantity)} {order.symbol}",
        price=f"limit {_usd(order.limit_price)}" if order.limit_price else order.get_order_type_display().lower(),
        estimate=f"about {_usd(order.notional_usd)}" if order.notional_usd else "",
        status=str(order.get_status_display()),
        colour=COLOURS.get(Status(order.status), "over"),
        detail=_detail(order),
        is_open=order.status in OPEN,
    )


def _detail(order: Order) -> str:
    checkers = ", ".join(approval.checker.username for approval in order.approvals.all())
    if order.cum_qty and order.avg_px:
        return f"{plain(order.cum_qty)} at {_usd(order.avg_px)}, approved by {checkers}"
    if checkers:
        return f"approved by {checkers}"
    if order.status == Status.DENIED:
        return "; ".join(check["code"].replace("_", " ").lower() for check in order.checks if not check["passed"])
    return f"until {order.expires_at:%H:%M} UTC" if order.status == Status.PENDING_APPROVAL else ""


def _books(account: Account, *, at: Any) -> dict[str, Any]:
    books = queries.portfolio(account, at=at)
    return {
        "cash": _usd(books.cash_usd),
        "reserved": _usd(books.reserved_usd) if books.reserved_usd else "",
        "equity": _usd(books.equity_usd) if books.equity_usd is not None else "unknown: a price is missing",
        "positions": [
            {
                "symbol": holding.symbol,
                "quantity": plain(holding.quantity),
                "value": _usd(holding.market_value_usd) if holding.market_value_usd is not None else "no price",
                "gain": _gain(holding.unrealized_pnl_usd),
                "source": holding.quote.source if holding.quote else "",
            }
            for holding in books.holdings
            if holding.quantity
        ],
    }


def _gain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{'−' if amount < 0 else '+'}{_usd(abs(amount))}"


def _usd(amount: Decimal | None) -> str:
    return f"${amount:,.2f}" if amount is not None else ""

"""An order in words, for who decides on it: what is asked, what has changed since, what stands in the way.

Nothing here writes; what a template prints is made here, so that templates neither ask nor reckon.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from compliance import audit, proofs, subjects
from compliance.admin import legible, people
from orders import codes, instruments, queries
from orders.models import Conflict, Delegation, Order, OrderType, Side, Status, TimeInForce
from orders.payload import plain

SIDE_COLOURS = {Side.BUY: "success", Side.SELL: "danger"}
STATUS_COLOURS = {
    **dict.fromkeys(Status, ""),
    Status.PENDING_APPROVAL: "warning",
    **dict.fromkeys(
        (Status.APPROVED, Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_CANCEL), "info"
    ),
    Status.FILLED: "success",
    **dict.fromkeys((Status.DENIED, Status.DECLINED, Status.REJECTED), "danger"),
}
GLANCE_COLOURS = {"fails": "danger", "doubts": "warning", "passes": "success", "none": ""}
PHASES = {"P": "at proposal", "A": "at approval", "X": "before sending"}
IN_FLIGHT = (Status.APPROVED, Status.PENDING_NEW, Status.PENDING_CANCEL)
LASTING = {
    TimeInForce.DAY: "good for the day",
    TimeInForce.GTC: "good till cancelled",
    TimeInForce.IOC: "at once, and what is not filled at once is cancelled (immediate or cancel)",
    TimeInForce.FOK: "at once and in full, or not at all (fill or kill)",
}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
ONE_BY_ONE = "has to be looked at on its own page"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table of checks, in words. needs_reason: it failed, and an approver may overrule it."""

    phase: str
    code: str
    meaning: str
    limit: str
    actual: str
    passed: bool
    is_soft: bool

    @property
    def needs_reason(self) -> bool:
        return self.is_soft and not self.passed


@dataclass(frozen=True, kw_only=True)
class CheckTable:
    title: str
    rows: list[Row]
    is_now: bool = False

    @property
    def is_open(self) -> bool:
        return self.colour != "success"

    @property
    def failures(self) -> int:
        return sum(not row.passed and not row.is_soft for row in self.rows)

    @property
    def doubts(self) -> int:
        return sum(row.needs_reason for row in self.rows)

    @property
    def verdict(self) -> str:
        if not (self.failures or self.doubts):
            return f"all {len(self.rows)} pass"
        told = [f"{self.failures} of {len(self.rows)} fail"] if self.failures else []
        return ", ".join(told + ([f"{self.doubts} of {len(self.rows)} need a reason"] if self.doubts else []))

    @property
    def colour(self) -> str:
        return "danger" if self.failures else "warning" if self.doubts else "success"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One fact at the proposal and now; change: "" where it is the same. note: where the two come from."""

    what: str
    then: str
    now: str
    change: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """One order of a bulk decision, at the version that was shown. obstacle: why it is left out."""

    order: Order
    version: int
    obstacle: str
    needs_reason: bool

    @property
    def short(self) -> str:
        return str(self.order.pk)[:8]

    @property
    def side_colour(self) -> str:
        return SIDE_COLOURS[Side(self.order.side)]

    @property
    def asked(self) -> str:
        return f"{plain(self.order.quantity)} {self.order.symbol} {terms(self.order)}"

    @property
    def notional(self) -> str:
        return usd(self.order.notional_usd)


def page(order: Order, *, viewer: User, at: datetime) -> dict[str, Any]:
    """All that the review page of an order prints for one viewer."""
    found = queries.review(order, checker_id=viewer.pk, at=at)
    is_waiting = order.status == Status.PENDING_APPROVAL
    instrument = instruments.find(order.symbol)
    words = _words(order, viewer)
    denials = [_row("now", check.as_json()) for check in found.denials] if is_waiting else []
    return {
        "title": f"Review {order.side} {plain(order.quantity)} {order.symbol}",
        "original": f"{order.side} {plain(order.quantity)} {order.symbol}",
        "order": order,
        "status_colour": STATUS_COLOURS[Status(order.status)],
        "side_colour": SIDE_COLOURS[Side(order.side)],
        "quantity": plain(order.quantity),
        "company": instrument.name if instrument else "not an instrument we know",
        "kind": OrderType(order.order_type).label.lower(),
        "terms": terms(order),
        "notional": usd(order.notional_usd),
        "price": usd(order.reserve_price_usd),
        "made": span(at - order.created_at),
        "expiry": expiry(order, at=at),
        "is_waiting": is_waiting,
        "in_flight": order.status in IN_FLIGHT,
        "words": words,
        "words_size": _size(words),
        "not_said": not_said(order) if order.is_tainted else [],
        "rationale": legible(order.rationale) if words == legible(order.user_words) else "",
        "effects": _effects(order, found),
        "differences": _differences(order, found),
        "drift": "" if found.drift_pct is None else f"{round(found.drift_pct, 2) + 0:+.2f} %",
        "has_drifted": any(check.code is codes.Code.PRICE_DRIFT for check in found.denials),
        "denials": denials,
        "doubts": [_row("", check) for check in order.checks if not check["passed"]] if is_waiting else [],
        "check_tables": _check_tables(order, found if is_waiting else None),
        "closed": closed(order, viewer, at=at),
        "approved_already": approved_already(order, viewer),
        "lent": lent(viewer, at=at) if is_waiting else "",
        "progress": progress(order),
        "why_two": why_two(order),
        "approvals": list(order.approvals.select_related("checker").order_by("id")),
        "receipts": _receipts(order),
        "fills": _fills(order),
        "filled": f"{plain(order.cum_qty)} of {plain(order.quantity)}",
        "average": usd(order.avg_px),
        "cancelling": _cancelling(order),
        "history": _history(order),
    }


def _words(order: Order, viewer: User) -> str:
    """Of a person who was erased, compliance alone reads what the law wants kept."""
    until = subjects.restricted_until(audit.person(order.maker))
    if until and not viewer.has_perm("compliance.view_complianceevent"):
        return f"[restricted: this person was erased; kept for the books until {until[:10]}]"
    return legible(order.user_words)


def _receipts(order: Order) -> list[tuple[str, str]]:
    """The decisions' places in the audit trail, each with all of its receipt, to be kept by who decided."""
    return [
        (f"{receipt['log']}, leaf {receipt['leaf_index']} of {receipt['tree_size']}", json.dumps(receipt, indent=2))
        for receipt in proofs.receipts(order.pk)
    ]


def glance(order: Order) -> tuple[str, str]:
    """How the checks on record went, of the newest phase, as (kind, words)."""
    phase = next((phase for phase in reversed(PHASES) if any(check["phase"] == phase for check in order.checks)), "")
    rows = [_row("", check) for check in order.checks if check["phase"] == phase]
    table = CheckTable(title="", rows=rows)
    if not rows:
        return "none", "none"
    if table.failures:
        return "fails", f"{table.failures} of {len(rows)} fail"
    return ("doubts", f"{table.doubts} to explain") if table.doubts else ("passes", f"{len(rows)} of {len(rows)} pass")


def chosen(order: Order, version: int, *, decision: str, viewer: User, at: datetime) -> Chosen:
    """One line of a bulk decision as it stands now."""
    obstacle = _obstacle(order, version, viewer, at=at)
    if decision == "approve":
        obstacle = obstacle or singular(order) or approved_already(order, viewer) or _failing(order, viewer, at=at)
    needs_reason = any(not check["passed"] for check in order.checks)
    return Chosen(order=order, version=version, obstacle=obstacle, needs_reason=needs_reason)


def singular(order: Order) -> str:
    """Why an order is never approved together with others; empty when it may be."""
    if order.is_tainted:
        return f"it is not in {order.maker.get_username()}'s own words, and {ONE_BY_ONE}"
    if order.approvals_needed > 1:
        return f"it needs {order.approvals_needed} approvals, and {ONE_BY_ONE}"
    return ""


def closed(order: Order, viewer: User, *, at: datetime) -> str:
    """Why this person has nothing to decide here; empty when they have."""
    maker = order.maker.get_username()
    if order.status != Status.PENDING_APPROVAL:
        return f"This order is {order.get_status_display().lower()}: there is nothing left to decide."
    if order.maker_id == viewer.pk:
        return "This order is your own: another person has to decide on it."
    if not queries.may_approve(viewer, at=at):
        return "You may look at orders. Deciding on them takes an approver."
    if _is_lent_by(order.maker_id, viewer, at=at):
        return f"Your authority is lent to you by {maker}, whose order this is: somebody else has to decide on it."
    pair = (order.maker_id, viewer.pk)
    conflict = Conflict.objects.filter(one__in=pair, other__in=pair).first()
    if conflict:
        return (
            f"Conflict of interest: you and {maker} do not decide on each other's orders ({legible(conflict.reason)})."
        )
    return ""


def approved_already(order: Order, viewer: User) -> str:
    """Why a second yes of the same person does not count; empty when they have given none."""
    if not order.approvals.filter(checker=viewer).exists():
        return ""
    return "you have approved this order already: the other approval is another person's"


def lent(viewer: User, *, at: datetime) -> str:
    """By whose authority a person decides who has none of their own; empty for approvers."""
    if viewer.has_perm("orders.approve_order"):
        return ""
    loans = _loans(viewer, at=at)
    told = [f"{loan.giver.get_username()} until {timezone.localtime(loan.ends_at):%d %b %Y %H:%M %Z}" for loan in loans]
    return f"You decide with authority lent to you by {' and by '.join(told)}." if told else ""


def progress(order: Order) -> str:
    """How many approvals there are, and by whom, of an order that takes more than one."""
    given = [approval.checker.get_username() for approval in order.approvals.select_related("checker").order_by("id")]
    if order.approvals_needed < 2:
        return ""
    return f"{len(given)} of {order.approvals_needed} approvals given" + (
        f", by {' and '.join(given)}" if given else ""
    )


def why_two(order: Order) -> str:
    if order.approvals_needed < 2:
        return ""
    return "not in the person's own words" if order.is_tainted else "worth more than what one approver decides on alone"


def not_said(order: Order) -> list[str]:
    """Which parts of an order its maker's message does not have as they are written here."""
    words = order.user_words
    numbers = {Decimal(found.replace(",", "")) for found in NUMBER.findall(words)}
    named = {mention.instrument.symbol for mention in instruments.mentions(words)}
    parts = {
        f"the symbol {order.symbol}": order.symbol in named,
        f"the side, {order.side}": re.search(rf"\b{order.side}", words, re.IGNORECASE) is not None,
        f"the quantity {plain(order.quantity)}": order.quantity in numbers,
        f"the limit price {usd(order.limit_price)}": order.limit_price is None or order.limit_price in numbers,
        f"the stop price {usd(order.stop_price)}": order.stop_price is None or order.stop_price in numbers,
    }
    return [part for part, is_there in parts.items() if not is_there]


def terms(order: Order) -> str:
    """At what price and for how long: "at market, good for the day"."""
    price = "at market" if order.limit_price is None else f"at {usd(order.limit_price)} USD or better"
    if order.stop_price is not None:
        moved = "risen" if order.side == Side.BUY else "fallen"
        price = f"{price} once the price has {moved} to {usd(order.stop_price)} USD"
    return f"{price}, {LASTING[TimeInForce(order.time_in_force)]}"


def usd(amount: Decimal | None) -> str:
    """Dollars in cents, or to a millionth where there is more; a dash where nobody knows."""
    if amount is None:
        return "–"
    return f"{amount:,.2f}" if amount == round(amount, 2) else f"{amount.normalize():,f}"


def span(length: timedelta) -> str:
    """A stretch of time in its two largest units: "45 s", "12 min", "3 h 5 min", "2 d 4 h"."""
    minutes, seconds = divmod(max(0, int(length.total_seconds())), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def expiry(order: Order, *, at: datetime) -> str:
    left = order.expires_at - at
    return f"in {span(left)}" if left > timedelta(0) else f"{span(-left)} ago"


def _obstacle(order: Order, version: int, viewer: User, *, at: datetime) -> str:
    if order.status != Status.PENDING_APPROVAL:
        return f"it is {order.get_status_display().lower()} already"
    if order.version != version:
        return "it has changed since it was shown"
    return closed(order, viewer, at=at).rstrip(".")


def _failing(order: Order, viewer: User, *, at: datetime) -> str:
    denials = queries.review(order, checker_id=viewer.pk, at=at).denials
    return "; ".join(codes.MEANING[check.code] for check in denials)


def _loans(viewer: User, *, at: datetime) -> list[Delegation]:
    """What is lent to a person now by those who have it."""
    holding = Q(taker=viewer, starts_at__lte=at, ends_at__gt=at, giver__is_active=True)
    loans = Delegation.objects.filter(holding).select_related("giver").order_by("ends_at")
    return [loan for loan in loans if loan.giver.has_perm("orders.approve_order")]


def _is_lent_by(maker_id: int, viewer: User, *, at: datetime) -> bool:
    """Whether a person's authority is the maker's alone."""
    if viewer.has_perm("orders.approve_order"):
        return False
    return {loan.giver_id for loan in _loans(viewer, at=at)} <= {maker_id}


def _size(text: str) -> str:
    """How much there is to scroll through; empty for what fits."""
    lines = text.count("\n") + 1
    return f"{len(text):,} characters in {lines:,} lines" if lines > 6 or len(text) > 600 else ""


def _effects(order: Order, found: queries.Review) -> list[tuple[str, str, str, str]]:
    """Rows of what, before, change, after."""
    flow = "–" if found.flow_usd is None else f"{found.flow_usd:+,.2f}"
    return [
        (f"Shares of {order.symbol}", plain(found.held), f"{found.change.normalize():+f}", plain(found.held_after)),
        ("Cash, USD", usd(found.cash_usd), flow, usd(found.cash_after_usd)),
        ("Free cash, USD", usd(found.free_usd), flow, usd(found.free_after_usd)),
    ]


def _differences(order: Order, found: queries.Review) -> list[Difference]:
    """The order's snapshot beside what is so now. A price is told with its source and time."""
    then: dict[str, str] = order.snapshot
    now = found.quote
    sources = [
        f"{when} {source}, {as_of:%H:%M:%S}"
        for when, source, as_of in (
            ("then", order.quote_source, order.quote_as_of),
            ("now", now.source if now else "", now.as_of if now else None),
        )
        if as_of
    ]
    return [
        _difference("Price, USD", then.get("quote_usd"), now.price_usd if now else None, note="; ".join(sources)),
        _difference(f"Shares of {order.symbol}", then.get("held"), found.held, is_money=False),
        _difference("Cash, USD", then.get("cash_usd"), found.cash_usd),
        _difference("For approved orders, USD", then.get("committed_usd"), found.committed_usd),
        Difference(
            what="Limits",
            then=_versions(then.get("limits", "")),
            now=_versions(found.limits),
            change="changed" if then.get("limits", "") != found.limits else "",
        ),
    ]


def _difference(
    what: str, stored: str | None, now: Decimal | None, *, is_money: bool = True, note: str = ""
) -> Difference:
    then = None if stored is None else Decimal(stored)
    change = "" if then is None or now is None or then == now else f"{now - then:+,.2f}"
    if change and not is_money:
        change = f"{(now or Decimal(0)) - (then or Decimal(0)):+f}"
    told = usd if is_money else _shares
    return Difference(what=what, then=told(then), now=told(now), change=change, note=note)


def _shares(quantity: Decimal | None) -> str:
    return "–" if quantity is None else plain(quantity)


def _versions(limits: str) -> str:
    """ "firm=1 symbol:AAPL=7" as "firm v1, symbol:AAPL v7"."""
    return ", ".join(part.replace("=", " v") for part in limits.split()) or "–"


def _check_tables(order: Order, found: queries.Review | None) -> list[CheckTable]:
    """The checks run for this viewer, while there is something to decide, and those on record; failures lie open."""
    now = _failures_first(_row("now", check.as_json()) for check in found.checks) if found else []
    kept = [CheckTable(title=f"Checks {when}", rows=_kept(order, phase, when)) for phase, when in PHASES.items()]
    tables = [CheckTable(title="Checks now", rows=now, is_now=True), *kept]
    return [table for table in tables if table.rows]


def _failures_first(rows: Iterable[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.passed)


def _kept(order: Order, phase: str, when: str) -> list[Row]:
    return _failures_first(_row(when, check) for check in order.checks if check["phase"] == phase)


def _row(phase: str, check: dict[str, Any]) -> Row:
    known = check["code"] in codes.Code.__members__
    return Row(
        phase=phase,
        code=check["code"],
        meaning=codes.MEANING[codes.Code(check["code"])] if known else "",
        limit=check["limit"],
        actual=check["actual"],
        passed=check["passed"],
        is_soft=check.get("severity") == codes.Severity.SOFT,
    )


def _fills(order: Order) -> Iterable[tuple[datetime, str, str, str, str]]:
    """Rows of when, quantity, price, commission, broker's id."""
    return [
        (fill.executed_at, plain(fill.quantity), usd(fill.price_usd), usd(fill.commission_usd), fill.exec_id)
        for fill in order.executions.order_by("id")
    ]


def _cancelling(order: Order) -> str:
    if order.cancel_requested_at is None:
        return ""
    when = f"Cancelling was asked for at {timezone.localtime(order.cancel_requested_at):%H:%M:%S on %d %b %Y}"
    if order.status == Status.PENDING_CANCEL:
        return f"{when}; the broker has not answered yet."
    return f"{when}; the order is {order.get_status_display().lower()}."


def _history(order: Order) -> list[dict[str, Any]]:
    events = audit.history(order.pk)
    names = people(event["actor"] for event in events)
    return [
        {
            **event,
            "what": event["action"].removeprefix("order_").replace("_", " "),
            "who": names.get(event["actor"], event["actor"]),
            "reason": legible(event["reason"] or ""),
        }
        for event in events
    ]

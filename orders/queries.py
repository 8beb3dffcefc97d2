"""Reads that span rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import DecimalField, ExpressionWrapper, F, Q, QuerySet, Sum

from compliance import policy
from nextrade.errors import Unavailable
from orders import instruments, payload, quotes, risk
from orders.models import COMMITTED, OPEN, Account, Limits, Order, Position, Side, Status, TradingHalt
from orders.quotes.base import Quote, QuoteMissing

DEAD = (
    Status.DENIED,
    Status.DECLINED,
    Status.WITHDRAWN,
    Status.LAPSED,
    Status.CANCELED,
    Status.EXPIRED,
    Status.REJECTED,
)
RESERVED = ExpressionWrapper(
    (F("quantity") - F("cum_qty")) * F("reserve_price_usd"), output_field=DecimalField(max_digits=24, decimal_places=6)
)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """A position with the market's view of it. Amounts in USD; market_* and unrealized are None without a quote."""

    symbol: str
    quantity: Decimal
    avg_cost_usd: Decimal
    realized_pnl_usd: Decimal
    quote: Quote | None

    @property
    def market_value_usd(self) -> Decimal | None:
        return None if self.quote is None else self.quantity * self.quote.price_usd

    @property
    def unrealized_pnl_usd(self) -> Decimal | None:
        return None if self.quote is None else self.quantity * (self.quote.price_usd - self.avg_cost_usd)


@dataclass(frozen=True, kw_only=True)
class Portfolio:
    """equity_usd: cash and positions at market; None when a held symbol has no quote."""

    cash_usd: Decimal
    reserved_usd: Decimal
    equity_usd: Decimal | None
    holdings: tuple[Holding, ...]


def portfolio(account: Account, *, at: datetime) -> Portfolio:
    holdings = tuple(
        Holding(
            symbol=position.symbol,
            quantity=position.quantity,
            avg_cost_usd=position.avg_cost_usd,
            realized_pnl_usd=position.realized_pnl_usd,
            quote=quote(position.symbol, at=at),
        )
        for position in Position.objects.filter(account=account).filter(~Q(quantity=0)).order_by("symbol")
    )
    values = [holding.market_value_usd for holding in holdings]
    equity = None if None in values else account.cash_usd + sum(value for value in values if value is not None)
    return Portfolio(
        cash_usd=account.cash_usd,
        reserved_usd=_reserved(account.orders.filter(status__in=OPEN)),
        equity_usd=equity,
        holdings=holdings,
    )


def quote(symbol: str, *, at: datetime) -> Quote | None:
    """The newest price, None when nobody can say."""
    try:
        return quotes.provider().latest(symbol, at=at)
    except (QuoteMissing, Unavailable):
        return None


def current_limits() -> risk.Limits | None:
    row = Limits.objects.order_by("-version").first()
    if row is None:
        return None
    return risk.Limits(
        version=row.version,
        max_quantity=row.max_quantity,
        max_notional_usd=row.max_notional_usd,
        min_notional_usd=row.min_notional_usd,
        max_approval_usd=row.max_approval_usd,
        duplicate_window_s=row.duplicate_window_s,
        max_quote_age_s=row.max_quote_age_s,
    )


def halt_reason(symbol: str) -> str:
    """Why trading in a symbol is halted, empty when it is not."""
    halt = TradingHalt.objects.filter(Q(symbol="") | Q(symbol=symbol), lifted_at=None).order_by("id").first()
    return halt.reason if halt else ""


def facts(order: Order, account: Account, *, seen: Quote | None, at: datetime, **more: Any) -> risk.Facts:
    """All that the rules may look at for one order, which may not be saved yet. The caller holds the account's lock."""
    limits = current_limits()
    instrument = instruments.find(order.symbol)
    others = account.orders.exclude(pk=order.pk)
    sells = others.filter(symbol=order.symbol, side=Side.SELL, status__in=OPEN)
    position = Position.objects.filter(account=account, symbol=order.symbol).first()
    window = timedelta(seconds=limits.duplicate_window_s if limits else 0)
    return risk.Facts(
        at=at,
        limits=limits,
        halt_reason=halt_reason(order.symbol),
        is_account_active=account.is_active and account.owner.is_active,
        is_instrument_known=instrument is not None,
        lot_size=instrument.lot_size if instrument else Decimal(1),
        is_restricted=policy.is_restricted(order.symbol),
        quote_usd=seen.price_usd if seen else None,
        quote_as_of=seen.as_of if seen else None,
        cash_usd=account.cash_usd,
        committed_usd=_reserved(others.filter(status__in=COMMITTED)),
        waiting_usd=_reserved(others.filter(status=Status.PENDING_APPROVAL)),
        held=position.quantity if position else Decimal(0),
        selling=sells.aggregate(total=Sum(F("quantity") - F("cum_qty")))["total"] or Decimal(0),
        duplicate_id=_twin(order, others, window),
        maker_id=order.maker_id,
        **more,
    )


def proposal(order: Order) -> risk.Proposal:
    return risk.Proposal(symbol=order.symbol, side=order.side, quantity=order.quantity, limit_price=order.limit_price)


def _reserved(orders: "QuerySet[Order]") -> Decimal:
    """USD that open buys are reckoned to need."""
    return orders.filter(side=Side.BUY).aggregate(total=Sum(RESERVED))["total"] or Decimal(0)


def _twin(order: Order, others: "QuerySet[Order]", window: timedelta) -> str:
    twin = others.filter(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        limit_price=order.limit_price,
        created_at__gt=order.created_at - window,
        created_at__lte=order.created_at,
    )
    found = twin.exclude(status__in=DEAD).values_list("pk", flat=True).first()
    return str(found) if found else ""


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a second person weighs, as it is at one moment. Amounts in USD; None where it takes a price that nobody has.

    checks: the approval's, run for this viewer. drift_pct: of the quote since the proposal. free_*: cash that no
    other open order is reckoned to need. *_after: if the whole order were filled at the price it is reckoned at.
    """

    checks: tuple[risk.Check, ...]
    quote: Quote | None
    drift_pct: Decimal | None
    change: Decimal
    held: Decimal
    held_after: Decimal
    flow_usd: Decimal | None
    cash_usd: Decimal
    cash_after_usd: Decimal | None
    free_usd: Decimal
    free_after_usd: Decimal | None

    @property
    def denials(self) -> tuple[risk.Check, ...]:
        return risk.failed(self.checks)


def review(order: Order, *, checker_id: int, at: datetime) -> Review:
    """One order as its approval would find it now, without a lock: to be looked at, and asked again by
    `services.approve`."""
    account = Account.objects.select_related("owner").get(pk=order.account_id)
    seen = quote(order.symbol, at=at)
    known = facts(
        order,
        account,
        seen=seen,
        at=at,
        checker_id=checker_id,
        expires_at=order.expires_at,
        stored_sha256=order.payload_sha256,
        actual_sha256=payload.sha256(order),
    )
    wanted = proposal(order)
    is_priced = order.limit_price is not None or seen is not None
    sign = 1 if order.side == Side.BUY else -1
    flow = -sign * risk.notional(wanted, known) if is_priced else None
    held = known.held or Decimal(0)
    free = account.cash_usd - (known.committed_usd or 0) - (known.waiting_usd or 0)
    then = order.quote_usd
    return Review(
        checks=risk.assess(wanted, known, phase=risk.Phase.APPROVAL),
        quote=seen,
        drift_pct=(seen.price_usd / then - 1) * 100 if seen and then else None,
        change=sign * order.quantity,
        held=held,
        held_after=held + sign * order.quantity,
        flow_usd=flow,
        cash_usd=account.cash_usd,
        cash_after_usd=None if flow is None else account.cash_usd + flow,
        free_usd=free,
        free_after_usd=None if flow is None else free + flow,
    )

"""Reads that span rows."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import DecimalField, ExpressionWrapper, F, Q, Sum

from nextrade.errors import Missing, Unavailable
from orders import brokers, codes, desk, instruments, load, market, payload, quotes, risk
from orders.models import (
    Account,
    Conflict,
    Delegation,
    Limits,
    Order,
    Position,
    Side,
    Switch,
)
from orders.quotes.base import Quote, QuoteMissing

STRICTEST: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                *(
                    "max_quantity",
                    "max_notional_usd",
                    "max_approval_usd",
                    "second_approver_usd",
                    "collar_pct",
                    "drift_pct",
                ),
                *("max_position_pct", "max_sector_pct", "max_gross_usd", "max_credit_usd", "max_firm_credit_usd"),
                *("max_daily_loss_usd", "max_drawdown_pct", "max_orders_per_minute", "max_orders_per_day"),
                "max_quote_age_s",
            ),
            min,
        ),
        **dict.fromkeys(("min_notional_usd", "duplicate_window_s"), max),
        "are_market_orders_allowed": all,
    }
)
SHARES = DecimalField(max_digits=24, decimal_places=6)
RESERVED = ExpressionWrapper((F("quantity") - F("cum_qty")) * F("reserve_price_usd"), output_field=SHARES)
OPEN_BUY = Q(load.IS_OPEN, side=Side.BUY)


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
    cash_usd: Decimal
    reserved_usd: Decimal
    holdings: tuple[Holding, ...]

    @property
    def equity_usd(self) -> Decimal | None:
        """Cash and positions at market; None when a held symbol has no quote."""
        values = [holding.market_value_usd for holding in self.holdings]
        return None if None in values else self.cash_usd + sum(value for value in values if value is not None)


def portfolio(account: Account, *, at: datetime) -> Portfolio:
    reserved = account.orders.filter(OPEN_BUY).aggregate(total=Sum(RESERVED))["total"] or Decimal(0)
    return Portfolio(cash_usd=account.cash_usd, reserved_usd=reserved, holdings=holdings(account, at=at))


def holdings(account: Account, *, at: datetime) -> tuple[Holding, ...]:
    positions = list(Position.objects.filter(account=account).filter(~Q(quantity=0)).order_by("symbol"))
    seen = _quotes([position.symbol for position in positions], at=at)
    return tuple(
        Holding(
            symbol=position.symbol,
            quantity=position.quantity,
            avg_cost_usd=position.avg_cost_usd,
            realized_pnl_usd=position.realized_pnl_usd,
            quote=seen.get(position.symbol),
        )
        for position in positions
    )


def _quotes(symbols: list[str], *, at: datetime) -> Mapping[str, Quote]:
    """The newest prices, asked for at once; without those that nobody can say."""
    try:
        return quotes.provider().several(symbols, at=at) if symbols else {}
    except (QuoteMissing, Unavailable):
        return {}


def quote(symbol: str, *, at: datetime) -> Quote | None:
    """The newest price, None when nobody can say."""
    try:
        return quotes.provider().latest(symbol, at=at)
    except (QuoteMissing, Unavailable):
        return None


def current_limits(account_id: int, symbol: str) -> risk.Limits | None:
    """The strictest of what the firm, the account and the symbol have stated and a second person approved."""
    scopes = ("firm", f"account:{account_id}", f"symbol:{symbol}")
    rows = Limits.objects.filter(scope__in=scopes).exclude(approved_at=None).order_by("version")
    newest = list({row.scope: row for row in rows}.values())
    if not newest:
        return None
    strictest: dict[str, Any] = {}
    for field, pick in STRICTEST.items():
        stated = [value for value in (getattr(row, field) for row in newest) if value is not None]
        strictest[field] = pick(stated) if stated else None
    return risk.Limits(version=" ".join(f"{row.scope}={row.version}" for row in newest), **strictest)


def halt_reason(symbol: str, account_id: int, *, at: datetime) -> str:
    """Why trading is halted, empty when it is not."""
    return _halt_file() or desk.read(account_id, symbol=symbol, at=at).halt_reason


def facts(order: Order, account: Account, *, seen: Quote | None, at: datetime, **more: Any) -> risk.Facts:
    """All that the rules may look at for one order, which may not be saved yet. The caller holds the account's lock."""
    limits = current_limits(account.pk, order.symbol)
    instrument = instruments.find(order.symbol)
    terms = brokers.terms()
    window_s = (limits and limits.duplicate_window_s) or 0
    others = load.of_account(order, duplicate_window=timedelta(seconds=window_s))
    reserved = others.committed_usd + others.waiting_usd
    books = Portfolio(cash_usd=account.cash_usd, reserved_usd=reserved, holdings=holdings(account, at=at))
    held = next((holding.quantity for holding in books.holdings if holding.symbol == order.symbol), Decimal(0))
    around = desk.read(account.pk, symbol=order.symbol, but=order.pk, at=at)
    return risk.Facts(
        at=at,
        limits=limits,
        halt_reason=_halt_file() or around.halt_reason,
        reducing_reason=around.reducing_reason,
        is_account_active=account.is_active and account.owner.is_active,
        mode_problem=mode_problem(),
        is_instrument_known=instrument is not None,
        is_supported=(order.order_type, order.time_in_force) in terms.supports,
        commission_usd=terms.commission_usd,
        lot_size=instrument.lot_size if instrument else Decimal(1),
        is_restricted=around.is_restricted,
        is_market_open=is_market_open(at),
        quote_usd=seen.price_usd if seen else None,
        quote_as_of=seen.as_of if seen else None,
        cash_usd=account.cash_usd,
        committed_usd=others.committed_usd,
        waiting_usd=others.waiting_usd,
        firm_open_usd=around.firm_open_usd,
        held=held,
        selling=others.selling,
        equity_usd=books.equity_usd,
        symbol_usd=_worth(books, {order.symbol}),
        sector_usd=_worth(books, instruments.sector(instrument.sector) if instrument else {order.symbol}),
        gross_usd=_worth(books, {holding.symbol for holding in books.holdings}),
        day_start_usd=around.start_usd,
        peak_usd=around.peak_usd,
        orders_last_minute=others.last_minute,
        orders_today=around.last_day,
        duplicate_id=others.duplicate_id,
        opposite_id=others.opposite_id,
        open_breaks=around.open_breaks,
        is_tainted=order.is_tainted,
        maker_id=order.maker_id,
        **more,
    )


def mode_problem() -> str:
    """Why the broker of this installation may not be used, empty when it may: real money needs both switches."""
    if brokers.terms().mode == "paper":
        return ""
    if settings.LIVE_TRADING != "yes":
        return "NEXTRADE_LIVE_TRADING is not yes"
    switch = Switch.objects.filter(name=Switch.LIVE_TRADING).first()
    return "" if switch and switch.is_on else "the switch live_trading is off"


def is_market_open(at: datetime) -> bool:
    """Whether orders are taken: in the exchange's session, and at any time at made-up prices."""
    return settings.QUOTES == "simulated" or market.is_open(at)


def proposal(order: Order) -> risk.Proposal:
    return risk.Proposal(
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        order_type=order.order_type,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
    )


def _halt_file() -> str:
    """The file HALT in the data directory is enough, whatever it holds."""
    switch = settings.DATA_DIR / "HALT"
    if not switch.exists():
        return ""
    return switch.read_text(errors="replace").strip()[:200] or "the file HALT is there"


def _worth(books: Portfolio, symbols: Collection[str]) -> Decimal | None:
    """USD at market of what is held of some symbols, None when one of them has no price."""
    values = [holding.market_value_usd for holding in books.holdings if holding.symbol in symbols]
    return None if None in values else sum((value for value in values if value is not None), Decimal(0))


@dataclass(frozen=True, kw_only=True)
class EquityMarks:
    """USD: now (None without a price), at the last day's end, and the most since a breaker was last lifted."""

    now_usd: Decimal | None
    start_usd: Decimal
    peak_usd: Decimal

    @property
    def drawdown_pct(self) -> Decimal:
        if self.now_usd is None or self.peak_usd <= 0:
            return Decimal(0)
        return (1 - self.now_usd / self.peak_usd) * 100


def equity_marks(account: Account, *, at: datetime) -> EquityMarks:
    """How an account stands against its past; before its first day's end that is what was paid in."""
    around = desk.read(account.pk, at=at)
    now = portfolio(account, at=at).equity_usd
    return EquityMarks(now_usd=now, start_usd=around.start_usd, peak_usd=around.peak_usd)


@dataclass(frozen=True, kw_only=True)
class EquityChange:
    """What an account has gained between a day's end (since, UTC; of an account that is younger its opening) and now,
    in USD. paid_in_usd: meanwhile, which is no gain. now_usd is None where a held symbol has no price."""

    since: date
    then_usd: Decimal
    paid_in_usd: Decimal
    now_usd: Decimal | None

    @property
    def gain_usd(self) -> Decimal | None:
        return None if self.now_usd is None else self.now_usd - self.then_usd - self.paid_in_usd

    @property
    def gain_pct(self) -> Decimal | None:
        """Of what there was and came in."""
        put_in = self.then_usd + self.paid_in_usd
        return None if self.gain_usd is None or put_in <= 0 else self.gain_usd / put_in * 100


def equity_change(account: Account, *, days: int, at: datetime) -> EquityChange:
    """Since the end of the day so many days before `at`, or the last one before it that was written down."""
    then = account.equity_days.filter(day__lte=at.date() - timedelta(days=days)).order_by("-day").first()
    moved = account.transfers.order_by("at")
    if then:
        moved = moved.filter(at__gte=datetime.combine(then.day + timedelta(days=1), time(0), at.tzinfo))
    transfers = list(moved)
    opened = transfers[0].at.date() if transfers else at.date()
    return EquityChange(
        since=then.day if then else opened,
        then_usd=then.equity_usd if then else Decimal(0),
        paid_in_usd=sum((transfer.amount_usd for transfer in transfers), Decimal(0)),
        now_usd=portfolio(account, at=at).equity_usd,
    )


def is_conflict(maker_id: int, checker_id: int) -> bool:
    """Whether two people are on the conflict list, either way round."""
    pair = (maker_id, checker_id)
    return Conflict.objects.filter(one__in=pair, other__in=pair).exists()


def may_approve(user: User, *, at: datetime) -> bool:
    """Whether a person has an approver's authority, their own or lent to them for now."""
    if not user.is_active:
        return False
    if user.has_perm("orders.approve_order"):
        return True
    lent = Delegation.objects.filter(taker=user, starts_at__lte=at, ends_at__gt=at).select_related("giver")
    return any(loan.giver.is_active and loan.giver.has_perm("orders.approve_order") for loan in lent)


def givers(user: User, *, at: datetime) -> set[int]:
    """Ids of those whose authority a person acts with now."""
    lent = Delegation.objects.filter(taker=user, starts_at__lte=at, ends_at__gt=at)
    return set(lent.values_list("giver_id", flat=True))


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a second person weighs, as it is at one moment. Amounts in USD; None where it takes a price that nobody has.

    checks: the approval's, run for this viewer. drift_pct: of the quote since the proposal. committed_usd: reckoned for
    the account's other approved buys. free_*: cash that no other open order is reckoned to need. *_after: if the whole
    order were filled at the price it is reckoned at. limits: the versions that hold.
    """

    checks: tuple[risk.Check, ...]
    limits: str
    quote: Quote | None
    drift_pct: Decimal | None
    change: Decimal
    held: Decimal
    held_after: Decimal
    flow_usd: Decimal | None
    cash_usd: Decimal
    cash_after_usd: Decimal | None
    committed_usd: Decimal
    free_usd: Decimal
    free_after_usd: Decimal | None

    @property
    def denials(self) -> tuple[risk.Check, ...]:
        return risk.denials(self.checks)


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
        reference_usd=order.quote_usd,
        is_conflict=is_conflict(order.maker_id, checker_id),
        expires_at=order.expires_at,
        stored_sha256=order.payload_sha256,
        actual_sha256=payload.sha256(order),
    )
    wanted = proposal(order)
    is_priced = order.limit_price is not None or seen is not None
    sign = 1 if order.side == Side.BUY else -1
    flow = -sign * risk.notional(wanted, known) if is_priced else None
    held = known.held or Decimal(0)
    committed = known.committed_usd or Decimal(0)
    free = account.cash_usd - committed - (known.waiting_usd or 0)
    then = order.quote_usd
    return Review(
        checks=risk.assess(wanted, known, phase=codes.Phase.APPROVAL),
        limits=known.limits.version if known.limits else "",
        quote=seen,
        drift_pct=(seen.price_usd / then - 1) * 100 if seen and then else None,
        change=sign * order.quantity,
        held=held,
        held_after=held + sign * order.quantity,
        flow_usd=flow,
        cash_usd=account.cash_usd,
        cash_after_usd=None if flow is None else account.cash_usd + flow,
        committed_usd=committed,
        free_usd=free,
        free_after_usd=None if flow is None else free + flow,
    )


def locked(order_id: uuid.UUID) -> tuple[Order, Account]:
    """An order and its account, the account's row locked first, as everywhere: the database keeps to the order of
    `of`."""
    rows = Order.objects.select_for_update(of=("account", "self")).select_related("account__owner")
    order = rows.filter(pk=order_id).first()
    if order is None:
        raise Missing("there is no such order")
    return order, order.account

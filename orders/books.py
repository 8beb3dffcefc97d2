"""The books come from fills: what one execution, or one transfer, does to cash and positions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orders.brokers.base import Fill
from orders.models import Account, CashTransfer, Execution, Order, Position, Side

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Holding:
    """Shares held (negative never), their average cost and what sales have brought in beyond it, in USD."""

    quantity: Decimal = ZERO
    avg_cost_usd: Decimal = ZERO
    realized_pnl_usd: Decimal = ZERO


def after(holding: Holding, *, side: str, quantity: Decimal, price_usd: Decimal, commission_usd: Decimal) -> Holding:
    """The holding after one fill. A buy's commission is part of its cost, a sale's is taken from its gain."""
    if side == Side.BUY:
        total = holding.quantity + quantity
        cost = holding.quantity * holding.avg_cost_usd + quantity * price_usd + commission_usd
        return Holding(
            quantity=total, avg_cost_usd=_millionths(cost / total), realized_pnl_usd=holding.realized_pnl_usd
        )
    gain = quantity * (price_usd - holding.avg_cost_usd) - commission_usd
    left = holding.quantity - quantity
    return Holding(
        quantity=left,
        avg_cost_usd=holding.avg_cost_usd if left else ZERO,
        realized_pnl_usd=_millionths(holding.realized_pnl_usd + gain),
    )


def book(order: Order, account: Account, fill: Fill, *, broker: str) -> Execution:
    """Enter one fill. The caller holds the account's lock, and has seen that no execution has the fill's exec_id; the
    database refuses a second one."""
    execution = Execution.objects.create(
        exec_id=fill.exec_id,
        order=order,
        account=account,
        symbol=order.symbol,
        side=order.side,
        quantity=fill.quantity,
        price_usd=fill.price_usd,
        commission_usd=fill.commission_usd,
        broker=broker,
        executed_at=fill.executed_at,
    )
    _enter(account, order.symbol, order.side, fill)
    return execution


def transfer(account: Account, amount_usd: Decimal, *, reason: str, at: datetime) -> None:
    """Move cash in (or out, when negative). The caller holds the account's lock."""
    CashTransfer.objects.create(account=account, amount_usd=amount_usd, reason=reason, at=at)
    account.cash_usd += amount_usd
    account.save(update_fields=["cash_usd"])


def rebuild(account: Account) -> list[str]:
    """Make cash and positions what executions and transfers alone say; what was different, in words. The caller holds
    the account's lock."""
    holdings: dict[str, Holding] = {}
    cash = sum((transfer.amount_usd for transfer in account.transfers.all()), ZERO)
    for fill in account.executions.order_by("id"):
        holdings[fill.symbol] = after(
            holdings.get(fill.symbol, Holding()),
            side=fill.side,
            quantity=fill.quantity,
            price_usd=fill.price_usd,
            commission_usd=fill.commission_usd,
        )
        paid = fill.quantity * fill.price_usd
        cash += (-paid if fill.side == Side.BUY else paid) - fill.commission_usd
    return [*_mend_positions(account, holdings), *_mend_cash(account, cash)]


def _mend_cash(account: Account, cash_usd: Decimal) -> list[str]:
    if account.cash_usd == cash_usd:
        return []
    found = f"cash of {account}: {account.cash_usd} is {cash_usd}"
    account.cash_usd = cash_usd
    account.save(update_fields=["cash_usd"])
    return [found]


def _mend_positions(account: Account, holdings: Mapping[str, Holding]) -> list[str]:
    found = []
    stored = {position.symbol: position for position in account.positions.all()}
    for symbol in sorted({*stored, *holdings}):
        position = stored.get(symbol) or Position(account=account, symbol=symbol)
        true = holdings.get(symbol, Holding())
        kept = (position.quantity, position.avg_cost_usd, position.realized_pnl_usd)
        wanted = (true.quantity, true.avg_cost_usd, true.realized_pnl_usd)
        if kept != wanted:
            found.append(f"{symbol} of {account}: {kept} is {wanted}")
            position.quantity, position.avg_cost_usd, position.realized_pnl_usd = wanted
            position.save()
    return found


def _enter(account: Account, symbol: str, side: str, fill: Fill) -> None:
    position, _ = Position.objects.get_or_create(
        account=account, symbol=symbol, defaults={"quantity": ZERO, "avg_cost_usd": ZERO, "realized_pnl_usd": ZERO}
    )
    holding = Holding(
        quantity=position.quantity, avg_cost_usd=position.avg_cost_usd, realized_pnl_usd=position.realized_pnl_usd
    )
    now = after(
        holding, side=side, quantity=fill.quantity, price_usd=fill.price_usd, commission_usd=fill.commission_usd
    )
    position.quantity, position.avg_cost_usd = now.quantity, now.avg_cost_usd
    position.realized_pnl_usd = now.realized_pnl_usd
    position.save(update_fields=["quantity", "avg_cost_usd", "realized_pnl_usd"])
    paid = fill.quantity * fill.price_usd
    account.cash_usd += -paid if side == Side.BUY else paid
    account.cash_usd -= fill.commission_usd
    account.save(update_fields=["cash_usd"])


def _millionths(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.000001"))

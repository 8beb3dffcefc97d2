"""The paper broker: fills at the quote, in full; a limit order rests until the quote reaches it. Keeps its own book."""

from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from orders import quotes
from orders.brokers.base import DuplicateClientOrderId, Fill, Report, Ticket
from orders.models import PaperOrder, Side

NO_COMMISSION = Decimal(0)


class PaperBroker:
    name = "paper"

    def submit(self, ticket: Ticket, *, at: datetime) -> Report:
        try:
            with transaction.atomic():
                paper = PaperOrder.objects.create(
                    client_order_id=ticket.client_order_id,
                    symbol=ticket.symbol,
                    side=ticket.side,
                    quantity=ticket.quantity,
                    limit_price=ticket.limit_price,
                    status="new",
                    received_at=at,
                )
                _match(paper, at=at)
        except IntegrityError as error:
            raise DuplicateClientOrderId(f"{ticket.client_order_id} is known already") from error
        return _report(paper)

    def find(self, client_order_id: str, *, at: datetime) -> Report | None:
        with transaction.atomic():
            paper = PaperOrder.objects.select_for_update().filter(client_order_id=client_order_id).first()
            if paper is None:
                return None
            _match(paper, at=at)
        return _report(paper)

    def cancel(self, client_order_id: str, *, at: datetime) -> Report | None:
        with transaction.atomic():
            paper = PaperOrder.objects.select_for_update().filter(client_order_id=client_order_id).first()
            if paper is None:
                return None
            if paper.status == "new":
                paper.status = "canceled"
                paper.save(update_fields=["status"])
        return _report(paper)


def _match(paper: PaperOrder, *, at: datetime) -> None:
    """Fill a resting order whose price the market has reached."""
    if paper.status != "new":
        return
    price = quotes.provider().latest(paper.symbol, at=at).price_usd
    if not _is_marketable(paper, price):
        return
    paper.status, paper.fill_price, paper.filled_at = "filled", price, at
    paper.save(update_fields=["status", "fill_price", "filled_at"])


def _is_marketable(paper: PaperOrder, price: Decimal) -> bool:
    if paper.limit_price is None:
        return True
    return price <= paper.limit_price if paper.side == Side.BUY else price >= paper.limit_price


def _report(paper: PaperOrder) -> Report:
    fills: tuple[Fill, ...] = ()
    if paper.fill_price is not None and paper.filled_at is not None:
        fills = (
            Fill(
                exec_id=f"paper-{paper.pk}-1",
                quantity=paper.quantity,
                price_usd=paper.fill_price,
                commission_usd=NO_COMMISSION,
                executed_at=paper.filled_at,
            ),
        )
    return Report(
        client_order_id=paper.client_order_id,
        broker_order_id=f"paper-{paper.pk}",
        status=paper.status,
        raw_status=paper.status,
        fills=fills,
        reason=paper.reason,
    )

"""What orders hold of a person. Books and records are kept for seven years after the last of them, whoever asks; until
then the words are shown to nobody but by compliance, after that they go."""

from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Max

from compliance import retention
from compliance.erasure import Contributor
from orders.models import Account, Approval, Execution, Order
from orders.payload import plain


def _export(user: User) -> dict[str, Any]:
    account = Account.objects.filter(owner=user).first()
    return {
        "cash_usd": plain(account.cash_usd) if account else None,
        "orders": [
            {
                "id": str(order.pk),
                "at": order.created_at.isoformat(),
                "side": order.side,
                "symbol": order.symbol,
                "quantity": plain(order.quantity),
                "status": order.status,
                "words": order.user_words,
                "rationale": order.rationale,
            }
            for order in Order.objects.filter(maker=user).order_by("created_at")
        ],
        "executions": Execution.objects.filter(order__maker=user).count(),
        "decisions": [
            {"order": str(given.order_id), "at": given.at.isoformat(), "reason": given.reason}
            for given in Approval.objects.filter(checker=user).order_by("id")
        ],
    }


def _kept_until(user: User) -> datetime | None:
    made = Order.objects.filter(maker=user).aggregate(last=Max("updated_at"))["last"]
    decided = Approval.objects.filter(checker=user).aggregate(last=Max("at"))["last"]
    last = max(filter(None, (made, decided)), default=None)
    return retention.later(last, retention.TRANSACTION_YEARS) if last else None


def _expire(user: User) -> int:
    """The words; the numbers are the books'."""
    return Order.objects.filter(maker=user).exclude(user_words="", rationale="").update(user_words="", rationale="")


CONTRIBUTOR = Contributor(name="orders", export=_export, kept_until=_kept_until, expire=_expire)

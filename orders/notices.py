"""Mail to approvers when an order begins to wait, where the setting NEXTRADE_APPROVAL_MAIL asks for it.

It says what is asked and by whom, and nothing that a stranger wrote: the words are on the page that it leads to.
"""

import uuid
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.mail import EmailMessage, get_connection
from django.db.models import Q
from django.urls import reverse
from django_q.tasks import async_task

from compliance.audit import Action
from orders.models import Conflict, Order, Status
from orders.payload import plain
from orders.review import terms, usd

KEPT_S = 86_400
BACKEND = "django.contrib.auth.backends.ModelBackend"


def moved(*, order_id: uuid.UUID, action: Action, **_: Any) -> None:
    """Queue the mail of an order that was just proposed."""
    if settings.APPROVAL_MAIL and action == Action.ORDER_PROPOSED:
        async_task("orders.tasks.tell_approvers", order_id=str(order_id))


def tell_approvers(order_id: uuid.UUID) -> int:
    """Write to each person who may decide on the order, once; how many. Raises what the mail server says."""
    order = Order.objects.select_related("maker").filter(pk=order_id, status=Status.PENDING_APPROVAL).first()
    if order is None or not cache.add(f"told:{order_id}", 1, KEPT_S):
        return 0
    mails = [_mail(order, person) for person in approvers(order)]
    try:
        return get_connection().send_messages(mails) or 0
    except Exception:
        cache.delete(f"told:{order_id}")
        raise


def approvers(order: Order) -> list[User]:
    """Who may decide on an order by a right of their own, and has an address."""
    known = User.objects.with_perm("orders.approve_order", include_superusers=False, backend=BACKEND)
    barred: set[int] = set()
    for one, other in Conflict.objects.filter(Q(one=order.maker) | Q(other=order.maker)).values_list("one", "other"):
        barred |= {one, other}
    able = known.filter(is_active=True).exclude(email="").exclude(pk=order.maker_id).exclude(pk__in=barred)
    return list(able.order_by("username"))


def _mail(order: Order, person: User) -> EmailMessage:
    what = f"{order.side} {plain(order.quantity)} {order.symbol}"
    page = f"{settings.PUBLIC_URL}{reverse('admin:orders_order_review', args=[order.pk])}"
    body = (
        f"{order.maker.get_username()} asks to {what}, {terms(order)}, worth {usd(order.notional_usd)} USD.\n"
        f"It lapses at {order.expires_at:%H:%M} UTC unless somebody decides.\n\n{page}\n\n"
        "Nothing is decided by this mail or by an answer to it.\n"
    )
    return EmailMessage(f"An order waits: {what}", body, settings.DEFAULT_FROM_EMAIL, [person.email])

"""A ticket: a row in the admin, due on the next business day, and a copy to a webhook where one is set."""

from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from nextrade.ops.alerting.channels.base import Undelivered, post, runbook_url
from nextrade.ops.alerting.notices import Kind, Notice
from orders import market


class TicketDesk:
    name = "ticket"

    def is_configured(self) -> bool:
        return True

    def send(self, notice: Notice) -> str:
        try:
            _write(notice)
        except DatabaseError as error:
            raise Undelivered(f"no database: {type(error).__name__}") from error
        finally:
            connection.close()
        return _copy(notice) if settings.TICKET_WEBHOOK_URL else "row"


def due(notice: Notice) -> date:
    return next_business_day(datetime.fromtimestamp(notice.at, market.NEW_YORK).date())


def next_business_day(day: date) -> date:
    """The first day after it that the New York exchange trades."""
    following = day + timedelta(days=1)
    while not market.is_trading_day(following):
        following += timedelta(days=1)
    return following


def _write(notice: Notice) -> None:
    from nextrade.ops.models import Ticket

    at = datetime.fromtimestamp(notice.at, UTC)
    if notice.kind == Kind.RESOLVED:
        Ticket.objects.filter(key=notice.key, resolved_at=None).update(resolved_at=at)
        return
    facts = {"rule": notice.rule, "priority": notice.priority, "text": notice.text, "count": notice.count}
    with transaction.atomic():
        ticket, is_new = Ticket.objects.get_or_create(
            key=notice.key, defaults={**facts, "opened_at": at, "due": due(notice)}
        )
        if not is_new:
            Ticket.objects.filter(pk=ticket.pk).update(text=facts["text"], count=facts["count"])


def _copy(notice: Notice) -> str:
    reply = post(
        settings.TICKET_WEBHOOK_URL,
        {
            "action": "resolve" if notice.kind == Kind.RESOLVED else "open",
            "key": notice.key,
            "title": notice.subject,
            "text": notice.text,
            "priority": notice.priority,
            "due": due(notice).isoformat(),
            "runbook": runbook_url(notice.runbook),
        },
    )
    if not reply.is_success:
        raise Undelivered(f"HTTP {reply.status_code}", code=str(reply.status_code), is_final=True)
    return str(reply.status_code)

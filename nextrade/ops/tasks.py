from datetime import timedelta

from django.conf import settings
from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import get_token_model

from nextrade import service_accounts
from nextrade.errors import Unavailable
from nextrade.ops import asking, maintenance
from nextrade.ops.models import Alert, Delivery, Heartbeat, IdempotentReply, Measure, RateWindow, Silence

KEEP_REPLIES = timedelta(hours=24)
KEEP_WINDOWS = timedelta(hours=1)
KEEP_MEASURES, KEEP_ALERTS = timedelta(days=40), timedelta(days=400)
"""The trail keeps what became of each alert; these rows are for pages."""


def heartbeat() -> None:
    """Written by way of the queue, so that a fresh row proves the scheduler, the queue and a worker at once."""
    Heartbeat.objects.update_or_create(name="scheduler", defaults={"at": timezone.now()})


def look_at_broker() -> None:
    """Ask the broker something that changes nothing, for all processes without its keys. A paper broker needs none."""
    from orders import brokers

    if settings.BROKER == "paper":
        return
    try:
        brokers.broker().positions()
    except Unavailable as error:
        asking.keep("broker", error.message)
    else:
        asking.keep("broker", "")


def prune() -> None:
    now = timezone.now()
    IdempotentReply.objects.filter(created_at__lt=now - KEEP_REPLIES).delete()
    RateWindow.objects.filter(started_s__lt=(now - KEEP_WINDOWS).timestamp()).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    get_token_model().objects.filter(expiry__lt=now).delete()
    Measure.objects.filter(at__lt=now - KEEP_MEASURES).delete()
    Alert.objects.filter(resolved_at__lt=now - KEEP_ALERTS).delete()
    Delivery.objects.exclude(status=Delivery.Status.WAITING).filter(made_at__lt=now - KEEP_ALERTS).delete()
    Silence.objects.filter(ends_at__lt=now - KEEP_ALERTS).delete()
    maintenance.prune()
    service_accounts.end_due(at=now)

from datetime import timedelta

from django.contrib.sessions.models import Session
from django.utils import timezone
from knox.models import get_token_model

from nextrade.ops import maintenance
from nextrade.ops.models import Heartbeat, IdempotentReply, RateWindow

KEEP_REPLIES = timedelta(hours=24)
KEEP_WINDOWS = timedelta(hours=1)


def heartbeat() -> None:
    """Written by way of the queue, so that a fresh row proves the scheduler, the queue and a worker at once."""
    Heartbeat.objects.update_or_create(name="scheduler", defaults={"at": timezone.now()})


def prune() -> None:
    now = timezone.now()
    IdempotentReply.objects.filter(created_at__lt=now - KEEP_REPLIES).delete()
    RateWindow.objects.filter(started_s__lt=(now - KEEP_WINDOWS).timestamp()).delete()
    Session.objects.filter(expire_date__lt=now).delete()
    get_token_model().objects.filter(expiry__lt=now).delete()
    maintenance.prune()

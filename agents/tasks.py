from datetime import timedelta

from django.utils import timezone

from agents import services

LOOK_BACK = timedelta(minutes=15)


def tell_late() -> int:
    return services.tell_late(since=timezone.now() - LOOK_BACK)

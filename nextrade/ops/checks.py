"""Combinations of settings that must not start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from orders.brokers import BROKERS
from orders.quotes import PROVIDERS


@register()
def settings_fit(**_: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    if settings.BROKER not in BROKERS:
        problems.append(Error(f"NEXTRADE_BROKER must be one of {', '.join(BROKERS)}", id="nextrade.E001"))
    if settings.QUOTES not in PROVIDERS:
        problems.append(Error(f"NEXTRADE_QUOTES must be one of {', '.join(PROVIDERS)}", id="nextrade.E002"))
    if settings.LOG_FORMAT not in ("text", "json"):
        problems.append(Error("LOG_FORMAT must be text or json", id="nextrade.E003"))
    if int(str(settings.Q_CLUSTER["retry"])) <= int(str(settings.Q_CLUSTER["timeout"])):
        problems.append(Error("the queue's retry must be above its timeout, or tasks run twice", id="nextrade.E004"))
    return problems

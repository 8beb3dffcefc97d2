from django.conf import settings
from django.http import HttpRequest


def environment(request: HttpRequest) -> list[str]:
    """The ribbon: which money this is."""
    return ["PAPER TRADING", "success"] if settings.BROKER == "paper" else ["LIVE TRADING", "danger"]

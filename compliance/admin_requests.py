"""What a page of the admin does with a request: know who it is, and try what they asked for."""

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest

from nextrade.errors import NexTradeError


def viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # admin_view lets nobody else through
    return request.user


def attempt(request: HttpRequest, run: Callable[[], object], *, done: str = "Done, and on the trail.") -> None:
    """Do it and say so, or say why not."""
    try:
        run()
        messages.success(request, done)
    except NexTradeError as error:
        messages.error(request, error.message)

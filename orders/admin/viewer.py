"""Who is at an admin page."""

from django.contrib.auth.models import User
from django.http import HttpRequest


def viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # admin_view lets nobody else through
    return request.user

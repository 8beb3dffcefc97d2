"""Who may see the desk's pages."""

import functools
from collections.abc import Callable
from urllib.parse import quote

from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

DESK = "agents.use_desk"
Page = Callable[..., HttpResponse]


def trader_page(view: Page) -> Page:
    """For who may use the desk, kept by no cache. Others sign in first, or are refused."""

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not request.user.is_authenticated:
            return _sign_in(request)
        if not request.user.has_perm(DESK):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return never_cache(guarded)


def trader(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def htmx(request: HttpRequest) -> HtmxDetails:
    """What htmx says of its request; false for a browser's own."""
    details = request.htmx  # type: ignore[attr-defined]
    assert isinstance(details, HtmxDetails)
    return details


def _sign_in(request: HttpRequest) -> HttpResponse:
    """A part of a page is no place for a sign-in: its whole page goes there."""
    if not htmx(request):
        return redirect_to_login(request.get_full_path(), reverse("login"))
    here = htmx(request).current_url_abs_path or reverse("home")
    return HttpResponseClientRedirect(f"{reverse('login')}?next={quote(here)}")

"""What is shown when a request goes wrong outside of the API's views: the API's error shape below its paths, else a
page."""

import base64
from http import HTTPStatus
from typing import Any

import django_otp
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views import defaults
from django.views.decorators.cache import never_cache
from django_otp import user_has_device

from nextrade import second_factor as factor
from nextrade.middleware import refusal


class SignIn(LoginView):
    """By password, or at the firm's identity provider where there is one."""

    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_refused = self.request.GET.get("provider") == "refused"
        shown = {"has_provider": bool(settings.OIDC_ISSUER), "is_refused": is_refused}
        return {**super().get_context_data(**kwargs), **shown}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.BAD_REQUEST) or defaults.bad_request(request, exception)


def not_permitted(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.FORBIDDEN) or defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _api(request, HTTPStatus.NOT_FOUND) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest, *_: Any) -> HttpResponse:
    return _api(request, HTTPStatus.INTERNAL_SERVER_ERROR) or defaults.server_error(request)


@login_required
@never_cache
def second_factor(request: HttpRequest) -> HttpResponse:
    """Enrol an authenticator, or give its code."""
    assert isinstance(request.user, User)
    user, code, is_wrong = request.user, request.POST.get("code", "")[:20], False
    is_enrolled = bool(user_has_device(user))
    if request.method == "POST":
        if is_enrolled and (known := factor.verify(user, code)):
            _pass(request, known)
            return redirect(_start(user))
        if not is_enrolled and (enrolled := factor.enrol(user, code)):
            _pass(request, enrolled[0])
            return _page(request, codes=enrolled[1], next=reverse(_start(user)))
        is_wrong = True
    if is_enrolled:
        return _page(request, is_wrong=is_wrong)
    device = factor.pending(user)
    key = base64.b32encode(device.bin_key).decode()
    return _page(request, is_wrong=is_wrong, picture=factor.picture(device), key=key)


def _start(user: User) -> str:
    return "admin:index" if user.is_staff else "home"


def _pass(request: HttpRequest, device: Any) -> None:
    django_otp.login(request, device)
    request.session.cycle_key()


def _page(request: HttpRequest, **shown: Any) -> HttpResponse:
    return render(request, "registration/second_factor.html", shown)


def _api(request: HttpRequest, status: HTTPStatus) -> HttpResponse | None:
    if not request.path.startswith(("/api/", "/chat")):
        return None
    return refusal(status, status.name.lower(), status.description.lower() or status.phrase.lower(), request)

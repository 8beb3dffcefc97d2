"""The sign-in and its second factor."""

import base64
from typing import Any

import django_otp
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django_otp import user_has_device

from nextrade import error_pages, lockout
from nextrade import second_factor as factor


class SignIn(LoginView):
    """By password, or at the firm's identity provider where there is one. A locked name is told for how long."""

    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        is_refused = self.request.GET.get("provider") == "refused"
        shown = {"has_provider": bool(settings.OIDC_ISSUER), "is_refused": is_refused}
        return {**super().get_context_data(**kwargs), **shown}

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        if left_s := lockout.left_s(form.data.get("username", "")[:150]):
            return error_pages.locked_out(self.request, left_s=left_s)
        return super().form_invalid(form)


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

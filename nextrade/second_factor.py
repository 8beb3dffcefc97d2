"""The second factor: a code from a phone's authenticator (TOTP), or one of ten recovery codes, each good once.

Context: staff approve money, so a password alone must not do. Choice: django-otp's devices behind one page of ours; a
middleware lets nobody into the admin without it, the token endpoint asks for it too, and whoever has enrolled is always
asked. Cost: a lost phone and lost codes take a colleague with a shell (`manage.py second_factor reset NAME`).
"""

import secrets
from collections.abc import Callable
from typing import Any

import segno
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django_otp import user_has_device
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from compliance import audit
from compliance.audit import Action
from compliance.models import Outcome

RECOVERY_CODES, CODE_BYTES = 10, 5
HAS_DEVICE = "has_second_factor"
OPEN = (
    *(
        "/admin/login/",
        "/admin/logout/",
        "/admin/second-factor/",
        "/admin/jsi18n/",
        "/login/",
        "/logout/",
        "/oidc/",
        "/static/",
    ),
    *("/api/", "/chat", "/docs", "/ht/", "/health", "/metrics"),
)
"""Where a session does nothing that a password alone must not do: the ways in and out, and what knows no session."""


def is_needed(user: User) -> bool:
    """Staff, where the setting is on; anybody who has enrolled, always."""
    return (settings.REQUIRE_2FA and user.is_staff) or bool(user_has_device(user))


def required(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Send whoever has only given a password from any page to the second factor's, but for OPEN."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(OPEN) and not is_passed(request):
            return redirect("second-factor")
        return get_response(request)

    return middleware


def is_passed(request: HttpRequest) -> bool:
    user = request.user
    if isinstance(user, AnonymousUser) or user.is_verified():  # type: ignore[attr-defined]
        return True
    return not (settings.REQUIRE_2FA and user.is_staff) and not request.session.get(HAS_DEVICE, False)


@receiver(user_logged_in)
def note_device(request: HttpRequest | None, user: User, **_: Any) -> None:
    """Whether a code is asked for is looked up once a session, not at every page."""
    if hasattr(request, "session") and user_has_device(user):
        assert request is not None
        request.session[HAS_DEVICE] = True


def pending(user: User) -> TOTPDevice:
    """The device that is being enrolled; it counts once its first code was right."""
    device, _ = TOTPDevice.objects.get_or_create(user=user, confirmed=False, defaults={"name": "authenticator"})
    return device


def picture(device: TOTPDevice) -> str:
    """The QR code for the authenticator, as a data URI of an SVG."""
    return str(segno.make(device.config_url, micro=False).svg_data_uri(scale=4, border=2))


def enrol(user: User, code: str) -> tuple[TOTPDevice, list[str]] | None:
    """With the first right code: the device, and the recovery codes, shown this once. None for a wrong code."""
    with transaction.atomic():
        device = TOTPDevice.objects.select_for_update().get(pk=pending(user).pk)
        is_right = device.verify_token(code)
        _note(user, "enrolled", is_right=is_right)
        if not is_right:
            return None
        device.confirmed = True
        device.save()
        StaticDevice.objects.filter(user=user).delete()
        recovery = StaticDevice.objects.create(user=user, name="recovery codes")
        codes = [secrets.token_hex(CODE_BYTES) for _ in range(RECOVERY_CODES)]
        StaticToken.objects.bulk_create(StaticToken(device=recovery, token=_hashed(code)) for code in codes)
    return device, codes


def verify(user: User, code: str) -> TOTPDevice | StaticDevice | None:
    """The device whose code this is. A code counts once; wrong ones make the next wait longer (django-otp)."""
    code = code.strip().replace(" ", "").replace("-", "").lower()
    with transaction.atomic():
        for device in TOTPDevice.objects.select_for_update().filter(user=user, confirmed=True):
            if device.verify_token(code):
                return _passed(user, device)
        for device in StaticDevice.objects.select_for_update().filter(user=user, confirmed=True):
            if len(code) == 2 * CODE_BYTES and device.verify_token(_hashed(code)):
                return _passed(user, device)
        _note(user, "second factor", is_right=False)
    return None


def reset(user: User, *, by: str) -> int:
    """Forget the devices of who lost them; how many. The next log-in enrols anew."""
    with transaction.atomic():
        found = TOTPDevice.objects.filter(user=user).count()
        TOTPDevice.objects.filter(user=user).delete()
        StaticDevice.objects.filter(user=user).delete()
        audit.record(
            Action.SECOND_FACTOR_RESET,
            actor=by,
            on_behalf_of=audit.person(user),
            at=timezone.now(),
            details={"devices": found},
        )
    return int(found)


def _passed(user: User, device: TOTPDevice | StaticDevice) -> TOTPDevice | StaticDevice:
    _note(user, device.name, is_right=True)
    return device


def _note(user: User, what: str, *, is_right: bool) -> None:
    audit.record(
        Action.SECOND_FACTOR,
        actor=audit.person(user),
        at=timezone.now(),
        outcome=Outcome.SUCCESS if is_right else Outcome.REFUSED,
        details={"with": what},
    )


def _hashed(code: str) -> str:
    """A recovery code as it is kept: 64 bits of an HMAC under SECRET_KEY."""
    return salted_hmac("nextrade.second_factor", code, algorithm="sha256").hexdigest()[:16]

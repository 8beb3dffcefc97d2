"""Log-in at the firm's identity provider (OpenID Connect), on when NEXTRADE_OIDC_ISSUER is set.

Context: joiners and leavers are kept in one place. Choice: mozilla-django-oidc does the code flow, with PKCE and nonce;
here is what it leaves open: the audience and issuer of the token, who a subject is, and groups by a table. Who is
known under a name here is never taken over by a claim: `manage.py oidc link` says so once. Cost: groups change at the
next log-in; a session lives on as long as sessions do.
"""

import logging
import re
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from jwt import PyJWTError
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView
from requests import RequestException

from compliance import audit
from compliance.audit import Action
from nextrade.ops.models import ProviderIdentity

log = logging.getLogger(__name__)
USERNAME = re.compile(r"[\w.@+-]{1,64}")
STAFF = frozenset({"Approvers", "Compliance", "Operations"})


class OnlyWithProvider:
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not settings.OIDC_ISSUER:
            raise Http404
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return answer


class Begin(OnlyWithProvider, OIDCAuthenticationRequestView):
    """To the provider's page."""


class Callback(OnlyWithProvider, OIDCAuthenticationCallbackView):
    """Back from it."""


class ProviderBackend(OIDCAuthenticationBackend):
    """Who comes from the provider: known by its `sub`, with exactly the groups that its claim is mapped to."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """The person, or nobody: whatever is wrong with an answer is a failed log-in, and in the log."""
        try:
            user: User | None = super().authenticate(request, **kwargs)
        except (SuspiciousOperation, PyJWTError, RequestException) as error:
            log.warning("The identity provider's answer is refused: %s", error)
            return None
        return user

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Raises SuspiciousOperation for a token that is another client's, another issuer's or without an end."""
        payload: dict[str, Any] = super().verify_token(token, **kwargs)
        audience = payload.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self.OIDC_RP_CLIENT_ID not in audiences or payload.get("azp", self.OIDC_RP_CLIENT_ID) != (
            self.OIDC_RP_CLIENT_ID
        ):
            raise SuspiciousOperation("the token is for another client")
        if payload.get("iss") != settings.OIDC_ISSUER:
            raise SuspiciousOperation("the token is another issuer's")
        if "exp" not in payload or "sub" not in payload:
            raise SuspiciousOperation("the token has no end or no subject")
        return payload

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User | None:
        claims = {**self.get_userinfo(access_token, id_token, payload), "iss": payload["iss"]}
        if claims.get("sub") != payload["sub"]:
            raise SuspiciousOperation("two subjects in one log-in")
        groups = _groups(claims)
        if not groups:
            raise SuspiciousOperation("no group of the provider's has rights here")
        with transaction.atomic():
            user = _known(payload["sub"]) or _new(claims)
            _put_into(user, groups)
        return user if self.user_can_authenticate(user) else None


def link(user: User, subject: str, *, by: str, at: datetime) -> ProviderIdentity:
    """Say that an account here is a person there. Their password ends, and so do the ways around the provider."""
    with transaction.atomic():
        identity, _ = ProviderIdentity.objects.update_or_create(
            user=user, defaults={"issuer": settings.OIDC_ISSUER, "subject": subject, "linked_at": at}
        )
        user.set_unusable_password()
        user.save(update_fields=["password"])
        audit.record(Action.IDENTITY_LINKED, actor=by, on_behalf_of=audit.person(user), at=at)
    return identity


def _known(subject: str) -> User | None:
    identity = ProviderIdentity.objects.filter(issuer=settings.OIDC_ISSUER, subject=subject).first()
    return identity.user if identity else None


def _new(claims: dict[str, Any]) -> User:
    name = str(claims.get("preferred_username", ""))
    if not USERNAME.fullmatch(name):
        raise SuspiciousOperation("the provider gives no name that can be one here")
    if User.objects.filter(username__iexact=name).exists():
        raise SuspiciousOperation("this name is somebody's here: manage.py oidc link")
    user = User.objects.create_user(name, email=str(claims.get("email", ""))[:254])
    link(user, claims["sub"], by="system:oidc", at=timezone.now())
    return user


def _groups(claims: dict[str, Any]) -> set[str]:
    there = claims.get("groups") or []
    return {settings.OIDC_GROUPS[name] for name in there if isinstance(name, str) and name in settings.OIDC_GROUPS}


def _put_into(user: User, groups: set[str]) -> None:
    """Exactly these of the groups that the provider decides on. A claim never makes a superuser, nor ends one."""
    decided = set(settings.OIDC_GROUPS.values())
    held = set(user.groups.filter(name__in=decided).values_list("name", flat=True))
    if held - groups:
        user.groups.remove(*Group.objects.filter(name__in=held - groups))
    if groups - held:
        user.groups.add(*Group.objects.filter(name__in=groups - held))
    is_staff = user.is_superuser or user.groups.filter(name__in=STAFF).exists()
    if user.is_staff != is_staff:
        user.is_staff = is_staff
        user.save(update_fields=["is_staff"])

"""Tokens: given for a name and a password, taken away by their holder."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
from django_otp import user_has_device
from drf_spectacular.utils import extend_schema, inline_serializer
from knox.models import get_token_model
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compliance import audit
from compliance.api import PersonRequest
from compliance.audit import Action
from compliance.models import Outcome
from nextrade import lockout, scopes, second_factor
from nextrade.api import WRONG_CREDENTIALS
from nextrade.errors import Missing, NotPermitted
from nextrade.scopes import SCOPES

ID_LENGTH = 16


class CredentialsSerializer(serializers.Serializer[Any]):
    """otp: the authenticator's code or a recovery code, of whom a second factor is asked. scopes: all, if none."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False, style={"input_type": "password"})
    otp = serializers.CharField(max_length=20, required=False, default="")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=list(SCOPES)), required=False, default=list, max_length=len(SCOPES)
    )


TOKEN = inline_serializer("Token", {"token": serializers.CharField(), "expiry": serializers.DateTimeField()})


class ObtainToken(APIView):
    """A bearer token for a user name and password. It expires; it is hashed at rest; get as many as you need."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_scope = "login"

    @extend_schema(request=CredentialsSerializer, responses=TOKEN)
    def post(self, request: Request) -> Response:
        given = CredentialsSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = given.validated_data
        user = authenticate(request, username=wanted["username"], password=wanted["password"])
        if user is None:
            if wait_s := lockout.left_s(wanted["username"]):
                raise Throttled(wait_s, "too many wrong passwords for this name: wait a quarter of an hour")
            raise AuthenticationFailed("wrong user name or password", code=WRONG_CREDENTIALS)
        _ask_second_factor(user, wanted["otp"])
        with transaction.atomic():
            row, token = get_token_model().objects.create(user=user, prefix=scopes.prefix(wanted["scopes"]))
            details = {"door": "api", "scopes": scopes.of(row)}
            audit.record(Action.LOGIN, actor=audit.person(user), at=timezone.now(), details=details)
        return Response({"token": token, "expiry": row.expiry})

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _ask_second_factor(user: Any, code: str) -> None:
    if not second_factor.is_needed(user):
        return
    if not user_has_device(user):
        raise SecondFactorMissing("set up your second factor in the admin first")
    if not code:
        raise SecondFactorMissing("give the code of your authenticator as `otp`")
    if second_factor.verify(user, code) is None:
        raise AuthenticationFailed("wrong code of the second factor", code=WRONG_CREDENTIALS)


class SecondFactorMissing(NotPermitted):
    code = "second_factor_missing"


class LivingTokenSerializer(serializers.Serializer[Any]):
    id = serializers.SerializerMethodField()
    scopes = serializers.SerializerMethodField()
    created = serializers.DateTimeField()
    expiry = serializers.DateTimeField()
    is_current = serializers.SerializerMethodField()

    def get_id(self, token: Any) -> str:
        return str(token.digest[:ID_LENGTH])

    def get_scopes(self, token: Any) -> list[str]:
        return scopes.of(token)

    def get_is_current(self, token: Any) -> bool:
        return bool(token.digest == self.context["request"].auth.digest)


class Tokens(APIView):
    """Your tokens that live: what each may do and until when. None can be read again."""

    @extend_schema(responses=LivingTokenSerializer(many=True))
    def get(self, request: PersonRequest) -> Response:
        alive = get_token_model().objects.filter(user=request.user, expiry__gt=timezone.now()).order_by("-created")
        return Response(LivingTokenSerializer(alive, many=True, context={"request": request}).data)


class RevokeToken(APIView):
    """End one of your tokens, by the id of the list."""

    needs_scope = scopes.ANY

    @extend_schema(request=None, responses={204: None})
    def delete(self, request: PersonRequest, token_id: str) -> Response:
        with transaction.atomic():
            mine = get_token_model().objects.filter(user=request.user, digest__startswith=token_id)
            if len(token_id) != ID_LENGTH or not mine.delete()[0]:
                raise Missing("there is no such token")
            audit.record(
                Action.TOKEN_REVOKED, actor=audit.person(request.user), at=timezone.now(), details={"token": token_id}
            )
        return Response(status=204)


class Logout(APIView):
    """End the token that this request came with."""

    needs_scope = scopes.ANY

    @extend_schema(request=None, responses={204: None})
    def post(self, request: PersonRequest) -> Response:
        with transaction.atomic():
            request.auth.delete()
            audit.record(Action.LOGOUT, actor=audit.person(request.user), at=timezone.now(), details={"door": "api"})
        return Response(status=204)


@receiver(user_logged_in)
def note_login(user: Any, **_: Any) -> None:
    with transaction.atomic():
        audit.record(Action.LOGIN, actor=audit.person(user), at=timezone.now(), details={"door": "admin"})


@receiver(user_logged_out)
def note_logout(user: Any, **_: Any) -> None:
    if user is not None:
        with transaction.atomic():
            audit.record(Action.LOGOUT, actor=audit.person(user), at=timezone.now(), details={"door": "admin"})


@receiver(user_login_failed)
def note_failure(credentials: dict[str, Any], **_: Any) -> None:
    """Whose name was given is personal, and so is what somebody typed there who has no name here."""
    username = str(credentials.get("username", ""))[:150]
    user = User.objects.filter(username=username).first()
    about = audit.person(user) if user else ""
    with transaction.atomic():
        audit.record(
            Action.LOGIN_FAILED,
            actor="anonymous",
            on_behalf_of=about,
            at=timezone.now(),
            outcome=Outcome.REFUSED,
            personal={"username": username},
        )

"""Tokens: given for a name and a password, taken away by their holder."""

from typing import Any

from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone
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
from nextrade import lockout
from nextrade.api import WRONG_CREDENTIALS


class CredentialsSerializer(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=128, trim_whitespace=False, style={"input_type": "password"})


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
        user = authenticate(request, **given.validated_data)
        if user is None:
            if wait_s := lockout.left_s(given.validated_data["username"]):
                raise Throttled(wait_s, "too many wrong passwords for this name: wait a quarter of an hour")
            raise AuthenticationFailed("wrong user name or password", code=WRONG_CREDENTIALS)
        with transaction.atomic():
            row, token = get_token_model().objects.create(user=user)
            audit.record(Action.LOGIN, actor=audit.person(user), at=timezone.now(), details={"door": "api"})
        return Response({"token": token, "expiry": row.expiry})

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Logout(APIView):
    """End the token that this request came with."""

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

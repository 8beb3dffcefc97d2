"""Accounts of programs. They have no password, hold tokens of `chat` and `read` alone, end by a date, and a person
answers for each: with that person's account they end too, and neither decides on the other's orders."""

from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.utils import timezone
from knox.models import get_token_model

from compliance import audit
from compliance.audit import Action
from nextrade import scopes
from nextrade.errors import Invalid
from nextrade.ops.models import ServiceAccount
from orders.models import Conflict

SCOPES = ("chat", "read")
GROUPS = ("Traders", "Compliance", "Operations")


def create(
    name: str, *, owner: User, purpose: str, group: str, wanted: Iterable[str], expires_at: datetime, at: datetime
) -> tuple[ServiceAccount, str]:
    """The account and its one token, which nobody can read again. Raises Invalid."""
    wanted = list(wanted)
    if not set(wanted) <= set(SCOPES) or not wanted:
        raise Invalid(f"a program's token may {' and '.join(SCOPES)}, nothing else", code="scope_not_offered")
    if group not in GROUPS:
        raise Invalid(f"a program is one of {', '.join(GROUPS)}; it never approves", code="group_not_offered")
    if expires_at <= at:
        raise Invalid("it ends in the future", code="expiry_past")
    if not owner.is_active or ServiceAccount.objects.filter(user=owner).exists():
        raise Invalid("a person answers for it", code="owner_not_a_person")
    try:
        with transaction.atomic():
            user = User.objects.create_user(name)
            user.groups.add(Group.objects.get(name=group))
            account = ServiceAccount.objects.create(user=user, owner=owner, purpose=purpose, expires_at=expires_at)
            Conflict.objects.create(one=owner, other=user, reason="answers for this service account")
            prefix = scopes.prefix(wanted)
            _, token = get_token_model().objects.create(user=user, expiry=expires_at - at, prefix=prefix)
            details = {"purpose": purpose, "scopes": wanted, "group": group, "expires_at": expires_at.isoformat()}
            about = audit.person(user)
            audit.record(
                Action.SERVICE_ACCOUNT_MADE, actor=audit.person(owner), on_behalf_of=about, at=at, details=details
            )
    except IntegrityError as error:
        raise Invalid("this name is taken", code="name_taken") from error
    return account, token


def end(account: ServiceAccount, *, because: str, at: datetime) -> None:
    """No token of it works any more. The row stays, for what it did is on the trail."""
    with transaction.atomic():
        if not User.objects.filter(pk=account.user_id, is_active=True).update(is_active=False):
            return
        get_token_model().objects.filter(user=account.user_id).delete()
        about = f"user:{account.user_id}"
        details = {"because": because}
        audit.record(Action.SERVICE_ACCOUNT_ENDED, actor="system:identity", on_behalf_of=about, at=at, details=details)


def end_due(*, at: datetime) -> int:
    """End those whose date is past or whose person has left; how many."""
    due = ServiceAccount.objects.filter(Q(expires_at__lte=at) | Q(owner__is_active=False), user__is_active=True)
    for account in due:
        end(account, because="its date, or its owner, is gone", at=at)
    return len(due)


@receiver(post_save, sender=User)
def follow_owner(instance: User, created: bool, **_: object) -> None:
    """A person who leaves takes their programs with them, at once."""
    if created or instance.is_active:
        return
    for account in ServiceAccount.objects.filter(owner=instance, user__is_active=True):
        end(account, because="its owner has left", at=timezone.now())

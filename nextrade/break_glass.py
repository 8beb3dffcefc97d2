"""Rights taken in an emergency: a group's, for an hour, with a reason, and everybody on call is told at once.

Context: at night the one approver is ill and positions must be closed. Choice: an authentication backend that adds the
group's rights while the hour lasts, so they end by the clock, whatever process is down. What binds everybody still
binds: nobody approves their own order. Cost: a query in requests of staff whose own groups do not give a right.
"""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.db import transaction
from django.utils import timezone

from compliance import audit
from compliance.alerts import raise_alert
from compliance.audit import Action
from nextrade.errors import Invalid, NotPermitted
from nextrade.ops.models import BreakGlass

HOUR = timedelta(hours=1)
GROUPS = ("Approvers", "Compliance", "Operations")
SHORTEST_REASON = 10
TAKE = "ops.add_breakglass"
CACHE = "_break_glass"


class BreakGlassBackend(BaseBackend):
    """Knows no passwords; adds rights."""

    def get_all_permissions(self, user_obj: User | AnonymousUser, obj: Any = None) -> set[str]:
        if obj is not None or not user_obj.is_active or not user_obj.is_staff:
            return set()
        known = user_obj.__dict__
        if CACHE not in known:
            known[CACHE] = _rights(user_obj)
        return set(known[CACHE])

    def has_module_perms(self, user_obj: User | AnonymousUser, app_label: str) -> bool:
        return any(right.startswith(f"{app_label}.") for right in self.get_all_permissions(user_obj))


def take(group: Group, *, by: User, reason: str, at: datetime) -> BreakGlass:
    """Take a group's rights for an hour.

    Raises NotPermitted for who is not staff with `ops.add_breakglass`, Invalid for no real reason, a group that is none
    of GROUPS, or rights that are held already.
    """
    if not (by.is_active and by.is_staff and by.has_perm(TAKE)):
        raise NotPermitted("this takes somebody of operations")
    if len(reason.strip()) < SHORTEST_REASON:
        raise Invalid("say what the emergency is, in a sentence", code="reason_missing")
    if group.name not in GROUPS:
        raise Invalid("these rights are not for an emergency", code="group_not_offered")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=by.pk)
        if by.groups.filter(pk=group.pk).exists() or BreakGlass.objects.filter(user=by, ends_at__gt=at).exists():
            raise Invalid("you hold such rights already", code="held_already")
        taken = BreakGlass.objects.create(user=by, group=group, reason=reason, started_at=at, ends_at=at + HOUR)
        actor, details = audit.person(by), {"group": group.name, "ends_at": taken.ends_at.isoformat()}
        audit.record(Action.BREAK_GLASS_TAKEN, actor=actor, at=at, details={**details, "reason": reason})
        raise_alert("break_glass", actor=actor, at=at, details=details)
    by.__dict__.pop(CACHE, None)
    return taken


def give_back(taken: BreakGlass, *, by: User, at: datetime) -> None:
    """End it before its hour."""
    with transaction.atomic():
        if not BreakGlass.objects.filter(pk=taken.pk, ends_at__gt=at).update(ends_at=at):
            return
        details = {"group": taken.group.name}
        about = audit.person(taken.user)
        audit.record(Action.BREAK_GLASS_ENDED, actor=audit.person(by), on_behalf_of=about, at=at, details=details)


def _rights(user: Any) -> set[str]:
    groups = BreakGlass.objects.filter(user=user, ends_at__gt=timezone.now()).values("group")
    rights = Permission.objects.filter(group__in=groups).values_list("content_type__app_label", "codename")
    return {f"{app}.{name}" for app, name in rights}

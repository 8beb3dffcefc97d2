"""The thresholds in force, and how one is set: alertd and `ops render` follow within their next round."""

import math
from datetime import datetime

from django.contrib.auth.models import User
from django.db import transaction

from compliance import audit
from compliance.audit import Action
from nextrade.errors import Invalid, Missing, NotPermitted
from nextrade.ops.alerting.rule import Rule, number
from nextrade.ops.models import Threshold
from nextrade.ops.rules import by_name


def in_force() -> dict[str, float]:
    """Those that differ from the catalogue's, by the rule's name: what `rules.catalogue` takes."""
    return dict(Threshold.objects.values_list("rule", "value"))


def set_threshold(name: str, value: float, *, reason: str, by: User, at: datetime) -> None:
    """Let a rule have another threshold; its catalogue's own removes what was set.

    Raises Missing for a rule without a threshold, NotPermitted, Invalid for what could never fire or always would.
    """
    rule = with_threshold(name)
    actor = audit.person(by)
    with audit.refusals(actor=actor, at=at), transaction.atomic(durable=True):
        if not (by.is_active and by.has_perm("ops.change_threshold")):
            raise NotPermitted("you may not change the threshold of an alert")
        _fits(rule, value, reason)
        row = Threshold.objects.select_for_update().filter(rule=name).first()
        before = row.value if row else rule.threshold
        if value == rule.threshold:
            Threshold.objects.filter(rule=name).delete()
        else:
            told = {"value": value, "reason": reason, "set_by": actor, "set_at": at}
            Threshold.objects.update_or_create(rule=name, defaults=told)
        details = {"rule": name, "from": number(before), "to": number(value), "unit": rule.unit, "reason": reason}
        audit.record(Action.THRESHOLD_CHANGED, actor=actor, at=at, details=details)


def with_threshold(name: str) -> Rule:
    """The catalogue's rule. Raises Missing where there is none, or it has no threshold."""
    try:
        rule = by_name(name)
    except KeyError as error:
        raise Missing(f"there is no alert called {name}") from error
    if rule.threshold is None:
        raise Missing(f"{name} has no threshold")
    return rule


def _fits(rule: Rule, value: float, reason: str) -> None:
    if not reason.strip():
        raise Invalid("say why the threshold is changed")
    most = 99 if rule.unit.startswith("%") else 1e9
    if not (math.isfinite(value) and 0 < value <= most):
        raise Invalid(f"a threshold in {rule.unit} is above 0 and at most {number(most)}")

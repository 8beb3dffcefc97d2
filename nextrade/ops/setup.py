"""What every `migrate` leaves in place: the cache table, the four groups with their rights, the schedules."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command

from nextrade.ops import schedules

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Traders": ("agents.use_desk",),
        "Approvers": ("orders.view_order", "orders.approve_order", "orders.view_execution", "orders.view_account"),
        "Compliance": (
            "orders.view_order",
            "orders.view_execution",
            "orders.view_account",
            "orders.view_limits",
            "orders.view_tradingstate",
            "orders.add_tradingstate",
            "orders.change_tradingstate",
            "orders.view_break",
            "orders.change_break",
            "orders.approve_limits",
            "orders.view_conflict",
            "orders.add_conflict",
            "orders.delete_conflict",
            "orders.view_delegation",
            "orders.add_delegation",
            "orders.delete_delegation",
            "compliance.view_complianceevent",
            "compliance.view_reviewitem",
            "compliance.sign_off",
            "compliance.view_legalhold",
            "compliance.view_restrictedsymbol",
            "compliance.add_restrictedsymbol",
            "compliance.delete_restrictedsymbol",
        ),
        "Operations": (
            "orders.view_order",
            "orders.view_limits",
            "orders.add_limits",
            "orders.view_tradingstate",
            "orders.add_tradingstate",
            "orders.change_tradingstate",
            "orders.view_break",
            "orders.change_break",
            "ops.view_heartbeat",
            "ops.view_alert",
            "ops.handle_alert",
            "ops.view_silence",
            "ops.view_delivery",
            "ops.view_ticket",
            "ops.view_measure",
            "ops.view_maintenancerun",
            "ops.view_threshold",
            "ops.change_threshold",
            "ops.run_job",
            "ops.view_checklistrun",
            "ops.sign_checklist",
            "ops.view_health",
            "ops.add_breakglass",
            "ops.view_breakglass",
            "ops.view_serviceaccount",
            "ops.add_costentry",
            "ops.view_costentry",
            "agents.view_breaker",
            "agents.view_modelprice",
            "agents.add_modelprice",
            "agents.view_modelcall",
            "agents.reset_breaker",
            "django_q.view_schedule",
            "django_q.view_success",
            "django_q.view_failure",
            "django_q.view_ormq",
        ),
    }
)


def after_migrate(**_: Any) -> None:
    if not settings.REDIS_URL:
        call_command("createcachetable", verbosity=0)
    for config in apps.get_app_configs():
        create_permissions(config, verbosity=0)
    for name, rights in GROUPS.items():
        _grant(name, rights)
    schedules.install()


def _grant(name: str, rights: tuple[str, ...]) -> None:
    """By rows: what a migration sets up is the code's, and no event before there is a trail."""
    group, _ = Group.objects.get_or_create(name=name)
    wanted = [right.split(".") for right in rights]
    held = Group.permissions.through.objects.filter(group=group)
    permissions = [Permission.objects.get(content_type__app_label=app, codename=name) for app, name in wanted]
    held.exclude(permission__in=permissions).delete()
    missing = set(permissions) - {row.permission for row in held.select_related("permission")}
    held.model.objects.bulk_create(
        [held.model(group=group, permission=each) for each in missing], ignore_conflicts=True
    )

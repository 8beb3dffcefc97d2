"""The admin's sidebar: what leads where, and for whom."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import lazy

address = lazy(cache(reverse), str)
"""Unlike reverse_lazy, which asks anew each time it is read: two hundred times a page."""


Permission = Callable[[HttpRequest], bool] | str


def page(title: str, icon: str, url: str, permission: Permission | None = None, **more: Any) -> dict[str, Any]:
    """permission: a function of the request, or its path; more: unfold's `badge`, `badge_variant` and `active`."""
    item = {"title": title, "icon": icon, "link": address(url), **more}
    return item if permission is None else {**item, "permission": permission}


def holders(right: str) -> Permission:
    """Who has a right, "app.codename"."""

    def may(request: HttpRequest) -> bool:
        return request.user.has_perm(right)

    return may


def rows(title: str, icon: str, app: str, model: str, **more: Any) -> dict[str, Any]:
    """The list of a model, for who may view its rows."""
    permission = more.pop("permission", holders(f"{app}.view_{model}"))
    return page(title, icon, f"admin:{app}_{model}_changelist", permission, **more)


TRAIL = "compliance.admin.may_see_trail"
SIDEBAR: list[dict[str, Any]] = [
    {"items": [page("Today", "wb_twilight", "admin:index"), page("Week", "bar_chart", "admin-week")]},
    {
        "title": "Desk",
        "items": [
            rows(
                "Orders",
                "order_approve",
                "orders",
                "order",
                permission="orders.admin.queue.may_see_orders",
                badge="orders.admin.queue.waiting",
                badge_variant="primary",
            ),
            rows("Executions", "receipt_long", "orders", "execution"),
            rows("Accounts", "account_balance_wallet", "orders", "account"),
            rows("Limits", "tune", "orders", "limits"),
            rows("Trading states", "front_hand", "orders", "tradingstate"),
            rows("Breaks", "difference", "orders", "break"),
        ],
    },
    {
        "title": "Compliance",
        "items": [
            rows("Audit trail", "history_edu", "compliance", "complianceevent", permission=TRAIL),
            page("Integrity", "verified", "trail-integrity", TRAIL),
            rows(
                "Reviews",
                "fact_check",
                "compliance",
                "reviewitem",
                badge="compliance.review_admin.open_items",
                badge_variant="warning",
            ),
            rows("Legal holds", "gavel", "compliance", "legalhold"),
            rows("Restricted symbols", "block", "compliance", "restrictedsymbol"),
            rows("Conflicts", "person_off", "orders", "conflict"),
            rows("Delegations", "handshake", "orders", "delegation"),
        ],
    },
    {
        "title": "Operations",
        "items": [
            page(
                "System",
                "dashboard",
                "ops-system",
                holders("ops.view_alert"),
                badge="nextrade.ops.system.firing",
                badge_variant="danger",
                active="nextrade.ops.system.is_here",
            ),
            rows("Alerts", "notifications_active", "ops", "alert"),
            rows("Deliveries", "outgoing_mail", "ops", "delivery"),
            rows("Tickets", "confirmation_number", "ops", "ticket"),
            rows("Silences", "notifications_off", "ops", "silence"),
            page("Health", "monitor_heart", "ht", holders("django_q.view_schedule")),
            rows("Circuit breakers", "electric_bolt", "agents", "breaker"),
            rows("Alert rules", "notification_important", "ops", "threshold"),
            rows("Model calls", "smart_toy", "agents", "modelcall"),
            rows("Model prices", "payments", "agents", "modelprice"),
            page("Jobs", "schedule", "admin:ops_jobs", holders("ops.view_maintenancerun")),
            rows("Checklists", "checklist", "ops", "checklistrun"),
            rows(
                "Runs of jobs",
                "event_available",
                "ops",
                "maintenancerun",
                active="nextrade.ops.maintenance_admin.is_here",
            ),
            rows("Schedules", "calendar_clock", "django_q", "schedule"),
            rows("Tasks done", "task_alt", "django_q", "success"),
            rows("Tasks failed", "error", "django_q", "failure"),
            rows("Tasks queued", "pending_actions", "django_q", "ormq"),
            rows("Users", "group", "auth", "user"),
            rows("Emergency rights", "emergency_home", "ops", "breakglass"),
            rows("Costs", "receipt", "ops", "costentry"),
            rows("Service accounts", "smart_toy", "ops", "serviceaccount"),
            rows("API tokens", "key", "knox", "authtoken"),
        ],
    },
]

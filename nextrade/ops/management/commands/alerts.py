import getpass
import json
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from compliance import audit
from compliance.audit import Action
from compliance.models import Outcome
from nextrade.errors import NexTradeError
from nextrade.ops.alerting import channels, services, states
from nextrade.ops.alerting.channels import Undelivered
from nextrade.ops.alerting.notices import Kind, Notice
from nextrade.ops.alerting.rule import PRIORITIES
from nextrade.ops.alerting.store import STORE, glimpse
from nextrade.ops.models import Alert
from nextrade.ops.rules import RULES

LASTS = re.compile(r"(\d{1,5})(m|h|d)")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


class Command(BaseCommand):
    help = "Alerts that are open; a marked test through the real channels; acknowledge; silence."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listing = verbs.add_parser("list", help="what is open; exit 1 when something is")
        listing.add_argument("--json", action="store_true", dest="as_json")
        test = verbs.add_parser("test", help="send a marked test to the channels of a priority")
        test.add_argument(
            "--priority", choices=[each.name for each in PRIORITIES if each.name != "none"], required=True
        )
        take = verbs.add_parser("ack", help="take an alert up")
        take.add_argument("alert", type=int)
        take.add_argument("--by", required=True, help="user name")
        quiet = verbs.add_parser("silence", help="have nobody told of a rule's alerts; all: maintenance")
        quiet.add_argument("rule", help="its name, or all")
        quiet.add_argument("--for", required=True, dest="lasts", help="90m, 4h or 2d")
        quiet.add_argument("--reason", required=True)
        quiet.add_argument("--by", required=True, help="user name")
        quiet.add_argument("--label", action="append", default=[], help="name=value that an alert must carry")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        try:
            verbs: dict[str, Callable[..., None]] = {
                "list": self._list,
                "test": self._test,
                "ack": self._acknowledge,
                "silence": self._silence,
            }
            verbs[verb](**options)
        except NexTradeError as error:
            raise CommandError(f"{error.reason}: {error.message}", returncode=1) from error

    def _list(self, *, as_json: bool, **_: Any) -> None:
        try:
            found = [_row(alert) for alert in _open()]
        except DatabaseError as error:
            self.stderr.write(f"The database does not answer ({type(error).__name__}); this is what alertd remembers.")
            found = [_remembered(alert) for alert in glimpse(settings.DATA_DIR / STORE)]
        if as_json:
            self.stdout.write(json.dumps(found))
        for row in () if as_json else found:
            taken = f" (taken up by {row['acknowledged_by']})" if row["acknowledged_by"] else ""
            self.stdout.write(
                f"{row['id']:>6} {row['priority']} {row['state']:8} {row['fired_at'][:16]} {row['text']}{taken}"
            )
        if not found and not as_json:
            self.stdout.write("Nothing is open.")
        if found:
            raise SystemExit(1)

    def _test(self, *, priority: str, **_: Any) -> None:
        chosen = next(each for each in PRIORITIES if each.name == priority)
        failed = [name for name in chosen.channels if not self._tried(name, priority, chosen.severity)]
        if failed:
            raise CommandError(f"not delivered by {', '.join(failed)}", returncode=1)

    def _tried(self, name: str, priority: str, severity: str) -> bool:
        """Send a test by one channel; PagerDuty's is ended at once."""
        channel, at = channels.CHANNELS[name], time.time()
        if not channel.is_configured():
            self.stdout.write(f"{name}: not configured")
            return False
        kinds = (Kind.TEST, Kind.RESOLVED) if name in ("pagerduty", "ticket") else (Kind.TEST,)
        try:
            codes = [channel.send(_test_notice(kind, priority, severity, at)) for kind in kinds]
        except Undelivered as problem:
            codes, said = [], str(problem)
        else:
            said = "delivered, " + ", ".join(codes)
        self.stdout.write(f"{name}: {said}")
        details = {"channel": name, "priority": priority, "result": said}
        with transaction.atomic():
            outcome = Outcome.SUCCESS if codes else Outcome.FAILED
            actor = f"system:terminal:{getpass.getuser()}"
            audit.record(Action.ALERT_TESTED, actor=actor, at=timezone.now(), outcome=outcome, details=details)
        return bool(codes)

    def _acknowledge(self, *, alert: int, by: str, **_: Any) -> None:
        taken = services.acknowledge(alert, by=_user(by), at=timezone.now())
        self.stdout.write(f"{taken.rule} is taken up by {taken.acknowledged_by}")

    def _silence(self, *, rule: str, lasts: str, reason: str, by: str, label: list[str], **_: Any) -> None:
        span = LASTS.fullmatch(lasts)
        pairs = [each.partition("=") for each in label]
        if not span or not all(name and mark for name, mark, _ in pairs):
            raise CommandError("--for takes 90m, 4h or 2d; --label takes name=value", returncode=2)
        made = services.silence(
            "*" if rule == "all" else rule,
            lasts=timedelta(**{UNITS[span[2]]: int(span[1])}),
            reason=reason,
            by=_user(by),
            at=timezone.now(),
            labels={name: value for name, _, value in pairs},
        )
        self.stdout.write(f"Silent until {made.ends_at:%Y-%m-%d %H:%M} UTC: {made.rule}")


def _user(name: str) -> User:
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise CommandError(f"there is no user {name}", returncode=2)
    return user


def _open() -> QuerySet[Alert]:
    return Alert.objects.exclude(state=Alert.State.RESOLVED).order_by("priority", "fired_at")


def _remembered(alert: states.Alert) -> dict[str, Any]:
    """As `_row`, without an id to acknowledge it by. fired_at is by alertd's clock."""
    priority = next((rule.priority.name for rule in RULES if rule.name == alert.rule), "-")
    return {
        "id": "-",
        "rule": alert.rule,
        "priority": priority,
        "state": alert.state.value,
        "labels": dict(alert.labels),
        "text": alert.text,
        "value": alert.value,
        "fired_at": datetime.fromtimestamp(alert.fired_s, UTC).isoformat(),
        "acknowledged_by": alert.acknowledged_by,
    }


def _row(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.pk,
        "rule": alert.rule,
        "priority": alert.priority,
        "state": alert.state,
        "labels": alert.labels,
        "text": alert.text,
        "value": alert.value,
        "fired_at": alert.fired_at.isoformat(),
        "acknowledged_by": alert.acknowledged_by,
    }


def _test_notice(kind: Kind, priority: str, severity: str, at: float) -> Notice:
    return Notice(
        rule="AlertTest",
        kind=kind,
        priority=priority,
        severity=severity,
        key=f"nextrade/test/{at:.3f}",
        lines=(f"A test of {priority}.",),
        count=1,
        runbook="docs/runbooks/README.md",
        at=at,
    )

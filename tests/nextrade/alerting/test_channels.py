"""What reaches PagerDuty, Slack, a mailbox and the tickets, to the letter; and what happens when they say no."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.core import mail

from nextrade.ops.alerting import channels
from nextrade.ops.alerting.channels import Undelivered, email, pagerduty, slack, ticket
from nextrade.ops.alerting.notices import Kind, Notice
from nextrade.ops.alerting.outbox import Outbox
from nextrade.ops.alerting.workers import send
from nextrade.ops.models import Ticket
from tests.journeys.conftest import free_port
from tests.receivers import Receiver, mail_server, receiver

FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)


def notice(kind: Kind = Kind.FIRING, line: str = "NexTrade API is down. Health check failing.", **more: Any) -> Notice:
    facts = {"priority": "P1", "severity": "critical", "count": 1, "at": FRIDAY.timestamp()}
    told = {"rule": "ApiUnavailable", "key": "nextrade/ApiUnavailable/7", "runbook": "docs/runbooks/ApiUnavailable.md"}
    return Notice(kind=kind, lines=(line,), **{**told, **facts, **more})


@pytest.fixture
def there(settings: Any) -> Iterator[Receiver]:
    with receiver() as found:
        settings.PAGERDUTY_ROUTING_KEY, settings.PAGERDUTY_URL = "R0UTING", f"{found.url}/v2/enqueue"
        settings.SLACK_WEBHOOK_URL = f"{found.url}/services/T0/B0/SECRET"
        yield found


def test_pagerduty_gets_the_guide_s_payload_and_the_end_under_the_same_key(there: Receiver) -> None:
    for kind in (Kind.FIRING, Kind.ACKNOWLEDGED, Kind.RESOLVED):
        assert pagerduty.PagerDuty().send(notice(kind, details={"value": "0"})) == "202"
    trigger, acknowledge, resolve = there.bodies("/v2/enqueue")
    assert {name: trigger[name] for name in ("routing_key", "event_action", "client")} == {
        "routing_key": "R0UTING",
        "event_action": "trigger",
        "client": "NexTrade",
    }
    assert trigger["payload"]["summary"] == "NexTrade API is down. Health check failing."
    assert trigger["payload"]["severity"] == "critical"
    assert trigger["payload"]["source"] == "NexTrade API"
    assert trigger["payload"]["custom_details"]["value"] == "0"
    assert trigger["links"][0]["href"].endswith("/ApiUnavailable.md")
    key = {"routing_key": "R0UTING", "dedup_key": trigger["dedup_key"]}
    assert acknowledge == {**key, "event_action": "acknowledge"}
    assert resolve == {**key, "event_action": "resolve"}


def test_pagerduty_s_limits_hold(there: Receiver) -> None:
    long = pagerduty.event(notice(line="x" * 5000, key="k" * 500))
    assert len(long["payload"]["summary"]) == 1024
    assert len(long["dedup_key"]) == 255


@pytest.mark.parametrize(
    ("severity", "colour"),
    [
        ("critical", "#FF0000"),
        ("error", "#FF4500"),
        ("warning", "#FFA500"),
        ("info", "#0000FF"),
        ("anything else", "#808080"),
    ],
)
def test_slack_gets_the_guide_s_shape_and_colours(there: Receiver, severity: str, colour: str) -> None:
    slack.Slack().send(notice(severity=severity))
    assert there.bodies("/services") == [
        {
            "channel": "#alerts",
            "attachments": [
                {
                    "color": colour,
                    "title": f"NexTrade Alert - {severity.upper()}",
                    "text": "NexTrade API is down. Health check failing.",
                    "ts": int(FRIDAY.timestamp()),
                }
            ],
        }
    ]


def test_slack_is_told_the_end_and_nobody_can_write_to_everybody_through_it(there: Receiver) -> None:
    told = slack.message(notice(Kind.RESOLVED, line="<!channel> & <https://evil.example|ok>"))["attachments"][0]
    assert told["title"] == "NexTrade Alert - RESOLVED"
    assert told["text"] == "Resolved: &lt;!channel&gt; &amp; &lt;https://evil.example|ok&gt;"


def problem(channel: Any, **facts: Any) -> Undelivered:
    with pytest.raises(Undelivered) as found:
        channel.send(notice(**facts))
    return found.value


def test_each_no_of_slack_is_understood(there: Receiver, settings: Any) -> None:
    there.answers = [(404, {}), (410, {}), (429, {"Retry-After": "7"}), (500, {}), (400, {})]
    gone, archived, busy, broken, wrong = (problem(slack.Slack()) for _ in range(5))
    assert gone.turns_off
    assert archived.turns_off
    assert (busy.wait_s, busy.is_final, busy.turns_off) == (7, False, False)
    assert (broken.is_final, broken.turns_off) == (False, False)
    assert wrong.is_final
    assert not wrong.turns_off
    settings.SLACK_WEBHOOK_URL = "http://127.0.0.1:9/services/T0/B0/SECRET"
    assert "SECRET" not in str(problem(slack.Slack()))
    settings.SLACK_WEBHOOK_URL = "not an address SECRET"
    assert "SECRET" not in str(problem(slack.Slack()))


def test_each_no_of_pagerduty_is_understood(there: Receiver) -> None:
    there.answers = [(400, {}), (403, {}), (429, {}), (200, {})]
    wrong, key, busy, odd = (problem(pagerduty.PagerDuty()) for _ in range(4))
    assert (wrong.is_final, wrong.turns_off) == (True, False)
    assert key.turns_off
    assert not busy.is_final
    assert odd.is_final


def test_mail_has_the_guide_s_subject_and_sender_and_no_header_of_a_stranger_s(settings: Any) -> None:
    settings.ALERT_EMAIL_TO = ["ops@nextrade.example", "olga@nextrade.example"]
    email.Email().send(notice(line="Disk full\r\nBcc: evil@example.com\u2028x"))
    (sent,) = mail.outbox
    headers = sent.message()
    assert headers["Subject"] == "[NexTrade Alert] Disk full Bcc: evil@example.com x"
    assert headers["From"] == "alerts@nextrade.com"
    assert headers["To"] == "ops@nextrade.example, olga@nextrade.example"
    assert headers["Bcc"] is None
    assert "docs/runbooks/ApiUnavailable.md" in sent.body


def test_mail_goes_by_smtp_and_its_refusals_are_understood(settings: Any) -> None:
    port = free_port()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.ALERT_EMAIL_TO = "127.0.0.1", port, ["ops@nextrade.example"]
    assert not problem(email.Email()).is_final
    with mail_server(port) as box:
        assert email.Email().send(notice()) == "250"
        assert box.got[0]["Subject"] == "[NexTrade Alert] NexTrade API is down. Health check failing."
        box.refuses = "451 later"
        assert not problem(email.Email()).is_final
        box.refuses = "554 never"
        assert problem(email.Email()).is_final


@pytest.mark.django_db(transaction=True)
def test_a_ticket_is_due_on_the_next_day_of_business_and_is_one_however_often_it_is_told(
    there: Receiver, settings: Any
) -> None:
    settings.TICKET_WEBHOOK_URL = f"{there.url}/tickets"
    desk = ticket.TicketDesk()
    for kind in (Kind.FIRING, Kind.REPEAT):
        desk.send(notice(kind, priority="P4", severity="info"))
    row = Ticket.objects.get()
    assert row.due == date(2026, 11, 30)  # from Friday to Monday
    desk.send(notice(Kind.RESOLVED, priority="P4", severity="info"))
    row.refresh_from_db()
    assert row.resolved_at == FRIDAY
    assert [each["action"] for each in there.bodies("/tickets")] == ["open", "open", "resolve"]
    assert there.bodies("/tickets")[0]["due"] == "2026-11-30"


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2026, 11, 25), date(2026, 11, 27)),  # Thanksgiving is in between
        (date(2026, 12, 24), date(2026, 12, 28)),  # Christmas is a Friday
        (date(2027, 12, 31), date(2028, 1, 3)),
    ],
)
def test_holidays_of_the_exchange_are_no_days_of_business(day: date, due: date) -> None:
    assert ticket.next_business_day(day) == due


class Post:
    """An outbox, its senders, and a clock."""

    def __init__(self, *configured: str) -> None:
        self.outbox = Outbox(configured=configured)
        self.at_s = 1000.0

    def run(self, seconds: float, step_s: float = 1) -> None:
        """Send what is due for a while."""
        until_s = self.at_s + seconds
        while self.at_s < until_s:
            for delivery in self.outbox.due(self.at_s):
                self.outbox.settle(send(delivery), at_s=self.at_s)
            self.at_s += step_s

    def done(self) -> list[tuple[str, str, int]]:
        known = {each.id: each for each in self.outbox.changed}
        return [(each.channel, each.status.value, each.attempts) for each in known.values()]


def test_what_fails_twice_is_delivered_once_at_the_third_attempt(there: Receiver) -> None:
    post = Post("slack", "ticket")
    there.answers = [(500, {}), (500, {})]
    post.outbox.put(notice(), ["slack"], at_s=post.at_s)
    post.run(30)
    assert post.done() == [("slack", "sent", 3)]
    assert len(there.bodies("/services")) == 1


def test_what_is_down_for_ten_minutes_is_told_after_in_the_order_of_what_happened(there: Receiver) -> None:
    post = Post("slack")
    there.always = 503
    post.outbox.put(notice(), ["slack"], at_s=post.at_s)
    post.run(60)
    post.outbox.put(notice(Kind.RESOLVED), ["slack"], at_s=post.at_s)
    post.run(540)
    assert there.bodies() == []
    assert there.tries < 15
    there.always = 200
    post.run(400, 5)
    titles = [body["attachments"][0]["title"] for body in there.bodies("/services")]
    assert titles == ["NexTrade Alert - CRITICAL", "NexTrade Alert - RESOLVED"]


def test_a_wait_that_is_asked_for_is_waited(there: Receiver) -> None:
    post = Post("slack")
    there.answers = [(429, {"Retry-After": "50"})]
    post.outbox.put(notice(), ["slack"], at_s=post.at_s)
    post.run(49)
    assert there.tries == 1
    post.run(10)
    assert len(there.bodies()) == 1


def test_a_page_that_is_not_taken_goes_by_the_next_way_within_a_minute(there: Receiver, settings: Any) -> None:
    settings.PAGERDUTY_URL = "http://127.0.0.1:9/"
    post = Post("pagerduty", "slack", "email", "ticket")
    post.outbox.put(notice(), ["pagerduty"], at_s=post.at_s)
    post.run(60)
    assert [body["attachments"][0]["text"] for body in there.bodies("/services")] == [
        "NexTrade API is down. Health check failing."
    ]
    assert post.outbox.failing() == {"pagerduty": 1, "slack": 0, "email": 0, "ticket": 0}
    settings.PAGERDUTY_URL = f"{there.url}/v2/enqueue"
    post.run(300)
    assert len(there.bodies("/v2/enqueue")) == 1
    assert post.outbox.failing()["pagerduty"] == 0


def test_a_webhook_that_is_gone_is_not_asked_again_and_an_alert_about_it_goes_elsewhere(
    there: Receiver, settings: Any
) -> None:
    settings.ALERT_EMAIL_TO = ["ops@nextrade.example"]
    post = Post("slack", "email", "ticket")
    there.always = 404
    post.outbox.put(notice(), ["slack"], at_s=post.at_s)
    post.run(5)
    post.outbox.put(notice(rule="Other"), ["slack"], at_s=post.at_s)
    post.outbox.put(notice(rule="AlertDeliveryFailing"), ["email", "slack"], at_s=post.at_s)
    post.run(600, 5)
    assert there.tries == 1
    assert len(mail.outbox) == 3
    assert post.outbox.failing()["slack"] == 1


def test_two_channels_that_fail_make_no_loop_and_the_last_way_is_a_ticket(there: Receiver, settings: Any) -> None:
    settings.PAGERDUTY_URL = settings.SLACK_WEBHOOK_URL = "http://127.0.0.1:9/"
    post = Post("pagerduty", "slack", "ticket")
    post.outbox.put(notice(), ["pagerduty"], at_s=post.at_s)
    for _ in range(10):
        post.outbox.put(notice(rule="AlertDeliveryFailing", priority="P2"), ["email", "slack"], at_s=post.at_s)
        for each in list(post.outbox.deliveries.values()):
            if each.channel != "ticket":
                post.outbox.settle(send(each), at_s=post.at_s)
    assert {each.channel for each in post.outbox.deliveries.values()} <= {"pagerduty", "slack", "ticket"}
    about = [each for each in post.outbox.deliveries.values() if each.notice.rule == "AlertDeliveryFailing"]
    assert any(each.channel == "ticket" for each in about)
    assert len(post.outbox.deliveries) < 30


def test_an_outbox_is_bounded(there: Receiver) -> None:
    there.always = 503
    post = Post("slack")
    for number in range(10_000):
        post.outbox.put(notice(rule=f"Rule{number}"), ["slack"], at_s=post.at_s)
    assert len(post.outbox.deliveries) == 500


def test_without_any_address_an_alert_is_a_ticket_at_least() -> None:
    post = Post("ticket")
    assert post.outbox.put(notice(), ["pagerduty"], at_s=0) == ["ticket"]
    assert post.outbox.put(notice(rule="Other"), ["email", "slack"], at_s=0) == ["ticket"]


def test_only_what_is_configured_is_used(settings: Any) -> None:
    assert channels.configured() == ("ticket",)
    settings.ALERT_EMAIL_TO = ["ops@nextrade.example"]
    assert channels.configured() == ("email", "ticket")

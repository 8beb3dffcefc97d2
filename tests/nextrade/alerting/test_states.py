"""What becomes of alerts, by a clock that the test turns."""

from collections.abc import Iterable
from typing import Any

from nextrade.ops.alerting.engine import Engine, Silence
from nextrade.ops.alerting.outbox import Delivery, Outbox, Result
from nextrade.ops.alerting.raised import Event
from nextrade.ops.alerting.rule import HEARTBEAT, P1, P2, P3, Inhibition, Priority, Rule
from nextrade.ops.alerting.scrape import Scrape
from nextrade.ops.alerting.states import FLAP_HOLD_S, State

ALL = ("pagerduty", "slack", "email", "ticket")
START_S = 1_700_000_000.0
Readings = list[tuple[str, dict[str, str], float]]


def rule(name: str, priority: Priority, template: str, **more: Any) -> Rule:
    return Rule(
        name=name,
        priority=priority,
        component="test",
        template=template,
        message=f"{name} {{value:.0f}}",
        what="",
        **more,
    )


DOWN = rule("Down", P1, 'max(probe_success{job="nextrade-health"}) == 0', for_s=120)
SLOW = rule("Slow", P3, "max by (path) (slowness) > 5")
LATE = rule("Late", P2, "max by (path) (lateness) > 5")
WATCHDOG = rule("Watchdog", HEARTBEAT, "vector(1)")


class Watched:
    """An engine, and the world that it looks at. Each turn is 15 seconds later."""

    def __init__(
        self, *rules: Rule, inhibitions: tuple[Inhibition, ...] = (), configured: tuple[str, ...] = ALL
    ) -> None:
        self.engine = Engine(rules=rules, inhibitions=inhibitions, outbox=Outbox(configured=configured))
        self.at_s = START_S
        self.answers = True
        self.readings: Readings | None = []

    def turn(self, times: int = 1) -> None:
        for _ in range(times):
            readings = tuple(self.readings) if self.readings is not None and self.answers else None
            self.engine.take(Scrape(answers=self.answers, readings=readings), (), self.at_s)
            self.engine.evaluate(at_s=self.at_s, at=self.at_s)
            self.at_s += 15

    def tell(self, name: str, *values: tuple[str, float]) -> None:
        self.readings = [(name, {"path": path}, value) for path, value in values]

    def states(self, name: str) -> list[State]:
        return [alert.state for alert in self.engine.known.get(name, {}).values()]

    def sent(self, *, fail: Iterable[str] = ()) -> list[tuple[str, str, str]]:
        """Take what is due, as (channel, kind, text); channels that fail do not take it."""
        told = []
        while due := self.engine.outbox.due(self.at_s):
            for delivery in due:
                told.append((delivery.channel, delivery.notice.kind.value, delivery.notice.text))
                self.settle(delivery, is_sent=delivery.channel not in fail)
        return told

    def settle(self, delivery: Delivery, **result: Any) -> None:
        self.engine.settle(Result(delivery_id=delivery.id, **result), at_s=self.at_s)


def test_nothing_fires_before_its_time_and_then_once_and_is_resolved_once() -> None:
    watched = Watched(DOWN)
    watched.answers = False
    watched.turn(8)
    assert watched.states("Down") == [State.PENDING]
    assert watched.sent() == []
    watched.turn()
    assert watched.sent() == [("pagerduty", "firing", "Down 0")]
    watched.turn(40)
    assert watched.sent() == []
    watched.answers = True
    watched.turn(20)
    assert watched.sent() == [("pagerduty", "resolved", "Resolved: Down 0")]


def test_a_moment_of_health_begins_the_two_minutes_anew() -> None:
    watched = Watched(DOWN)
    for answers in (False, False, True, False):
        watched.answers = answers
        watched.turn(4)
    assert watched.sent() == []


def test_no_data_is_never_resolved_but_stale_and_then_what_is_seen_counts() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    assert watched.sent() == [("slack", "firing", "Slow 9")]
    watched.answers = False
    watched.turn(100)
    assert watched.states("Slow") == [State.STALE]
    assert watched.sent() == []
    watched.answers = True
    watched.turn(2)
    assert watched.states("Slow") == [State.FIRING]
    assert watched.sent() == []
    watched.tell("slowness", ("/a", 1))
    watched.turn()
    assert watched.sent() == [("slack", "resolved", "Resolved: Slow 9")]


def test_a_series_that_is_gone_while_others_go_on_is_no_good_news_about_it() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9), ("/b", 1))
    watched.turn()
    watched.tell("slowness", ("/b", 1))
    watched.turn(3)
    assert watched.states("Slow") == [State.STALE]


def test_what_has_no_data_any_more_ends_when_somebody_says_so() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    (alert,) = watched.engine.open_alerts()
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=1.0)
    watched.readings = []
    watched.turn(3)
    assert watched.states("Slow") == [State.STALE]  # it was acknowledged while it was seen to be wrong
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=2.0)
    watched.turn()
    assert watched.states("Slow") == [State.RESOLVED]


def test_what_keeps_firing_is_not_resolved_by_a_short_calm() -> None:
    watched = Watched(rule("Blip", P3, "max(slowness) > 5", keep_firing_s=60))
    for value in (9, 1, 9, 1):
        watched.tell("slowness", ("/a", value))
        watched.turn(2)
    assert [kind for _, kind, _ in watched.sent()] == ["firing"]


def test_flapping_is_told_a_few_times_and_then_waits_for_calm() -> None:
    watched = Watched(SLOW)
    for value in (9, 1) * 60:  # half an hour
        watched.tell("slowness", ("/a", value))
        watched.turn()
    assert len(watched.sent()) <= 5
    watched.turn(int(FLAP_HOLD_S / 15) + 1)
    assert watched.sent()[-1][1] == "resolved"


def test_alerts_of_a_rule_are_one_message_and_ten_thousand_of_them_too() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", *((f"/{number}", 9) for number in range(10_000)))
    watched.turn()
    told = watched.sent()
    assert len(told) == 1
    assert told[0][2] == "Slow 9\n... and 199 more"
    assert len(watched.engine.known["Slow"]) == 200
    assert len(watched.engine.journal) == 1
    watched.turn(8)
    assert watched.sent() == []
    watched.tell("slowness", *((f"/{number}", 1) for number in range(10_000)))
    watched.turn()
    assert [kind for _, kind, _ in watched.sent()] == ["resolved"]


def test_what_joins_is_told_after_a_minute_together() -> None:
    watched = Watched(SLOW)
    for count in (1, 2, 3):
        watched.tell("slowness", *((f"/{number}", 9 + number) for number in range(count)))
        watched.turn()
    assert [kind for _, kind, _ in watched.sent()] == ["firing"]
    watched.turn(3)
    assert watched.sent() == [("slack", "more", "Slow 10\nSlow 11")]


def test_it_is_said_again_after_four_hours_unless_somebody_took_it_up() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    assert [kind for _, kind, _ in watched.sent()] == ["firing"]
    watched.turn(4 * 60 * 4)
    assert [kind for _, kind, _ in watched.sent()] == ["repeat"]
    (alert,) = watched.engine.open_alerts()
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=1.0)
    watched.turn(4 * 60 * 9)
    assert watched.sent() == []


def test_p2_that_nobody_takes_up_pages_after_fifteen_minutes_once_and_ends_there_too() -> None:
    watched = Watched(LATE)
    watched.tell("lateness", ("/a", 9))
    watched.turn(59)
    assert sorted(watched.sent()) == [("email", "firing", "Late 9"), ("slack", "firing", "Late 9")]
    watched.turn(60)
    assert watched.sent() == [("pagerduty", "escalation", "Nobody has acknowledged: Late 9")]
    watched.tell("lateness", ("/a", 1))
    watched.turn()
    assert sorted(channel for channel, _, _ in watched.sent()) == ["email", "pagerduty", "slack"]


def test_p2_that_was_taken_up_pages_nobody() -> None:
    watched = Watched(LATE)
    watched.tell("lateness", ("/a", 9))
    watched.turn()
    watched.sent()
    (alert,) = watched.engine.open_alerts()
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=1.0)
    watched.turn(120)
    assert watched.sent() == []


def test_taking_up_a_page_is_told_to_pagerduty() -> None:
    watched = Watched(DOWN)
    watched.answers = False
    watched.turn(10)
    watched.sent()
    (alert,) = watched.engine.open_alerts()
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=1.0)
    watched.turn(3)
    assert watched.sent() == [("pagerduty", "acknowledged", "Acknowledged: Down 0")]


def test_while_the_api_is_down_nobody_hears_of_what_that_explains() -> None:
    watched = Watched(DOWN, SLOW, inhibitions=(Inhibition(source="Down", mutes=("Slow",)),))
    watched.answers = False
    watched.turn(10)
    assert watched.sent() == [("pagerduty", "firing", "Down 0")]
    watched.engine.memory.take("metrics", [("slowness", {"path": "/a"}, 9.0)], watched.at_s)
    watched.engine.evaluate(at_s=watched.at_s, at=watched.at_s)
    assert watched.states("Slow") == [State.FIRING]
    assert watched.sent() == []
    watched.answers = True
    watched.tell("slowness", ("/a", 9))
    watched.turn(2)
    assert watched.sent() == [("pagerduty", "resolved", "Resolved: Down 0"), ("slack", "firing", "Slow 9")]


def test_a_silence_is_quiet_and_ends() -> None:
    watched = Watched(SLOW, LATE)
    watched.engine.silences = (
        Silence(id=1, rule="Slow", labels={"path": "/a"}, from_s=START_S, until_s=START_S + 3600),
    )
    watched.tell("slowness", ("/a", 9), ("/b", 8))
    watched.turn(5)
    assert watched.sent() == [("slack", "firing", "Slow 8")]
    watched.turn(4 * 60)
    assert watched.sent() == [("slack", "more", "Slow 9")]


def test_maintenance_is_quiet_for_all_but_the_heartbeat() -> None:
    watched = Watched(SLOW, DOWN, WATCHDOG)
    watched.engine.silences = (Silence(id=1, rule="*", labels={}, from_s=START_S, until_s=START_S + 3600),)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    watched.answers = False
    watched.turn(20)
    assert watched.sent() == []
    assert watched.engine.is_beating


def test_an_alarm_that_code_raised_is_told_once_and_ends_when_it_is_taken_up() -> None:
    watched = Watched(SLOW)
    for number in range(10_000):
        watched.engine.raise_(Event(id=number, name="late_fill", details={"client_order_id": "{0}<b>"}), watched.at_s)
    watched.turn(3)
    told = watched.sent()
    assert {(channel, kind) for channel, kind, _ in told} == {("email", "firing"), ("slack", "firing")}
    assert "10000 times" in told[0][2]
    assert "client_order_id: {0}<b>" in told[0][2]
    (alert,) = watched.engine.open_alerts()
    watched.turn(20)
    assert watched.states("LateFill") == [State.FIRING]
    watched.engine.acknowledge(alert.uid, "olga", at_s=watched.at_s, at=1.0)
    watched.turn(2)
    assert {(channel, kind) for channel, kind, _ in watched.sent()} == {("email", "resolved"), ("slack", "resolved")}
    assert watched.engine.open_alerts() == []
    assert watched.engine.occurrences == {}


def test_an_alarm_that_a_rule_sees_is_left_to_the_rule() -> None:
    seen = rule("ReconciliationBreak", P2, "sum(nextrade_reconciliation_breaks) > 0")
    watched = Watched(seen)
    event = Event(id=1, name="reconciliation_break", details={})
    watched.engine.raise_(event, watched.at_s)
    assert watched.engine.occurrences  # no series: nobody else would tell
    watched.engine.occurrences.clear()
    watched.readings = [("nextrade_reconciliation_breaks", {}, 0.0)]
    watched.turn()
    watched.engine.raise_(event, watched.at_s)
    assert not watched.engine.occurrences


def test_a_p4_alarm_ends_by_itself_after_a_day() -> None:
    watched = Watched()
    watched.engine.raise_(Event(id=1, name="retention_waits", details={}), watched.at_s)
    watched.turn()
    watched.at_s += 25 * 3600
    watched.turn(2)
    assert [(channel, kind) for channel, kind, _ in watched.sent()] == [("ticket", "firing"), ("ticket", "resolved")]


def test_all_is_known_after_a_restart() -> None:
    watched = Watched(LATE, SLOW)
    watched.tell("lateness", ("/a", 9))
    watched.turn(3)
    watched.sent()
    again = Watched(LATE, SLOW)
    again.engine.load(watched.engine.to_json())
    again.at_s = watched.at_s
    again.tell("lateness", ("/a", 9))
    again.turn(3)
    assert again.sent() == []
    again.turn(60)
    assert [kind for _, kind, _ in again.sent()] == ["escalation"]


def test_a_rule_that_is_gone_ends_what_it_began() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    watched.sent()
    again = Watched(LATE)
    again.engine.load(watched.engine.to_json())
    again.turn()
    assert [kind for _, kind, _ in again.sent()] == ["resolved"]


def test_what_a_prometheus_found_is_followed_and_its_silence_is_no_good_news() -> None:
    watched = Watched(SLOW)
    labels = (("path", "/a"),)
    watched.engine.outbox.configured = ()
    for found in ({"Slow": {labels: 9.0}}, None):
        watched.engine.copy(found, at_s=watched.at_s, at=watched.at_s)
        watched.at_s += 15
    assert watched.states("Slow") == [State.STALE]
    watched.engine.copy({}, at_s=watched.at_s, at=watched.at_s)
    assert [entry["what"] for entry in watched.engine.journal] == ["firing", "stale", "resolved"]
    assert watched.sent() == []


def test_a_group_ends_though_all_that_it_told_of_is_long_over() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    watched.sent()
    watched.engine.silences = (
        Silence(id=1, rule="Slow", labels={"path": "/b"}, from_s=START_S, until_s=START_S + 86_400),
    )
    watched.tell("slowness", ("/a", 1), ("/b", 9))
    watched.turn(4 * 40)
    watched.tell("slowness", ("/a", 1), ("/b", 1))
    watched.turn()
    assert [kind for _, kind, _ in watched.sent()] == ["resolved"]


def test_a_rule_that_breaks_silences_no_other() -> None:
    watched = Watched(rule("Broken", P1, "label_replace(slowness, 'a', 'b', 'c', 'd')"), SLOW)
    watched.tell("slowness", ("/a", 9))
    watched.turn()
    assert [text for _, _, text in watched.sent()] == ["Slow 9"]

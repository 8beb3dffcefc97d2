"""alertd as it runs: its store, its exchange with the main database, its threads, against the product's own pages."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from compliance.alerts import raise_alert
from compliance.models import ComplianceEvent
from nextrade.errors import NotPermitted, Refused
from nextrade.ops.alerting import books, clock, daemon, modes, scrape, services
from nextrade.ops.alerting.clock import Clock
from nextrade.ops.alerting.daemon import AlreadyRunning, Daemon
from nextrade.ops.alerting.outbox import Outbox
from nextrade.ops.alerting.samples import Memory
from nextrade.ops.alerting.scrape import Scrape, Target
from nextrade.ops.alerting.store import Store
from nextrade.ops.management.commands import alerts
from nextrade.ops.models import Alert, Delivery, Heartbeat, Silence, Ticket, Watch
from tests.nextrade.alerting.test_channels import notice
from tests.nextrade.alerting.test_states import LATE, SLOW, Watched
from tests.receivers import Receiver, receiver

pytestmark = pytest.mark.django_db(transaction=True)
LABELS = (("__name__", "slowness"), ("path", "/a"))


def told(watched: Watched, **more: Any) -> books.Told:
    return books.Told(
        **{"store": "one", "holder": "me", "mode": "embedded", "journal": tuple(watched.engine.journal), **more}
    )


def slow(value: float = 9) -> Watched:
    watched = Watched(SLOW)
    watched.tell("slowness", ("/a", value))
    watched.turn()
    return watched


def events(action: str) -> list[dict[str, Any]]:
    return [event.details for event in ComplianceEvent.objects.filter(action=action).order_by("id")]


def test_each_transition_is_an_event_and_a_row_once_however_often_it_is_told() -> None:
    watched = slow()
    for _ in range(2):
        heard = books.exchange(told(watched))
    assert heard.heard_seq == 1
    (fired,) = events("alert_fired")
    assert (fired["alert"], fired["priority"], fired["count"]) == ("Slow", "P3", 1)
    assert ComplianceEvent.objects.get(action="alert_fired").type == "ALERT"
    row = Alert.objects.get()
    assert (row.state, row.text, row.labels, row.priority) == ("firing", "Slow 9", {"path": "/a"}, "P3")
    watched.tell("slowness", ("/a", 1))
    watched.turn()
    books.exchange(told(watched))
    row.refresh_from_db()
    assert row.state == "resolved"
    assert row.resolved_at is not None
    assert len(events("alert_resolved")) == 1
    assert Heartbeat.objects.get(name="alertd").at > timezone.now() - timedelta(minutes=1)


def test_a_storm_is_one_event_and_names_twenty() -> None:
    watched = Watched(SLOW)
    watched.tell("slowness", *((f"/{number}", 9) for number in range(10_000)))
    watched.turn()
    books.exchange(told(watched))
    (fired,) = events("alert_fired")
    assert (fired["count"], len(fired["alerts"])) == (200, 20)
    assert Alert.objects.count() == 200


def test_what_people_did_in_the_admin_is_heard(olga: User) -> None:
    watched = slow()
    books.exchange(told(watched))
    services.acknowledge(Alert.objects.get().pk, by=olga, at=timezone.now())
    services.silence("*", lasts=timedelta(hours=1), reason="upgrade", by=olga, at=timezone.now())
    heard = books.exchange(told(watched))
    ((uid, by, _),) = heard.acknowledged
    assert (uid, by) == (watched.engine.open_alerts()[0].uid, "olga")
    (silence,) = heard.silences
    assert silence.covers(watched.engine.open_alerts()[0], time.time())
    services.end_silence(Silence.objects.get().pk, by=olga, at=timezone.now())
    assert books.exchange(told(watched)).silences == ()
    for action in ("alert_acknowledged", "alerts_silenced", "silence_ended"):
        assert len(events(action)) == 1


def test_only_who_may_handles_alerts(bob: User, olga: User) -> None:
    books.exchange(told(slow()))
    alert, at = Alert.objects.get(), timezone.now()
    with pytest.raises(NotPermitted):
        services.acknowledge(alert.pk, by=bob, at=at)
    with pytest.raises(NotPermitted):
        services.silence("Slow", lasts=timedelta(hours=1), reason="x", by=bob, at=at)
    for lasts, reason, rule in (
        (timedelta(days=8), "x", "*"),
        (timedelta(hours=1), " ", "*"),
        (timedelta(1), "x", "No"),
    ):
        with pytest.raises(Refused):
            services.silence(rule, lasts=lasts, reason=reason, by=olga, at=at)
    assert len(events("refused")) == 5


def test_an_alarm_of_the_trail_is_heard_once_though_its_transaction_ended_late() -> None:
    watched = Watched(SLOW)
    with transaction.atomic():
        raise_alert("late_fill", actor="system:test", at=timezone.now(), details={"order": "7"})
    first = books.exchange(told(watched))
    assert [event.name for event in first.raised] == ["late_fill"]
    seen = frozenset(event.id for event in first.raised)
    assert books.exchange(told(watched, seen=seen, since=first.since)).raised == ()
    with transaction.atomic():
        raise_alert("trail_broken", actor="system:test", at=timezone.now(), details={})
    again = books.exchange(told(watched, seen=seen, since=first.since))
    assert [event.name for event in again.raised] == ["trail_broken"]


def test_two_engines_are_refused_and_a_dead_one_is_replaced() -> None:
    watched = Watched(SLOW)
    books.exchange(told(watched))
    with pytest.raises(books.Taken, match="another alertd"):
        books.exchange(told(watched, holder="other", store="two"))
    Watch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    books.exchange(told(watched, holder="other", store="two"))
    with pytest.raises(books.Taken):
        books.exchange(told(watched))
    books.release("other")
    books.exchange(told(watched))
    books.exchange(told(watched, holder="me after kill -9"))


def test_on_one_machine_the_second_is_refused_at_once(tmp_path: Path) -> None:
    first = Daemon(tmp_path, mode="embedded")
    with pytest.raises(AlreadyRunning):
        Daemon(tmp_path, mode="embedded")
    stop = threading.Event()
    stop.set()
    first.run(stop)
    Daemon(tmp_path, mode="embedded").run(stop)


def test_alerts_of_a_store_that_was_lost_wait_for_a_person(olga: User) -> None:
    books.exchange(told(slow()))
    books.release("me")
    books.exchange(told(Watched(SLOW), store="two", open_uids=frozenset()))
    assert Alert.objects.get().state == "stale"
    services.acknowledge(Alert.objects.get().pk, by=olga, at=timezone.now())
    books.exchange(told(Watched(SLOW), store="two", open_uids=frozenset()))
    assert Alert.objects.get().state == "resolved"


def test_the_store_gives_back_what_it_was_given(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite3")
    outbox = Outbox(configured=("slack",))
    outbox.put(notice(), ["slack"], at_s=5)
    memory = Memory({"slowness": 300})
    samples = [(LABELS, 100.0, 1.0), (LABELS, 115.0, None)]
    assert store.save(
        {"engine": {"x": 1}}, samples=samples, deliveries=outbox.deliveries.values(), journal=[{"seq": 1}, {"seq": 2}]
    )
    store.close()
    store = Store(tmp_path / "a.sqlite3")
    store.fill(memory)
    assert memory.last(LABELS) == (115.0, None)
    assert store.state() == {"engine": {"x": 1}}
    assert [each.notice for each in store.deliveries()] == [notice()]
    store.save({}, heard_seq=1)
    assert [entry["seq"] for entry in store.journal()] == [2]
    store.prune(110)
    assert store._db.execute("SELECT count(*) FROM sample").fetchone() == (1,)


def test_a_full_disk_does_not_stop_the_watch_and_is_made_up_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "a.sqlite3")
    store._db.execute("PRAGMA max_page_count = 20")
    assert not store.save({"engine": {"x": "y" * 200_000}})
    assert not store.save({"engine": {"x": "y" * 200_000}})
    store._db.execute("PRAGMA max_page_count = 2000")
    assert store.save({"engine": {"x": 2}})
    assert store.state() == {"engine": {"x": 2}}


def test_what_is_open_can_be_listed_without_the_database(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    store = Store(tmp_path / "alertd.sqlite3")
    store.save({"engine": slow().engine.to_json()})

    def lost() -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(alerts, "_open", lost)
    out, err = StringIO(), StringIO()
    with pytest.raises(SystemExit):
        call_command("alerts", "list", stdout=out, stderr=err)
    assert "Slow 9" in out.getvalue()
    assert "does not answer" in err.getvalue()


def test_a_damaged_store_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite3").write_bytes(b"no database " * 1000)
    assert Store(tmp_path / "a.sqlite3").state() == {}
    assert (tmp_path / "a.damaged").exists()


def test_a_store_that_cannot_be_opened_is_kept_in_memory(tmp_path: Path) -> None:
    store = Store(tmp_path / "missing" / "a.sqlite3")
    assert store.save({"x": 1})
    assert store.state() == {"x": 1}


def test_a_clock_that_is_set_moves_no_window_and_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    world = SimpleNamespace(wall=1000.0, passed=0.0)
    fake = SimpleNamespace(time=lambda: world.wall + world.passed, monotonic=lambda: world.passed)
    monkeypatch.setattr(clock, "time", fake)
    own = Clock()
    world.passed = 10
    assert (own.now(), own.step_s()) == (1010, 0)
    world.wall -= 3600
    assert (own.now(), own.step_s()) == (1010, -3600)
    world.passed = 300
    assert (own.now(), own.step_s()) == (1300, 0)
    assert Clock(floor_s=5000).now() == 5000


def test_a_look_takes_health_and_metrics_of_the_product(live_server: Any) -> None:
    names = {"nextrade_requests_total", "nextrade_circuit_breaker_state"}
    seen = scrape.look(Target(url=live_server.url), names)
    assert seen.answers
    assert seen.components["database"] is True
    assert {name for name, _, _ in seen.readings or ()} == {"nextrade_requests_total"}


@contextmanager
def page(answer: bytes, *, drip_s: float = 0) -> Iterator[str]:
    """A web process that says this to everything."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.recv(4096)
                    try:
                        peer.sendall(answer)
                        while drip_s:
                            time.sleep(drip_s)
                            peer.sendall(b"x")
                    except OSError:
                        continue

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("answer", "drip_s"),
    [
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", 0),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n", 0),
        (b"nonsense", 0),
        (b"HTTP/1.1 200 OK\r\n\r\n{", 0.1),
    ],
)
def test_whatever_else_answers_is_no_api(answer: bytes, drip_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "DEADLINE_S", 0.5)
    with page(answer, drip_s=drip_s) as url:
        seen = scrape.look(Target(url=url), ())
    assert not seen.answers
    assert seen.problem


@contextmanager
def running(folder: Path, mode: str = "embedded", speed: float = 15) -> Iterator[Daemon]:
    found, stop = Daemon(folder, mode=mode, speed=speed), threading.Event()
    thread = threading.Thread(target=found.run, args=(stop,))
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join(timeout=20)
        assert not thread.is_alive()


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


@pytest.fixture
def there(settings: Any, live_server: Any) -> Iterator[Receiver]:
    with receiver() as found:
        settings.ALERTD_TARGET = live_server.url
        settings.SLACK_WEBHOOK_URL = f"{found.url}/slack"
        settings.HEARTBEAT_URL = f"{found.url}/beat"
        yield found


def test_from_an_alarm_in_the_trail_to_slack_and_back_from_the_admin(
    there: Receiver, olga: User, tmp_path: Path
) -> None:
    with running(tmp_path):
        wait_for(lambda: Heartbeat.objects.filter(name="alertd").exists())
        with transaction.atomic():
            raise_alert("late_fill", actor="system:test", at=timezone.now(), details={"order": "7"})
        fired = wait_for(lambda: [text for text in texts(there) if "filled after" in text])
        alert = wait_for(lambda: Alert.objects.filter(rule="LateFill").first())
        services.acknowledge(alert.pk, by=olga, at=timezone.now())
        wait_for(lambda: [text for text in texts(there) if text.startswith("Resolved: An order")])
        wait_for(lambda: Alert.objects.get(pk=alert.pk).state == "resolved")
        wait_for(lambda: Delivery.objects.filter(rule="LateFill", kind="resolved", status="sent").exists())
        wait_for(lambda: there.bodies("/beat"))
    assert fired == ["An order was filled after it was over. order: 7"]
    assert Watch.objects.get().lease_until <= timezone.now()


def texts(there: Receiver) -> list[str]:
    return [body["attachments"][0]["text"] for body in there.bodies("/slack")]


def test_in_front_of_an_alertmanager_it_posts_what_is_open_and_what_has_ended(settings: Any) -> None:
    watched = slow()
    watched.engine.outbox.configured = ()
    (posted,) = modes.alerts(watched.engine, (), at=watched.at_s)
    assert posted["labels"] == {
        "alertname": "Slow",
        "path": "/a",
        "severity": "warning",
        "priority": "P3",
        "component": "test",
    }
    assert posted["annotations"]["summary"] == "Slow 9"
    with receiver() as found:
        found.always = 200
        settings.ALERTMANAGER_URL = found.url
        assert modes.post([posted]) == ""
        assert found.bodies("/api/v2/alerts") == [[posted]]
    assert modes.post([posted]).startswith("no answer")


def test_a_prometheus_alerts_are_read_as_ours() -> None:
    labels = {"alertname": "Slow", "path": "/a", **SLOW.labels}
    assert modes.vector(SLOW, [{"labels": labels, "value": "9e+00"}]) == {(("path", "/a"),): 9.0}


def test_the_switch_outside_is_let_go_when_no_channel_takes_anything(settings: Any, tmp_path: Path) -> None:
    found = Daemon(tmp_path, mode="embedded")
    found._looked(Scrape(answers=True))
    assert found._may_beat()
    for name in found._engine.outbox.configured:
        found._engine.outbox.health[name] = daemon_health(failing=1)
    assert not found._may_beat()
    stop = threading.Event()
    stop.set()
    found.run(stop)


def daemon_health(**facts: Any) -> Any:
    from nextrade.ops.alerting.outbox import Health

    return Health(**facts)


def run(*args: str) -> str:
    out = StringIO()
    call_command("alerts", *args, stdout=out)
    return out.getvalue()


def test_the_terminal_lists_tests_takes_up_and_silences(there: Receiver, olga: User, settings: Any) -> None:
    assert "Nothing is open" in run("list")
    books.exchange(told(slow()))
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("alerts", "list", "--json", stdout=out)
    assert '"rule": "Slow"' in out.getvalue()
    assert "taken up by olga" in run("ack", str(Alert.objects.get().pk), "--by", "olga")
    assert "Silent until" in run("silence", "all", "--for", "90m", "--reason", "upgrade", "--by", "olga")
    with pytest.raises(CommandError):
        run("silence", "all", "--for", "soon", "--reason", "upgrade", "--by", "olga")
    assert "slack: delivered" in run("test", "--priority", "P3")
    assert texts(there) == ["TEST, nothing is wrong: A test of P3."]
    with pytest.raises(CommandError, match="pagerduty"):
        run("test", "--priority", "P1")
    run("test", "--priority", "P4")
    assert Ticket.objects.get().resolved_at is not None
    assert len(events("alert_tested")) == 2


def test_secrets_are_in_no_row_and_no_file(there: Receiver, settings: Any, tmp_path: Path, caplog: Any) -> None:
    settings.SLACK_WEBHOOK_URL = "http://127.0.0.1:9/services/T0/B0/VERYSECRET"
    with running(tmp_path), transaction.atomic():
        raise_alert("late_fill", actor="system:test", at=timezone.now(), details={})
    watched = Watched(LATE)
    watched.tell("lateness", ("/a", 9))
    watched.turn()
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"VERYSECRET" not in stored
    assert "VERYSECRET" not in caplog.text
    assert connection.vendor != "sqlite" or "VERYSECRET" not in dump()


def dump() -> str:
    with sqlite3.connect(connection.settings_dict["NAME"]) as db:
        return "\n".join(db.iterdump())


def test_windows_count_in_the_watch_s_time(tmp_path: Path, settings: Any) -> None:
    settings.ALERTD_TARGET = "http://127.0.0.1:9"
    with running(tmp_path, speed=200) as found:
        wait_for(lambda: Alert.objects.filter(rule="ApiUnavailable").exists())
        assert found._clock.now() > time.time() + 100
    assert events("alert_fired")[0]["alerts"][0]["text"] == "NexTrade API is down. Health check failing."
    assert daemon.LOOK_EVERY_S == 15
    assert datetime.now(UTC) >= Alert.objects.get(rule="ApiUnavailable").fired_at

"""The watch over real processes: what four web processes count is one number; a lost database is told, not hidden."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from nextrade.ops.render.roles import BROKER_KEYS
from tests.journeys.conftest import Product, launch

FINISHED = 'nextrade_requests_total{endpoint="/chat",status="success"}'
STARTED = 'nextrade_requests_total{endpoint="/chat",status="started"}'


SECRETS = {name: f"planted-{name.lower()}" for name in (*BROKER_KEYS, "METRICS_TOKEN")}


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    yield from launch(tmp_path_factory.mktemp("watch"), WEB_WORKERS="4", **SECRETS)


def scrape(product: Product) -> dict[str, float]:
    text = product.call("GET", "/metrics").body
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def wait_until(is_so: Any, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "not in time"
        time.sleep(0.2)


def statuses(product: Product) -> set[int]:
    """Of many probes, so that every process is asked: each has a view of its own, up to five seconds old."""
    with ThreadPoolExecutor(16) as probes:
        return {reply.status for reply in probes.map(lambda _: product.call("GET", "/health"), range(48))}


def test_six_scrapes_of_four_processes_agree(four: Product) -> None:
    before = scrape(four)
    with ThreadPoolExecutor(8) as clients:
        list(clients.map(lambda _: four.say("ann", "hi"), range(40)))
    counts = [scrape(four) for _ in range(6)]
    assert {count[FINISHED] - before[FINISHED] for count in counts} == {40}
    assert {count[STARTED] - before[STARTED] for count in counts} == {40}
    assert {count["nextrade_active_requests"] for count in counts} == {0}
    log = (Path(four.env["NEXTRADE_DATA_DIR"]) / "web.err").read_text()
    assert log.count(" - INFO - Initializing supervisor instance...") == 4


def test_every_kind_of_process_is_weighed(four: Product) -> None:
    memory = {
        role: size
        for name, size in scrape(four).items()
        for role in ("web", "worker", "sealer")
        if name == f'nextrade_process_resident_memory_bytes{{process="{role}"}}'
    }
    for role, popen in four.processes.items():
        root = psutil.Process(popen.pid)
        resident = sum(process.memory_info().rss for process in (root, *root.children(recursive=True)))
        assert 0.2 * resident < memory[role] <= 1.1 * resident, role


def test_who_lists_processes_reads_no_secret(four: Product) -> None:
    """Command lines and titles are everybody's to read, a process's environment is its own user's."""
    key = (Path(four.env["NEXTRADE_DATA_DIR"]) / "demo_secret_key").read_text()
    asked = 0
    for popen in four.processes.values():
        root = psutil.Process(popen.pid)
        for process in (root, *root.children(recursive=True)):
            told = " ".join([process.name(), *process.cmdline()])
            assert not [secret for secret in (key, *SECRETS.values()) if secret in told], told
            assert Path(f"/proc/{process.pid}/environ").stat().st_mode & 0o077 == 0
            asked += 1
    assert asked >= 8


def test_a_killed_process_leaves_no_request_under_way(four: Product) -> None:
    """A gauge of a web process that is killed goes with it; what it counted stays."""
    before = scrape(four)
    victim = psutil.Process(four.processes["web"].pid).children()[0]
    victim.send_signal(signal.SIGKILL)
    gauge = Path(four.env["NEXTRADE_DATA_DIR"]) / "metrics" / f"gauge_livesum_{victim.pid}.db"
    wait_until(lambda: is_dead(victim) and not gauge.exists())
    after = scrape(four)
    assert after[FINISHED] == before[FINISHED]
    assert after["nextrade_active_requests"] == 0


def is_dead(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_lost_database_is_503_in_the_guide_s_shape_and_critical_once(four: Product) -> None:
    assert four.call("GET", "/health").status == 200
    assert four.say("ann", "hi")["response"]
    finished = scrape(four)[FINISHED]
    with database_gone(four) as back:
        wait_until(lambda: statuses(four) == {503})
        for path in ("/health", "/ht/?format=json", "/health/ready"):
            reply = four.call("GET", path, Cookie="sessionid=8b2c5d0e; __Host-sessionid=8b2c5d0e")
            assert reply.status == 503
            assert reply.body["status"] == "unhealthy"
            assert (reply.body["components"]["api"], reply.body["components"]["database"]) == (True, False)
            assert reply.headers["Cache-Control"] == "no-store"
        page = four.call("GET", "/ht/", Accept="text/html", Cookie="sessionid=8b2c5d0e; __Host-sessionid=8b2c5d0e")
        assert page.status == 503
        assert "NexTrade cannot work" in page.body
        assert four.call("GET", "/health/live").status == 200
        counted = scrape(four)
        assert counted['nextrade_component_up{component="database"}'] == 0
        assert counted[FINISHED] == finished >= 1
        back()
    wait_until(lambda: statuses(four) == {200}, seconds=90)
    assert four.say("ann", "hi")["response"]
    log = (Path(four.env["NEXTRADE_DATA_DIR"]) / "web.err").read_text()
    assert log.count("CRITICAL - Database down: ") == 1
    assert log.count("ERROR - Database health check failed: ") >= 1


def test_who_starts_while_the_database_is_away_makes_none(four: Product) -> None:
    """An empty file in place of the one that is missing would throw away what was written to it last."""
    assert four.say("ann", "hi")["response"]
    web_log, gone = Path(four.env["NEXTRADE_DATA_DIR"]) / "web.err", database_gone(four)
    begun = web_log.stat().st_size
    with gone:
        victim = psutil.Process(four.processes["web"].pid).children()[0]
        victim.send_signal(signal.SIGKILL)
        wait_until(lambda: "The start waits for the database" in web_log.read_text()[begun:])
        assert gone.url or not gone.file.exists()
    wait_until(lambda: statuses(four) == {200}, seconds=90)
    assert four.say("ann", "hi")["response"]
    assert "first_fault: none" in four.manage("audit", "verify")


class database_gone:
    """Moves the SQLite file away; on PostgreSQL nobody may connect, and who was connected is thrown out."""

    def __init__(self, product: Product) -> None:
        self.url = product.env.get("DATABASE_URL", "")
        self.file = Path(product.env["NEXTRADE_DATA_DIR"]) / "nextrade.sqlite3"

    def __enter__(self) -> Any:
        if self.url:
            self._allow("false")
            self._sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name()}'")
        else:
            self.file.rename(self.file.with_suffix(".away"))
        return self._back

    def __exit__(self, *_: object) -> None:
        self._back()

    def _back(self) -> None:
        if self.url:
            self._allow("true")
        elif self.file.with_suffix(".away").exists():
            self.file.with_suffix(".away").rename(self.file)

    def _allow(self, yes: str) -> None:
        self._sql(f"ALTER DATABASE {self._name()} ALLOW_CONNECTIONS {yes}")

    def _name(self) -> str:
        return self.url.rpartition("/")[2]

    def _sql(self, statement: str) -> None:
        with psycopg.connect(os.environ["TEST_DATABASE_URL"], autocommit=True) as connection:
            connection.execute(statement)

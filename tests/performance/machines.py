"""S11: two web hosts, two worker hosts, a sealer, an alertd, nginx without stickiness, PostgreSQL and Redis, each on a
machine of its own (`network`), the model and the broker outside of them.

What one web host carries against two; whether limits, breaker and counters are right across both; then, under load,
`kill -9` of each machine in turn, both workers cut off from the database while the broker has their orders, PostgreSQL
gone for half a minute, Redis gone. In the end: nothing acknowledged is lost, nothing is executed twice, the trail
verifies, the books add up. Prints a verdict and exits with 1 when it is bad; without rights to make namespaces with 2.

    python -m tests.performance.machines [--short] [--write]
"""

import argparse
import http.client
import json
import os
import random
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from tests.alpaca_server import KEY, SECRET, AlpacaServer, alpaca_server
from tests.campaigns import crash, ground
from tests.openai_server import OpenAIServer, desk_script, openai_server
from tests.performance import bench, network
from tests.performance.network import HUB, Machine

HOST, BROKER_PORT = "nextrade.example", 9000
THREADS, MODEL_S, CLIENTS = 8, 1.0, 32
"""of a web host; of a model's answer; so that a host carries THREADS / MODEL_S turns a second, which leaves the cores
idle: what two hosts share is measured, not how many cores this machine has"""
LIMIT = 300
GOAL = 1.8
TRADERS, TALKERS, TOGETHER = 40, 6, 8
CUT_S, GONE_S, REDIS_GONE_S = 35, 30, 10
UP_S, SETTLE_S = 90, 120
RACES = ("illegal_transition", "stale_order")
"""why the slower of two approvers is refused"""
PYTHON = sys.executable
WEBS, WORKERS = ("web-a", "web-b"), ("worker-a", "worker-b")
ADDRESSES = {
    name: f"10.77.0.{number}"
    for number, name in enumerate(("proxy", *WEBS, *WORKERS, "sealer", "alertd", "postgres", "redis"), start=2)
}


class Line:
    """One person's connection: to nginx over TLS, or to a web host itself. source: the address it comes from."""

    def __init__(self, token: str, source: str, to: str = "proxy") -> None:
        self.token, self.source, self.to = token, source, to
        self.connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: Any = None, *, timeout_s: float = 30) -> tuple[int, Any]:
        """(status, body); (0, None) when no whole answer came."""
        headers = {"Host": HOST, "Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        if self.to != "proxy":
            headers["X-Forwarded-Proto"] = "https"
        try:
            line = self._open(timeout_s)
            line.request(method, f"/api/v1/{path}", None if body is None else json.dumps(body), headers)
            reply = line.getresponse()
            data = reply.read()
        except (OSError, http.client.HTTPException):
            self.close()
            return 0, None
        is_json = "json" in reply.headers.get("Content-Type", "")
        return reply.status, json.loads(data) if is_json else None

    def say(self, message: str) -> tuple[int, Any]:
        return self.call("POST", "chat/", {"message": message})

    def _open(self, timeout_s: float) -> http.client.HTTPConnection:
        if self.connection is None:
            is_tls = self.to == "proxy"
            made: http.client.HTTPConnection = http.client.HTTPConnection(ADDRESSES[self.to], timeout=timeout_s)
            port = 443 if is_tls else 8000
            made.sock = socket.create_connection(
                (ADDRESSES[self.to], port), timeout=timeout_s, source_address=(self.source, 0)
            )
            if is_tls:
                made.sock = ssl._create_unverified_context().wrap_socket(made.sock, server_hostname=HOST)
            self.connection = made
        return self.connection

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


@dataclass
class House:
    """tokens: by user name. sources: an address for each trader. held: PostgreSQL's connections of
    the machine that was cut off, at the cut's end."""

    folder: Path
    machines: dict[str, Machine]
    model: OpenAIServer
    broker: AlpacaServer
    tokens: dict[str, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    held: int = 0

    def trader(self, number: int, to: str = "proxy") -> Line:
        return Line(self.tokens[f"trader{number % TRADERS}"], self.sources[number], to)

    def approver(self, number: int, to: str = "proxy") -> Line:
        return Line(self.tokens[("bob", "bea")[number % 2]], self.sources[-1 - number], to)

    def is_up(self, name: str) -> bool:
        try:
            line = http.client.HTTPConnection(ADDRESSES[name], 8000, timeout=5)
            line.request("GET", "/health/live", headers={"Host": HOST, "X-Forwarded-Proto": "https"})
            return line.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


@dataclass(frozen=True)
class Finding:
    """value: the number in it, where a number is asked for."""

    what: str
    found: str
    is_right: bool = True
    value: float = 0


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """All of it, running; what it starts ends with it."""
    folder.chmod(0o755)
    with (
        openai_server(desk_script, host=HUB) as model,
        alpaca_server(host=HUB, port=BROKER_PORT) as broker,
    ):
        shared = _environment(folder, model)
        machines = {name: _machine(name, folder, shared) for name in ADDRESSES}
        made = House(folder, machines, model, broker)
        for machine in machines.values():
            machine.plug_in()
        make_cluster(folder / "postgres")
        for name in ("postgres", "redis"):
            machines[name].start()
        os.environ |= {
            **shared,
            "NEXTRADE_DATA_DIR": str(folder / "hub"),
            "DJANGO_SETTINGS_MODULE": "nextrade.settings",
        }
        _set_up(made)
        over = threading.Event()
        for name in ("proxy", *WEBS, *WORKERS, "sealer", "alertd"):
            machines[name].start()
        keeper = network.keep(machines.values(), over)
        try:
            _wait(lambda: all(made.is_up(name) for name in WEBS), UP_S, "web hosts", folder / "web-a")
            yield made
        finally:
            over.set()
            keeper.join()
            for machine in machines.values():
                machine.power_off()


def _environment(folder: Path, model: OpenAIServer) -> dict[str, str]:
    database = f"postgres://postgres@{ADDRESSES['postgres']}:5432"
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        "PWD": str(ground.ROOT),
        "SECRET_KEY": "of-the-machines-of-a-test",
        "ALLOWED_HOSTS": HOST,
        "DATABASE_URL": f"{database}/nextrade",
        "NEXTRADE_SUBJECTS_URL": f"{database}/subjects",
        "REDIS_URL": f"redis://{ADDRESSES['redis']}:6379/0",
        "NEXTRADE_KEYS_DIR": str(folder / "shared" / "keys"),
        "NEXTRADE_ANCHORS": f"file:{folder / 'shared' / 'anchors.jsonl'}",
        "NEXTRADE_TRUSTED_PROXIES": "1",
        "NEXTRADE_METRICS_TOKEN": "metrics",
        "NEXTRADE_RATE_LIMIT": f"{LIMIT}/min",
        "NEXTRADE_REQUIRE_2FA": "no",
        "NEXTRADE_ALERTD_TARGET": f"http://{ADDRESSES['web-a']}:8000",
        "LOG_LEVEL": "WARNING",
        "OPENAI_API_KEY": "sk-machines",
        "OPENAI_BASE_URL": model.url,
        "NEXTRADE_MODEL": "stand-in",
        "NEXTRADE_ANSWER_CACHE_S": "0",
        "NEXTRADE_BROKER": "alpaca",
        "ALPACA_KEY_ID": KEY,
        "ALPACA_SECRET_KEY": SECRET,
        "ALPACA_BASE_URL": f"http://127.0.0.1:{BROKER_PORT}",
        "WEB_WORKERS": "1",
        "GUNICORN_CMD_ARGS": f"--bind 0.0.0.0:8000 --threads {THREADS}",
    }


def _machine(name: str, folder: Path, shared: dict[str, str]) -> Machine:
    mine = folder / name
    mine.mkdir()
    env = {**shared, "NEXTRADE_DATA_DIR": str(mine)}
    return Machine(name, ADDRESSES[name], mine, env, _programs(name, mine))


def _programs(name: str, mine: Path) -> dict[str, list[str]]:
    kind = name.partition("-")[0]
    if kind == "web":
        gunicorn = str(Path(PYTHON).with_name("gunicorn"))
        return {"web": [gunicorn, "-c", "deploy/gunicorn.conf.py", "nextrade.wsgi"]}
    if kind == "worker":  # a paper account may stand at Alpaca or on this machine: the way there is forwarded
        forward = [f"TCP-LISTEN:{BROKER_PORT},fork,reuseaddr,bind=127.0.0.1", f"TCP:{HUB}:{BROKER_PORT}"]
        return {"broker": ["socat", *forward], "worker": [PYTHON, "manage.py", "worker"]}
    if kind == "proxy":
        return {"nginx": ["nginx", "-c", str(mine / "nginx.conf"), "-g", "daemon off;"]}
    if kind == "postgres":
        as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        return {"postgres": [*as_postgres, str(network.POSTGRES / "postgres"), "-D", str(mine / "data")]}
    if kind == "redis":
        return {"redis": ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]}
    return {kind: [PYTHON, "manage.py", kind]}


def make_cluster(mine: Path) -> None:
    """A PostgreSQL of its own, as Debian's programs make it, that listens on every address."""
    shutil.chown(mine, "postgres", "postgres")
    as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    initdb = [str(network.POSTGRES / "initdb"), "-D", str(mine / "data"), "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*as_postgres, *initdb], cwd="/", check=True, capture_output=True)
    settings = ("listen_addresses = '*'", f"unix_socket_directories = '{mine}'", "max_connections = 200")
    with (mine / "data" / "postgresql.conf").open("a") as file:
        file.write("\n".join((*settings, "shared_buffers = 256MB", "")))
    with (mine / "data" / "pg_hba.conf").open("a") as file:
        file.write("host all all 10.77.0.0/16 trust\n")


def make_proxy(mine: Path) -> None:
    """The product's own nginx, with two web hosts where it has one, and folders of its own."""
    from nextrade.ops.render import nginx
    from nextrade.ops.render.site import Site

    site = Site(host=HOST, home=str(mine), logs=str(mine), tls=str(mine), web=f"{ADDRESSES['web-a']}:8000")
    rendered = nginx.files(site)
    one = f"server {ADDRESSES['web-a']}:8000 max_fails=3 fail_timeout=5s;"
    text = rendered["nginx/nginx.conf"]
    assert one in text, text
    text = text.replace(one, one + one.replace(ADDRESSES["web-a"], ADDRESSES["web-b"]))
    (mine / "nginx.conf").write_text(f"pid {mine}/nginx.pid;\nuser root;\n{text}")
    (mine / "deploy" / "nginx").mkdir(parents=True)
    (mine / "deploy" / "nginx" / "proxy.conf").write_text(rendered["nginx/proxy.conf"])
    key, named = str(mine / "privkey.pem"), ("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}")
    kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    out = ("-keyout", key, "-out", str(mine / "fullchain.pem"))
    subprocess.run(["openssl", "req", "-x509", *kind, *named, *out], check=True, capture_output=True)


def _set_up(made: House) -> None:
    """Databases, tables, nginx's files, and the people with a token each."""
    import django
    import psycopg

    server = f"postgres://postgres@{ADDRESSES['postgres']}:5432/postgres"

    def is_ready() -> bool:
        try:
            psycopg.connect(server, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    _wait(is_ready, UP_S, "PostgreSQL", made.folder / "postgres")
    with psycopg.connect(server, autocommit=True) as connection:
        for name in ("nextrade", "subjects"):
            connection.execute(f"CREATE DATABASE {name}")
    subprocess.run([PYTHON, "manage.py", "migrate", "--verbosity", "0"], cwd=ground.ROOT, check=True)
    django.setup()
    make_proxy(made.folder / "proxy")
    from django.contrib.auth.models import Group, User
    from django.db import connections
    from knox.models import get_token_model

    from orders import services
    from orders.quotes.simulated import SimulatedQuotes

    people = ground.people()
    made.broker.prices["F"] = str(SimulatedQuotes().latest("F", at=ground.now()).price_usd)
    group = Group.objects.get(name="Traders")
    for number in range(TRADERS):
        user = people[f"trader{number}"] = User.objects.create_user(f"trader{number}")
        user.groups.add(group)
        services.open_account(user, cash_usd=ground.CASH_USD, by="system:campaign", at=ground.now())
    made.tokens = {name: get_token_model().objects.create(user)[1] for name, user in people.items()}
    made.sources = network.sources(CLIENTS * 2 + TRADERS)
    connections.close_all()


def _wait(is_so: Callable[[], bool], seconds: float, what: str, logs: Path | None = None) -> float:
    """How long it took. Raises AssertionError, with the end of the machine's logs."""
    start = time.monotonic()
    while not is_so():
        if time.monotonic() - start > seconds:
            told = "".join(log.read_text()[-3000:] for log in logs.glob("*.log")) if logs else ""
            raise AssertionError(f"{what}: not after {seconds} s\n{told}")
        time.sleep(0.2)
    return time.monotonic() - start


# --- what two hosts carry


def throughput(made: House, to: str, seconds: float) -> float:
    """Turns a second of CLIENTS that speak to one web host, or to both through nginx. Raises for any but 200."""
    made.model.latency_s = MODEL_S
    made.trader(0, to).say("hello")  # the breaker has seen an answer
    end = time.monotonic() + MODEL_S + seconds

    def talk(number: int) -> int:
        line, done = made.trader(number, to), 0
        while time.monotonic() < end:
            status, body = line.say("hello")
            assert status == 200, (status, body)
            done += end - seconds < time.monotonic() <= end
        line.close()
        return done

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(talk, range(CLIENTS))) / seconds


def scaling(made: House, seconds: float) -> Iterator[Finding]:
    before = {name: counted(made, name) for name in WEBS}
    one, two = throughput(made, "web-a", seconds), throughput(made, "proxy", seconds)
    ratio = two / one
    ideal = THREADS / MODEL_S
    told = f"{two:.1f}/s against {one:.1f}/s (ideal {2 * ideal:.0f} and {ideal:.0f}): {ratio:.2f}x"
    what = f"two web hosts against one, model of {MODEL_S:.0f} s, {THREADS} threads a host"
    yield Finding(what, told, ratio >= GOAL, ratio)
    after = {name: counted(made, name) for name in WEBS}
    share = {name: after[name]["success"] - before[name]["success"] for name in WEBS}
    yield Finding("turns by host, of both runs", f"{share['web-a']:.0f} and {share['web-b']:.0f}", share["web-b"] > 0)


def counted(made: House, name: str) -> Counter[str]:
    """A web host's requests by outcome, and its breakers' trips, from its own /metrics."""
    line = http.client.HTTPConnection(ADDRESSES[name], 8000, timeout=30)
    line.request("GET", "/metrics", headers={"Host": HOST, "Authorization": "Bearer metrics"})
    text = line.getresponse().read().decode()
    found: Counter[str] = Counter()
    for status, value in re.findall(r'^nextrade_requests_total\{.*status="(\w+)".*\} (\S+)$', text, re.MULTILINE):
        found[status] += int(float(value))
    for value in re.findall(r"^nextrade_circuit_breaker_trips_total\{.*\} (\S+)$", text, re.MULTILINE):
        found["trips"] += int(float(value))
    return found


# --- what must be right across hosts


def limits(made: House) -> Iterator[Finding]:
    """One person's flood at both hosts at once; each is refused for its shape (422) once it is within the limit."""

    def flood(number: int) -> Counter[int]:
        line = Line(made.tokens["ann"], made.sources[number], WEBS[number % 2])
        return Counter(line.call("POST", "chat/", {})[0] for _ in range(LIMIT // 3))

    with ThreadPoolExecutor(4) as pool:
        told = sum(pool.map(flood, range(4)), Counter())
    right = {422: LIMIT, 429: 4 * (LIMIT // 3) - LIMIT}
    yield Finding(
        f"a limit of {LIMIT} a minute, {sum(told.values())} requests at two hosts", f"{dict(told)}", told == right
    )


def counters(made: House) -> Iterator[Finding]:
    """What people were answered, what the hosts have counted, what is stored."""
    from agents.models import Message

    made.model.latency_s = 0.05
    before, stored = [counted(made, name) for name in WEBS], Message.objects.count()
    calls = len(made.model.calls)
    with ThreadPoolExecutor(8) as pool:
        told = Counter(pool.map(lambda number: made.trader(number, WEBS[number % 2]).say("hello")[0], range(40)))
    after = [counted(made, name) for name in WEBS]
    success = sum(new["success"] - old["success"] for old, new in zip(before, after, strict=True))
    found = (told[200], success, (Message.objects.count() - stored) // 2, len(made.model.calls) - calls)
    yield Finding("40 turns at two hosts: answered, counted, stored, at the model", str(found), set(found) == {40})


def breaker(made: House) -> Iterator[Finding]:
    """The provider, which has just answered, is dead for both hosts at once: they open one breaker, which is counted
    once. Until the fifth failure is known calls are free, so that those under way come on top."""
    from agents import breakers
    from agents.models import Breaker

    trips, calls = sum(counted(made, name)["trips"] for name in WEBS), len(made.model.calls)
    made.model.fault = "500"
    with ThreadPoolExecutor(TOGETHER) as pool:
        told = Counter(pool.map(lambda number: made.trader(number, WEBS[number % 2]).say("hello")[0], range(40)))
    made.model.fault = ""
    reached = len(made.model.calls) - calls
    tripped = sum(counted(made, name)["trips"] for name in WEBS) - trips
    is_open = Breaker.objects.filter(state=Breaker.State.OPEN).count()
    Breaker.objects.all().delete()
    what = "provider dead, 40 turns at two hosts: calls that reached it, breakers open, trips counted"
    is_right = reached < breakers.THRESHOLD + TOGETHER and (is_open, tripped) == (1, 1)
    yield Finding(what, f"{reached}, {is_open}, {tripped}; answers {_told(told)}", is_right)


def crossing(made: House, quantities: Iterator[int]) -> Iterator[Finding]:
    """Proposed on one host, approved on the other."""
    made.model.latency_s = 0.05
    done = []
    for number in range(6):
        here, there = WEBS[number % 2], WEBS[(number + 1) % 2]
        status, body = made.trader(number, here).say(f"BUY {next(quantities)} F")
        assert status == 200, body
        done.append(decide(made.approver(0, there), body["orders"][0]["order_id"])[0])
    yield Finding("chat on one host, approval on the other", f"{done.count(200)} of 6", done.count(200) == 6)


def decide(line: Line, order_id: str) -> tuple[int, str]:
    """Approve; the status, and the code where it is refused."""
    status, order = line.call("GET", f"orders/{order_id}/")
    if status == 200:
        body = {"decision": "approve", "reason": "fine", "version": order["version"]}
        status, order = line.call("POST", f"approvals/{order_id}/", body)
    return status, (order or {}).get("code", "")


# --- load, and what happens to it


@dataclass
class Load:
    """People at work through nginx. acknowledged: what they were told is so."""

    made: House
    quantities: Iterator[int]
    over: threading.Event = field(default_factory=threading.Event)
    proposed: dict[str, int] = field(default_factory=dict)
    turns: list[str] = field(default_factory=list)
    approved: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def start(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._trade, args=(number,), daemon=True) for number in range(TALKERS)]
        threads += [threading.Thread(target=self._approve, args=(number,), daemon=True) for number in range(2)]
        for thread in threads:
            thread.start()
        return threads

    def _trade(self, first: int) -> None:
        turn = 0
        while not self.over.is_set():
            line = self.made.trader(first + TALKERS * (turn % (TRADERS // TALKERS)))
            quantity = next(self.quantities)
            status, body = line.say(f"BUY {quantity} F" if turn % 3 else "hello")
            line.close()
            self.answers[status] += 1
            if status == 200:
                self.turns.append(body["thread_id"])
                self.proposed |= {order["order_id"]: quantity for order in body["orders"]}
            turn += 1
            self.over.wait(random.uniform(0.1, 0.5))

    def _approve(self, number: int) -> None:
        line = self.made.approver(number)
        while not self.over.is_set():
            self.sweep(line)
            self.over.wait(0.3)

    def sweep(self, line: Line) -> int:
        """Approve all that waits; how many there were."""
        status, body = line.call("GET", "approvals/?limit=200")
        if status != 200:
            return 1
        for row in body["results"]:
            status, code = decide(line, row["id"])
            if status == 200:
                self.approved.add(row["id"])
            elif status == 409:
                self.refused[code] += 1
        return len(body["results"])


def disasters(made: House, *, is_short: bool) -> Iterator[tuple[str, Callable[[], None]]]:
    """What happens, one after the other."""

    def killed(name: str) -> Callable[[], None]:
        def kill() -> None:
            machine = made.machines[name]
            starts = machine.starts
            machine.kill()
            _wait(
                lambda: machine.starts > starts and not _is_starting(made, name), UP_S, f"{name} again", machine.folder
            )

        return kill

    def cut() -> None:
        """Once the broker has taken an order of every process of both workers and answers none, the first worker and
        the database lose each other; the other goes on, and takes over what the first had, when its lease is out."""
        made.broker.hang_s = 4.0
        made.broker.faults["submit"] += ["timeout"] * 4
        _wait(lambda: not made.broker.faults["submit"], UP_S, "orders on their way at both workers")
        network.cut(made.machines["worker-a"], made.machines["postgres"])
        end = time.monotonic() + cut_s
        for name in ("sealer", "alertd", "proxy"):
            killed(name)()
        time.sleep(max(0, end - time.monotonic()))
        made.held = connections_of("worker-a")
        network.mend(made.machines["worker-a"], made.machines["postgres"])

    def gone(name: str, seconds: float) -> Callable[[], None]:
        def go() -> None:
            made.machines[name].power_off()
            time.sleep(seconds)
            made.machines[name].start()

        return go

    cut_s, gone_s = (5, 3) if is_short else (CUT_S, GONE_S)
    for name in WORKERS[:1] if is_short else (*WEBS, *WORKERS):
        yield f"`kill -9` of all on {name}", killed(name)
    yield f"worker-a cut off from PostgreSQL for {cut_s} s; meanwhile `kill -9` of sealer, alertd, nginx", cut
    yield f"Redis killed and gone for {REDIS_GONE_S} s", gone("redis", REDIS_GONE_S)
    yield f"PostgreSQL killed and gone for {gone_s} s", gone("postgres", gone_s)


def connections_of(name: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s::inet", [ADDRESSES[name]])
        return int(cursor.fetchone()[0])


def _is_starting(made: House, name: str) -> bool:
    return name in WEBS and not made.is_up(name)


def under_load(made: House, quantities: Iterator[int], *, is_short: bool) -> Iterator[Finding]:
    load = Load(made, quantities)
    made.model.latency_s = 0.05
    threads = load.start()
    time.sleep(3)
    yield Finding("load before anything happens", _told(load.answers))
    for what, happen in disasters(made, is_short=is_short):
        before, start = load.answers.copy(), time.monotonic()
        happen()
        took = time.monotonic() - start
        yield Finding(what, f"{took:.0f} s; answers {_told(load.answers - before)}")
    if not is_short:
        yield Finding("connections of worker-a that PostgreSQL held at the cut's end", f"{made.held}", not made.held)
    before = load.answers.copy()
    _wait(lambda: (load.answers - before)[200] >= TALKERS, UP_S, "answers after all of it")
    load.over.set()
    for thread in threads:
        thread.join()
    yield from settled(made, load)


def _told(answers: Counter[int]) -> str:
    return ", ".join(f"{status or 'none'}: {number}" for status, number in sorted(answers.items()))


def settled(made: House, load: Load) -> Iterator[Finding]:
    """What is left waiting is approved; once all is filled and sealed, the sums are done."""
    from django.db import connections

    from agents.models import Message
    from compliance import verify
    from compliance.models import ComplianceEvent, Leaf
    from orders.models import Order, Status

    connections.close_all()
    lines = [made.approver(number) for number in range(2)]
    try:
        took = _wait(lambda: sum(load.sweep(line) for line in lines) == 0, SETTLE_S, "an empty queue")
        yield Finding("the queue of approvals is empty after", f"{took:.0f} s")
    except AssertionError:
        yield Finding("the queue of approvals is empty after", f"not within {SETTLE_S} s", False)
    refused = {code: number for code, number in load.refused.items() if code not in RACES}
    yield Finding("approvals that a check refused", str(refused or "none"), not refused)

    def is_all_filled() -> bool:
        return not Order.objects.exclude(status=Status.FILLED).exists()

    try:
        took = _wait(is_all_filled, SETTLE_S, "orders filled")
        yield Finding("the last order is filled after", f"{took:.0f} s")
    except AssertionError:
        left = Counter(Order.objects.exclude(status=Status.FILLED).values_list("status", flat=True))
        yield Finding("the last order is filled after", f"not within {SETTLE_S} s: {dict(left)}", False)
    _wait(lambda: Leaf.objects.count() == ComplianceEvent.objects.count(), SETTLE_S, "everything sealed")

    stored = {str(pk): quantity for pk, quantity in Order.objects.values_list("pk", "quantity")}
    lost = sum(stored.get(order_id) != quantity for order_id, quantity in load.proposed.items())
    kept = {str(thread_id) for thread_id in Message.objects.values_list("thread_id", flat=True)}
    unfilled = load.approved - {
        str(pk) for pk in Order.objects.filter(status=Status.FILLED).values_list("pk", flat=True)
    }
    gone = (lost, len(set(load.turns) - kept), len(unfilled))
    acknowledged = f"{len(load.proposed)} proposals, {len(load.turns)} turns, {len(load.approved)} approvals"
    yield Finding(f"acknowledged: {acknowledged}; lost of each", str(gone), gone == (0, 0, 0))

    found = crash.found(Decimal(order["qty"]) for order in made.broker.orders.values())
    wrong = {name: found[name] for name in ("double", "lost", "unexplained")}
    told = f"{found['orders']} orders, {found['at_broker']} at the broker: {wrong}"
    yield Finding("executions, and books made anew from them", told, not any(wrong.values()))
    report = verify.verify(processes=1)
    told = f"{report.events} events, {len(report.faults)} faults {[str(fault) for fault in report.faults[:5]] or ''}"
    yield Finding("the trail", told.strip(), not report.faults)


def campaign(*, is_short: bool) -> list[Finding]:
    findings = []
    quantities = count(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        start = time.monotonic()
        (folder / "shared").mkdir()
        with house(folder) as made:
            findings.append(Finding("nine machines are up after", f"{time.monotonic() - start:.0f} s"))
            parts = (
                scaling(made, 4 if is_short else 12),
                limits(made),
                counters(made),
                breaker(made),
                crossing(made, quantities),
                under_load(made, quantities, is_short=is_short),
            )
            for part in parts:
                for finding in part:
                    findings.append(finding)
                    print(line_of(finding), file=sys.stderr, flush=True)
    return findings


def line_of(finding: Finding) -> str:
    return f"{'ok ' if finding.is_right else 'BAD'}  {finding.what}: {finding.found}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one kill, short absences")
    parser.add_argument("--write", action="store_true", help="into docs/figures.md")
    given = parser.parse_args()
    if why := network.missing():
        sys.stderr.write(f"no network of its own can be made here: {why}\n")
        sys.exit(2)
    network.enter("tests.performance.machines")
    start = time.monotonic()
    findings = campaign(is_short=given.short)
    wrong = sum(not finding.is_right for finding in findings)
    seconds = time.monotonic() - start
    if given.write:
        bench.write(bench.MARKDOWN, "S11", table(findings, seconds))
    told = {"ratio": findings[1].value, "wrong": wrong, "seconds": round(seconds)}
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stderr.write(f"{'NOT WELL' if wrong else 'well'} after {seconds:.0f} s, load {os.getloadavg()[0]:.1f}\n")
    sys.exit(bool(wrong))


def table(findings: list[Finding], seconds: float) -> str:
    about = f"`make machines`, {bench.machine()}, {bench.today()}, commit {bench.commit()}"
    rows = [f"| {one.what} | {one.found if one.is_right else f'**{one.found}**'} |" for one in findings]
    load = f"load {os.getloadavg()[0]:.1f}, {seconds:.0f} s in all."
    return "\n".join([f"{about}, {load}", "", "| what | found |", "|---|---|", *rows])


if __name__ == "__main__":
    main()

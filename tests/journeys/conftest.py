"""The product as it runs: its own processes, on a data directory, a port and a database of their own."""

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 120
COMMANDS = {
    "web": [str(Path(sys.executable).with_name("gunicorn")), "-c", "deploy/gunicorn.conf.py", "nextrade.wsgi"],
    "worker": [sys.executable, "manage.py", "worker"],
    "sealer": [sys.executable, "manage.py", "sealer"],
    "alertd": [sys.executable, "manage.py", "alertd"],
}


@dataclass
class Reply:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Product:
    """A running NexTrade. people: the demo's cast by user name."""

    env: dict[str, str]
    port: int
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *args: str) -> str:
        command = [sys.executable, "manage.py", *args]
        done = subprocess.run(command, cwd=ROOT, env=self.env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, name: str) -> None:
        log = (Path(self.env["NEXTRADE_DATA_DIR"]) / f"{name}.err").open("ab")
        self.processes[name] = subprocess.Popen(
            COMMANDS[name], cwd=ROOT, env=self.env, stdout=log, stderr=log, start_new_session=True
        )

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a process by its own pid, and wait for it."""
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait(timeout=60)

    def call(self, method: str, path: str, who: str = "", body: Any = None, **headers: str) -> Reply:
        request = urllib.request.Request(self.url + path, method=method)
        if who:
            request.add_header("Authorization", f"Bearer {self.people[who]['token']}")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return _reply(answer.status, answer)
        except urllib.error.HTTPError as answer:
            return _reply(answer.code, answer)

    def say(self, who: str, message: str, thread_id: str | None = None) -> Any:
        reply = self.call("POST", "/api/v1/chat/", who, {"message": message, "thread_id": thread_id})
        assert reply.status == 200, reply
        return reply.body

    def order(self, who: str, order_id: str) -> Any:
        return self.call("GET", f"/api/v1/orders/{order_id}/", who).body

    def wait_for(self, who: str, order_id: str, status: str, seconds: float = 60) -> Any:
        """The order once it has a status. Fails when that takes longer."""
        deadline = time.monotonic() + seconds
        while (order := self.order(who, order_id))["status"] != status:
            assert time.monotonic() < deadline, (
                f"{order['status']}, not {status}, after {seconds} s: {order['history']}"
            )
            time.sleep(0.1)
        return order

    def wait_for_messages(self, who: str, thread_id: str, count: int) -> Any:
        """A thread's messages once there are so many: a notice follows the commit of what it tells."""
        deadline = time.monotonic() + 60
        while len(messages := self.call("GET", f"/api/v1/threads/{thread_id}/", who).body["messages"]) < count:
            assert time.monotonic() < deadline, messages
            time.sleep(0.1)
        return messages

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            try:
                up = self.call("GET", "/health").body["components"]
                if all(up[name] for name in ("database", "llm", "scheduler", "sealer")):
                    return
            except OSError:
                pass
            time.sleep(0.2)
        raise AssertionError("not up in time: " + (Path(self.env["NEXTRADE_DATA_DIR"]) / "web.err").read_text()[-3000:])


def _reply(status: int, answer: Any) -> Reply:
    text = answer.read().decode()
    is_json = "json" in answer.headers.get("Content-Type", "")
    return Reply(status=status, body=json.loads(text) if is_json and text else text, headers=dict(answer.headers))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(data: Path, *, history_days: int = 0, **settings: str) -> Iterator[Product]:
    """Start a product with some settings, and some days of a past; end it by its own pids."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    env |= {"NEXTRADE_DATA_DIR": str(data), "PORT": str(port), "NEXTRADE_RATE_LIMIT": "1000/min"}
    env |= {"NEXTRADE_LOGIN_RATE_LIMIT": "1000/min", **settings}
    server = os.environ.get("TEST_DATABASE_URL", "")
    database = f"journey_{uuid.uuid4().hex[:12]}"
    model = _model()
    shutil.copytree(model.data, data, dirs_exist_ok=True, ignore=shutil.ignore_patterns("metrics", "run", "stats"))
    if server:
        _sql(server, f"CREATE DATABASE {database} TEMPLATE {model.database}")
        env["DATABASE_URL"] = f"{server.rsplit('/', 1)[0]}/{database}"
    if os.environ.get("TEST_REDIS_URL"):
        env |= {"REDIS_URL": os.environ["TEST_REDIS_URL"], "NEXTRADE_CACHE_PREFIX": database}
    product = Product(env=env, port=port)
    try:
        if history_days:
            product.manage("demo_history", "--days", str(history_days))
        product.people = {person["username"]: person for person in json.loads(product.manage("demo_cast", "--json"))}
        product.start("web")
        product.start("worker")
        product.start("sealer")
        product.wait_until_up()
        yield product
    finally:
        for name in list(product.processes):
            product.stop(name)
        if server:
            _sql(server, f"DROP DATABASE {database} WITH (FORCE)")


@dataclass(frozen=True)
class Model:
    """A migrated installation that each product begins as a copy of: migrating takes longer than most journeys."""

    data: Path
    database: str


@cache
def _model() -> Model:
    """Made once a process, and gone with it."""
    data = Path(tempfile.mkdtemp(prefix="journeys-"))
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    (data / "demo_secret_key").write_text("a-key-for-the-journeys-alone")
    env = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")}
    env["NEXTRADE_DATA_DIR"] = str(data)
    server, database = os.environ.get("TEST_DATABASE_URL", ""), f"journey_{uuid.uuid4().hex[:12]}"
    if server:
        _sql(server, f"CREATE DATABASE {database}")
        atexit.register(_sql, server, f"DROP DATABASE {database} WITH (FORCE)")
        env["DATABASE_URL"] = f"{server.rsplit('/', 1)[0]}/{database}"
    made = Product(env=env, port=0)
    made.manage("migrate", "--verbosity", "0")
    made.manage("collectstatic", "--no-input", "--verbosity", "0")
    return Model(data=data, database=database)


def _sql(server: str, statement: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    yield from launch(tmp_path_factory.mktemp("product"))


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path; without one these tests are left out, but not where they are required (`make e2e`)."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None and os.environ.get("NEXTRADE_BROWSER") == "required":
        pytest.fail("there is no chromium: apt-get install chromium")
    if path is None:
        pytest.skip("there is no chromium")
    return path

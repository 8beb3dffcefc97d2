"""The same faults before two watches: alertd, and a real Prometheus with a real Alertmanager, all on loopback.

The product runs with all four processes on SQLite; its model's provider is a server of ours. Prometheus and
Alertmanager run on what `ops render` writes. Faults are injected one after the other, in real time; then the alerts
that each watch fired, their words, when, and by which channels people were told, are compared. The blackbox exporter is
not in Debian's `prometheus` package: a stand-in of ours asks what the rendered module says.

    python -m tests.campaigns.watch --port 8120          about twenty minutes
"""

import argparse
import contextlib
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from nextrade.ops import render
from nextrade.ops.render import Site
from nextrade.ops.render.prometheus import probes
from nextrade.ops.rules import RULES, by_name, catalogue
from tests.journeys.conftest import Product, launch
from tests.openai_server import OpenAIServer, desk_script, openai_server
from tests.receivers import MailBox, Receiver, mail_server, receiver

SAID = re.compile(r"WARNING - (\w+) is (\w+): (.*)$")
NAMES = {rule.name for rule in RULES}
THRESHOLDS = {"CpuUsageHigh": 99.0}
"""The machine of a campaign is busy, and two who ask in turns measure different spans."""


@dataclass
class Ears:
    """Who is told by one watch."""

    web: Receiver
    mail: MailBox

    def told(self) -> set[tuple[str, str]]:
        """(channel, rule) of every message that anybody got, but for the sign of life."""
        heard = {("email", rule) for message in self.mail.got for rule in named(str(message))}
        for path, body, _ in list(self.web.got):
            channel = path.strip("/").split("/")[0]
            heard |= {(channel, rule) for rule in named(json.dumps(body, ensure_ascii=False))}
        return {(channel, rule) for channel, rule in heard if rule != "Watchdog"}


@dataclass
class Watch:
    """What one watch fired: each alert's words without their numbers, and when, by the campaign's clock."""

    fired: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    open: set[tuple[str, str]] = field(default_factory=set)

    def sees(self, now: set[tuple[str, str]]) -> None:
        for alert in now - self.open:
            self.fired.setdefault(alert, []).append(time.monotonic())
        self.open = now


@dataclass(frozen=True, kw_only=True)
class Fault:
    """fires: the rules that must fire of it, in both watches, within most_s."""

    name: str
    inject: Callable[[Product, OpenAIServer], None]
    heal: Callable[[Product, OpenAIServer], None]
    fires: tuple[str, ...]
    most_s: float


def wordless(text: str) -> str:
    return re.sub(r"\d+(\.\d+)?", "#", text)


def named(text: str) -> set[str]:
    """The rules whose message stands in a text."""
    return {rule.name for rule in RULES if re.search(_pattern(rule.message), text)}


def _pattern(message: str) -> str:
    with_values = re.sub(r"\\\{value[^}]*\}", r"[-0-9.]+", re.escape(message))
    return re.sub(r"\\\{[^}]*\}", r"[^\"]{1,60}?", with_values)


@contextmanager
def prober(port: int) -> Iterator[None]:
    """What the blackbox exporter does with the rendered module."""
    module = probes()["modules"]["nextrade_health"]
    timeout_s = float(module["timeout"].removesuffix("s"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            target = parse_qs(urlsplit(self.path).query)["target"][0]
            try:
                status = httpx.get(target, timeout=timeout_s, trust_env=False).status_code
            except httpx.HTTPError:
                status = 0
            body = f"probe_success {int(status in module['http']['valid_status_codes'])}\n".encode()
            with contextlib.suppress(BrokenPipeError):  # a scrape that was given up
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@contextmanager
def program(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


class Prometheus:
    """Prometheus and Alertmanager on a rendering, in a folder, on ports from `port` on."""

    def __init__(self, folder: Path, port: int, product: Product, ears: Ears) -> None:
        self.folder, self.port = folder, port
        self.secrets = folder / "secrets"
        self.secrets.mkdir(parents=True)
        for name, secret in (
            ("metrics_token", "none"),
            ("slack_webhook_url", f"{ears.web.url}/slack"),
            ("pagerduty_routing_key", "a-key"),
        ):
            (self.secrets / name).write_text(secret)
        self.site = Site(
            web=f"127.0.0.1:{product.port}",
            secrets=str(self.secrets),
            alertmanager=f"127.0.0.1:{port + 1}",
            blackbox=f"127.0.0.1:{port + 2}",
            smtp=f"127.0.0.1:{ears.mail.port}",
            pagerduty_url=f"{ears.web.url}/pagerduty",
            ticket_url=f"{ears.web.url}/ticket",
            heartbeat_url=f"{ears.web.url}/heartbeat",
        )
        self.render(THRESHOLDS)

    def render(self, thresholds: dict[str, float]) -> None:
        settings = {name: getattr(self.site, name) for name in self.site.__dataclass_fields__}
        render.write(Site(**{**settings, "rules": catalogue(thresholds)}), self.folder)

    def reload(self) -> None:
        httpx.post(f"http://127.0.0.1:{self.port}/-/reload", trust_env=False).raise_for_status()

    def firing(self) -> set[tuple[str, str]]:
        found = httpx.get(f"http://127.0.0.1:{self.port}/api/v1/alerts", trust_env=False, timeout=10).json()
        return {
            (alert["labels"]["alertname"], wordless(alert["annotations"]["summary"]))
            for alert in found["data"]["alerts"]
            if alert["state"] == "firing" and alert["labels"]["alertname"] != "Watchdog"
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        prometheus = [
            "prometheus",
            f"--config.file={self.folder}/prometheus/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--web.enable-lifecycle",
        ]
        alertmanager = [
            "prometheus-alertmanager",
            f"--config.file={self.folder}/alertmanager/alertmanager.yml",
            f"--storage.path={self.folder}/alertmanager-data",
            f"--web.listen-address=127.0.0.1:{self.port + 1}",
            "--cluster.listen-address=",
        ]
        with (
            prober(self.port + 2),
            program(alertmanager, self.folder / "alertmanager.log"),
            program(prometheus, self.folder / "prometheus.log"),
        ):
            yield


class Alertd:
    """What alertd says on its log."""

    def __init__(self, product: Product) -> None:
        self.log = Path(product.env["NEXTRADE_DATA_DIR"]) / "alertd.err"

    def firing(self) -> set[tuple[str, str]]:
        now: dict[tuple[str, str], str] = {}
        for line in self.log.read_text(errors="replace").splitlines():
            if said := SAID.search(line):
                now[said[1], wordless(said[3])] = said[2]
        return {alert for alert, state in now.items() if state in ("firing", "stale")}


def ask(product: Product, count: int) -> None:
    """So many people's questions, eight at once; how they end is not looked at."""
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(lambda _: product.call("POST", "/api/v1/chat/", "ann", {"message": "What is AAPL?"}), range(count))
        )


def model_down(product: Product, model: OpenAIServer) -> None:
    model.fault = "500"
    ask(product, 16)


def log_storm(product: Product, model: OpenAIServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: product.call("GET", "/no/such/page"), range(1500)))


def stop_both(product: Product, model: OpenAIServer) -> None:
    product.stop("sealer", signal.SIGKILL)
    product.stop("worker", signal.SIGKILL)
    product.call("POST", "/api/v1/chat/", "ann", {"message": "hello"})  # an event that waits to be sealed


def start_web(product: Product, model: OpenAIServer) -> None:
    product.start("web")
    product.wait_until_up()


def start_both(product: Product, model: OpenAIServer) -> None:
    product.start("sealer")
    product.start("worker")


def database_gone(product: Product, model: OpenAIServer) -> None:
    data = Path(product.env["NEXTRADE_DATA_DIR"])
    (data / "nextrade.sqlite3").rename(data / "away.sqlite3")


def database_back(product: Product, model: OpenAIServer) -> None:
    data = Path(product.env["NEXTRADE_DATA_DIR"])
    (data / "away.sqlite3").replace(data / "nextrade.sqlite3")


def nothing(product: Product, model: OpenAIServer) -> None:
    return


def faults(set_threshold: Callable[[float], None]) -> tuple[Fault, ...]:
    model_heals = Fault(
        name="the model's provider answers 500",
        inject=model_down,
        heal=lambda product, model: setattr(model, "fault", ""),
        fires=("LlmProviderIssues", "HighErrorRate", "CircuitBreakerOpened"),
        most_s=150,
    )
    storm = Fault(name="1500 log lines", inject=log_storm, heal=nothing, fires=("LogVolumeSpike",), most_s=90)
    threshold = Fault(
        name="a threshold is moved in the admin",
        inject=lambda product, model: set_threshold(0.5),
        heal=lambda product, model: set_threshold(80),
        fires=("DiskSpaceWarning",),
        most_s=90,
    )
    processes = Fault(
        name="kill -9 of sealer and worker",
        inject=stop_both,
        heal=start_both,
        fires=("AuditEventsUnsealed", "ComponentDown", "SchedulerDown"),
        most_s=300,
    )
    web = Fault(
        name="kill -9 of web",
        inject=lambda product, model: product.stop("web", signal.SIGKILL),
        heal=start_web,
        fires=("ApiUnavailable",),
        most_s=240,
    )
    database = Fault(
        name="the database's file is gone",
        inject=database_gone,
        heal=database_back,
        fires=("DatabaseConnectionLost",),
        most_s=120,
    )
    return (model_heals, storm, threshold, processes, web, database)


def run_fault(fault: Fault, product: Product, model: OpenAIServer, watches: dict[str, Watch]) -> dict[str, Any]:
    """Inject, wait until both have fired all that it must, heal. Seconds from the injection to each firing."""
    start = time.monotonic()
    fault.inject(product, model)
    injected = time.monotonic()
    while time.monotonic() - injected < fault.most_s:
        if all(_fired(watch, rule, start) for watch in watches.values() for rule in fault.fires):
            break
        time.sleep(1)
    took = {rule: {name: _fired(watch, rule, start) for name, watch in watches.items()} for rule in fault.fires}
    fault.heal(product, model)
    print(
        json.dumps({"fault": fault.name, "injecting_s": round(injected - start, 1), "fired_after_s": took}), flush=True
    )
    return took


def _fired(watch: Watch, rule: str, start: float) -> float | None:
    """Seconds until the rule fired, also when it fired already."""
    if any(name == rule for name, _ in watch.open):
        times = [at for (name, _), every in watch.fired.items() if name == rule for at in every]
        return round(max(0.0, max(times) - start), 1)
    return None


def look_on(sources: dict[str, Any], watches: dict[str, Watch], stop: threading.Event) -> None:
    while not stop.wait(0.5):
        for name, source in sources.items():
            watches[name].sees(source.firing())


def settings_of(ears: Ears, model: OpenAIServer, port: int) -> dict[str, str]:
    return {
        "OPENAI_API_KEY": "sk-nobody",
        "OPENAI_BASE_URL": model.url,
        "NEXTRADE_MODEL": "scripted",
        "PAGERDUTY_ROUTING_KEY": "a-key",
        "PAGERDUTY_URL": f"{ears.web.url}/pagerduty",
        "SLACK_WEBHOOK_URL": f"{ears.web.url}/slack",
        "TICKET_WEBHOOK_URL": f"{ears.web.url}/ticket",
        "HEARTBEAT_URL": f"{ears.web.url}/heartbeat",
        "ALERT_EMAIL_TO": "team@nextrade.com",
        "EMAIL_URL": f"smtp://127.0.0.1:{ears.mail.port}",
    }


def campaign(port: int, place: Path) -> dict[str, Any]:
    with ExitStack() as stack:
        ears = {
            name: Ears(web=stack.enter_context(receiver()), mail=stack.enter_context(mail_server(port + 10 + number)))
            for number, name in enumerate(("alertd", "prometheus"))
        }
        model = stack.enter_context(openai_server(desk_script))
        data = place / "data"
        data.mkdir()
        product = stack.enter_context(contextmanager(launch)(data, **settings_of(ears["alertd"], model, port)))
        product.env["NEXTRADE_ALERTD_TARGET"] = product.url
        set_row(product, "CpuUsageHigh", THRESHOLDS["CpuUsageHigh"])
        product.start("alertd")
        prometheus = Prometheus(place / "prometheus", port, product, ears["prometheus"])
        stack.enter_context(prometheus.running())
        time.sleep(60)  # both know the product at peace
        sources = {"alertd": Alertd(product), "prometheus": prometheus}
        watches = {name: Watch() for name in sources}
        stop = threading.Event()
        looker = threading.Thread(target=look_on, args=(sources, watches, stop), daemon=True)
        looker.start()

        def set_threshold(percent: float) -> None:
            set_row(product, "DiskSpaceWarning", percent)
            prometheus.render({**THRESHOLDS, "DiskSpaceWarning": percent})
            prometheus.reload()

        took = {fault.name: run_fault(fault, product, model, watches) for fault in faults(set_threshold)}
        time.sleep(90)  # what is told in groups is told
        stop.set()
        looker.join()
        return compared(took, watches, {name: each.told() for name, each in ears.items()})


def set_row(product: Product, rule: str, value: float) -> None:
    """As the admin does, by the service."""
    code = (
        "from django.contrib.auth.models import User; from django.utils import timezone;"
        "from nextrade.ops.thresholds import set_threshold;"
        f"set_threshold({rule!r}, {value}, reason='campaign', by=User.objects.get(username='olga'), at=timezone.now())"
    )
    product.manage("shell", "--no-imports", "-c", code)


def compared(took: Any, watches: dict[str, Watch], told: dict[str, set[tuple[str, str]]]) -> dict[str, Any]:
    fired = {name: {alert for alert in watch.fired if alert[0] in NAMES} for name, watch in watches.items()}
    ours, theirs = fired["alertd"], fired["prometheus"]
    apart = [abs(watches["alertd"].fired[alert][0] - watches["prometheus"].fired[alert][0]) for alert in ours & theirs]
    expected = {(channel, name) for name, _ in ours | theirs for channel in by_name(name).channels}
    return {
        "fired_by_both": sorted(name for name, _ in ours & theirs),
        "only_alertd": sorted(ours - theirs),
        "only_prometheus": sorted(theirs - ours),
        "alarms_of_alertd": sorted({name for name, _ in watches["alertd"].fired} - NAMES),
        "apart_s": {"median": sorted(apart)[len(apart) // 2] if apart else None, "most": max(apart, default=None)},
        "told_by_both": sorted(told["alertd"] & told["prometheus"]),
        "told_by_alertd_alone": sorted(told["alertd"] - told["prometheus"]),
        "told_by_alertmanager_alone": sorted(told["prometheus"] - told["alertd"]),
        "not_told": sorted(expected - told["alertd"] - told["prometheus"]),
        "missed": [
            [fault, rule, name]
            for fault, rules in took.items()
            for rule, seconds in rules.items()
            for name, each in seconds.items()
            if each is None
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8120, help="Prometheus; then Alertmanager, prober, mail")
    parser.add_argument("--keep", type=Path, help="leave logs and data in this directory")
    options = parser.parse_args()
    for name in ("prometheus", "prometheus-alertmanager"):
        if not shutil.which(name):
            sys.exit(f"{name} is not installed (Debian: prometheus, prometheus-alertmanager)")
    with tempfile.TemporaryDirectory() as place:
        found = campaign(options.port, Path(options.keep or place))
    print(json.dumps(found, indent=1))
    return 1 if found["only_alertd"] or found["only_prometheus"] or found["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())

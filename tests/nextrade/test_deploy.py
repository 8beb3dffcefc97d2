"""What `ops render` writes for systemd, Kubernetes, compose, nginx and logrotate: taken by the programs it is for."""

import getpass
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from nextrade.ops import render
from nextrade.ops.render import Site
from nextrade.ops.render.roles import BROKER_KEYS, CHANNELS, ROLES
from tests.conftest import NOON

ROOT = Path(__file__).resolve().parent.parent.parent


def need(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    need("systemd-analyze")
    made = render.render(replace(Site(), home=str(ROOT)))
    units = {path: text for path, text in made.items() if path.startswith("systemd/")}
    assert len(units) == 6
    for path, text in units.items():
        (tmp_path / Path(path).name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if "nextrade" in line] == []
    assert done.returncode == 0, done.stderr


def test_a_unit_s_exposure_is_small() -> None:
    need("systemd-analyze")
    unit = ROOT / "deploy" / "systemd" / "nextrade-web.service"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=40", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-600:] + done.stderr


def test_each_process_gets_its_own_secrets_alone() -> None:
    given = {role.name: set(role.secrets) for role in ROLES}
    assert set(BROKER_KEYS) <= given["worker"]
    for name, secrets in given.items():
        assert name == "worker" or not secrets & set(BROKER_KEYS)
        assert name == "alertd" or not secrets & (set(CHANNELS) - {"METRICS_TOKEN"})
        unit = (ROOT / "deploy" / "systemd" / f"nextrade-{name}.service").read_text()
        assert {
            line.split("=")[1].split(":")[0] for line in unit.splitlines() if line.startswith("LoadCredential=")
        } == {
            *secrets,
            "SECRET_KEY",
        }


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "nextrade.yaml").read_text()))


def test_kubernetes_takes_the_manifests() -> None:
    for document in manifests():
        kubernetes_validate.validate(document, "1.31", strict=True)


def test_the_probes_have_the_guide_s_numbers() -> None:
    web = next(
        each for each in manifests() if each["metadata"]["name"] == "nextrade-web" and each["kind"] == "Deployment"
    )
    (container,) = web["spec"]["template"]["spec"]["containers"]
    live, ready = container["livenessProbe"], container["readinessProbe"]
    numbers = ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold")
    assert [live[name] for name in numbers] == [30, 10, 5, 3]
    assert live["httpGet"] == {"path": "/health/live", "port": 8000}
    assert [ready[name] for name in numbers] == [10, 5, 3, 3]
    assert ready["httpGet"] == {"path": "/health/ready", "port": 8000}


def test_compose_names_nothing_that_is_not_there() -> None:
    """As far as it goes without an engine: every reference inside it, every file that it mounts, no secret in it."""
    folder = ROOT / "deploy" / "compose"
    told = yaml.safe_load((folder / "docker-compose.yml").read_text())
    assert {"postgres", "redis", "prometheus", "alertmanager", "grafana", "web", "worker"} <= set(told["services"])
    for name, service in told["services"].items():
        assert set(service.get("depends_on", ())) <= set(told["services"]), name
        assert set(service.get("secrets", ())) <= set(told["secrets"]), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert source in told["volumes"] or (folder / source).exists(), volume
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), port
        for key, value in service.get("environment", {}).items():
            assert not any(word in key for word in ("PASSWORD", "SECRET", "TOKEN", "KEY")) or key.endswith("_FILE"), (
                value
            )
    for condition in (each for service in told["services"].values() for each in service.get("depends_on", {}).items()):
        needed, how = condition
        assert how["condition"] != "service_healthy" or "healthcheck" in told["services"][needed]


def test_the_dockerfile_copies_what_is_there() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    for name in ("Makefile", "requirements.lock"):
        assert (ROOT / name).exists()
        assert name in text
    assert "USER nextrade" in text


@pytest.mark.parametrize(
    "path",
    [
        *(".env", ".env.production", "deploy/.env", "tls/privkey.pem", "sealing-1.key", "var/keys/writer_mac.key"),
        *("demo_secret_key", "nextrade.sqlite3", "nextrade.sqlite3-wal", "deploy/compose/secrets/SECRET_KEY"),
        *(".git/config", "tests/.pytest_cache/x"),
    ],
)
def test_no_layer_of_the_image_gets_a_secret_that_lies_about(path: str) -> None:
    """As far as it goes without an engine: what keeps a file from `COPY . .`, and no secret set in a layer."""
    patterns = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text().split()
    assert any(_is_ignored(path, pattern) for pattern in patterns)
    ours = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    assert [each for each in ours for pattern in patterns if _is_ignored(each, pattern)] == []
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "ARG " not in text
    assert not [name for role in ROLES for name in (*role.secrets, "SECRET_KEY") if name in text]


def _is_ignored(path: str, pattern: str) -> bool:
    """By Docker's rules: `**/` is any folders or none, a folder takes all in it along."""
    as_regex = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return bool(re.fullmatch(f"{as_regex}(/.*)?", path))


class Upstream(BaseHTTPRequestHandler):
    """Tells what it was sent; a path of /stream/ comes in two pieces, three seconds apart."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        if "/stream/" in self.path:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"first\n", b"second\n"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
                time.sleep(3)
            self.wfile.write(b"0\r\n\r\n")
            return
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        return


def certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nextrade.example")])
    made = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=NOON.replace(year=2020),
        not_valid_after=NOON.replace(year=2040),
    ).sign(key, hashes.SHA256())
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "fullchain.pem").write_bytes(made.public_bytes(pem))
    (folder / "privkey.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Site]:
    """nginx as rendered, in front of a server that tells what it was sent."""
    need("nginx")
    upstream = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    here = str(tmp_path)
    site = replace(
        Site(),
        web=f"127.0.0.1:{upstream.server_port}",
        home=here,
        logs=here,
        tls=here,
        host="localhost",
        http_port=free_port(),
        https_port=free_port(),
    )
    certificate(tmp_path)
    render.write(site, tmp_path / "deploy")
    conf = tmp_path / "deploy" / "nginx" / "nginx.conf"
    more = f"pid {here}/nginx.pid; daemon off; {'user root;' if getpass.getuser() == 'root' else ''}"
    command = ["nginx", "-e", "stderr", "-c", str(conf), "-g", more]
    checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    running = subprocess.Popen(command)
    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", site.http_port)) == 0:
                break
        time.sleep(0.05)
    yield site
    running.terminate()
    running.wait(timeout=10)
    upstream.shutdown()
    upstream.server_close()


TRUSTING = ssl.create_default_context()
TRUSTING.check_hostname, TRUSTING.verify_mode = False, ssl.CERT_NONE


def ask(url: str, **headers: str) -> Any:
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), context=TRUSTING, timeout=10)


def test_nginx_passes_on_what_it_saw_and_not_what_it_was_told(nginx: Site) -> None:
    base = f"https://localhost:{nginx.https_port}"
    seen = json.load(ask(f"{base}/api/v1/orders/", **{"X-Forwarded-For": "9.9.9.9", "X-Forwarded-Proto": "http"}))
    assert seen["X-Forwarded-For"] == "127.0.0.1"
    assert seen["X-Forwarded-Proto"] == "https"
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(f"{base}/metrics")
    assert refused.value.code == 404


def test_nginx_limits_people_and_not_probes(nginx: Site) -> None:
    def over_one_line(path: str) -> set[int]:
        """A handshake for each request would be slow enough by itself."""
        line = http.client.HTTPSConnection("localhost", nginx.https_port, context=TRUSTING, timeout=20)
        found = set()
        for _ in range(50):
            line.request("GET", path)
            answer = line.getresponse()
            answer.read()
            found.add(answer.status)
        line.close()
        return found

    def statuses(path: str) -> set[int]:
        with ThreadPoolExecutor(8) as people:
            return set().union(*people.map(over_one_line, [path] * 8))

    assert statuses("/health") == {200}
    assert statuses("/api/v1/orders/") == {200, 429}


def test_nginx_passes_a_stream_on_as_it_comes(nginx: Site) -> None:
    start = time.monotonic()
    answer = ask(f"https://localhost:{nginx.https_port}/api/v1/chat/stream/")
    assert answer.readline() == b"first\n"
    first_s = time.monotonic() - start
    assert answer.readline() == b"second\n"
    assert time.monotonic() - start - first_s > 0.5


def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    need("logrotate")
    made = render.render(replace(Site(), user=getpass.getuser(), logs=str(tmp_path)))["logrotate/nextrade"]
    (tmp_path / "conf").write_text(made)
    (tmp_path / "nextrade.log").write_text("x\n")
    (tmp_path / "conf").chmod(0o600)
    done = subprocess.run(
        ["logrotate", "-d", "-s", str(tmp_path / "state"), str(tmp_path / "conf")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "error:" not in done.stderr


def test_the_launcher_of_each_unit_is_there() -> None:
    for role in ROLES:
        program = role.command.split()[0]
        assert Path(sys.executable).with_name(program).exists()

"""Anchors on other machines: S3's Object Lock as moto plays it, and a time-stamping authority that openssl is."""

import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from compliance import triggers, verify
from compliance.anchors import SinkProblem
from compliance.models import Anchor, Checkpoint, Leaf
from compliance.remote_sinks import BucketSink, ClockSink
from compliance.seal import TrailBroken
from compliance.sealer import Outbox, Sealer
from tests.compliance.conftest import record
from tests.conftest import NOON

BUCKET = "s3:trail/nextrade"
CONFIG = """
[tsa]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in (("ACCESS_KEY_ID", "a"), ("SECRET_ACCESS_KEY", "b"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="trail", ObjectLockEnabledForBucket=True)
        yield client


@pytest.fixture
def authority(tmp_path: Path, settings: Any) -> Iterator[str]:
    folder = tmp_path / "tsa"
    folder.mkdir()
    (folder / "serial").write_text("01")
    (folder / "conf").write_text(CONFIG.format(folder=folder))

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "rsa:2048", "-nodes", "-config", "conf")
    openssl("req", "-x509", *new, "-keyout", "root.key", "-out", "root.pem", "-subj", "/CN=root", "-extensions", "root")
    openssl("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=tsa")
    signing = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "3000")
    openssl("x509", "-req", "-in", "tsa.csr", *signing, "-extfile", "conf", "-extensions", "signer", "-out", "tsa.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            (folder / "query").write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            reply = ("ts", "-reply", "-config", "conf", "-section", "tsa", "-queryfile", "query", "-out", "reply")
            openssl(*reply, "-signer", "tsa.pem", "-inkey", "tsa.key")
            self.send_response(200)
            self.end_headers()
            self.wfile.write((folder / "reply").read_bytes())

        def log_message(self, *_: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.TSA_ROOT, settings.TSA_DIR = str(folder / "root.pem"), tmp_path / "timestamps"
    yield f"rfc3161:http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_bucket_keeps_what_it_has_and_gives_it_back(bucket: Any) -> None:
    sink = BucketSink(BUCKET)
    sink.publish(["one", "two"], at=datetime.now(UTC))
    (version,) = bucket.list_object_versions(Bucket="trail")["Versions"]
    with pytest.raises(ClientError):
        bucket.delete_object(Bucket="trail", Key=version["Key"], VersionId=version["VersionId"])
    bucket.put_object(Bucket="trail", Key=version["Key"], Body=b"{}")
    assert [item.note for item in sink.read()] == ["one", "two"]


def test_an_older_database_is_found_by_the_bucket_alone(bucket: Any, vault: Path, settings: Any, db: None) -> None:
    settings.ANCHORS = [BUCKET]
    sealer = Sealer()
    sealer.start(at=NOON)
    for minute in range(2):
        record()
        sealer.seal(at=NOON + timedelta(minutes=minute))
    assert verify.verify().faults == []
    assert Anchor.objects.filter(sink=BUCKET).count() == 2
    triggers.remove()
    Checkpoint.objects.filter(size=2).delete()
    Leaf.objects.filter(leaf_index=1).delete()
    with pytest.raises(TrailBroken):
        Sealer().start(at=NOON)


def test_a_bucket_that_is_not_there_is_a_problem_by_name_and_holds_up_no_other_sink(
    bucket: Any, vault: Path, settings: Any, db: None
) -> None:
    with pytest.raises(SinkProblem):
        list(BucketSink("s3:nowhere/x").read())
    sealer = Sealer()
    sealer.start(at=NOON)
    sealer.outboxes.insert(0, Outbox(BucketSink("s3:nowhere/x")))
    record()
    sealer.seal(at=NOON)
    assert {anchor.sink.partition(":")[0] for anchor in Anchor.objects.all()} == {"file", "mailto"}
    assert sealer.outboxes[0].checkpoints


def test_the_authority_s_clock_says_when(authority: str) -> None:
    sink = ClockSink(authority)
    sink.publish(["one", "two"], at=NOON)
    items = list(sink.read())
    assert [item.note for item in items] == ["one", "two"]
    assert items[0].at != "2026-11-23T12:00:30.000000Z"
    (file,) = sink.folder.glob("*.json")
    file.write_text('["one", "too"]')
    with pytest.raises(SinkProblem, match="does not verify"):
        list(sink.read())


def test_another_authority_s_word_is_not_taken(authority: str, settings: Any, tmp_path: Path) -> None:
    settings.TSA_ROOT = str(tmp_path / "tsa" / "tsa.pem")
    with pytest.raises(SinkProblem, match="does not verify"):
        ClockSink(authority).publish(["one"], at=NOON)


def test_a_silent_authority_is_a_problem(settings: Any, tmp_path: Path) -> None:
    settings.TSA_DIR = tmp_path
    with pytest.raises(SinkProblem, match="did not answer"):
        ClockSink("rfc3161:http://127.0.0.1:9/").publish(["one"], at=NOON)

"""The small process itself: it seals what is committed elsewhere within a moment, beats, and ends when told to."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ORDER = """
import uuid
from django.db import transaction
from django.utils import timezone
from compliance import audit
with transaction.atomic():
    audit.record(audit.Action.ORDER_PROPOSED, actor="user:1", at=timezone.now(), order_id=uuid.uuid4())
"""
STATE = """
from compliance.models import Anchor, ComplianceEvent, Leaf
from nextrade.ops.models import Heartbeat
anchored = Anchor.objects.filter(sink__startswith="file")
print(Leaf.objects.count(), anchored.count(), Heartbeat.objects.filter(name="sealer").count())
"""


def test_an_order_s_event_is_anchored_by_itself_and_two_sealers_do_no_harm(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    env |= {"NEXTRADE_DATA_DIR": str(tmp_path), "SECRET_KEY": "test", "DJANGO_SETTINGS_MODULE": "nextrade.settings"}

    def manage(*arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout

    manage("migrate", "--verbosity", "0")
    sealers = [subprocess.Popen([sys.executable, "manage.py", "sealer"], cwd=ROOT, env=env) for _ in range(2)]
    try:
        until = time.monotonic() + 30
        while not (tmp_path / "anchors" / "trail.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.1)
        manage("shell", "--no-imports", "-c", ORDER)
        until = time.monotonic() + 30
        while True:
            leaves, anchors, beats = manage("shell", "--no-imports", "-c", STATE).split()
            if (leaves, beats) == ("3", "1") and int(anchors) >= 1:  # the order's, and that each sealer started
                break
            assert time.monotonic() < until, (leaves, anchors, beats)
    finally:
        for process in sealers:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(timeout=15) for process in sealers] == [0, 0]
    assert "faults" not in manage("audit", "verify")

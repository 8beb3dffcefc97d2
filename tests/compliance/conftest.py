from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from compliance import audit, mac
from compliance.audit import Action
from compliance.models import ComplianceEvent
from compliance.sealer import Sealer
from tests.conftest import NOON


@pytest.fixture(autouse=True)
def vault(tmp_path: Path, settings: Any) -> Path:
    """Keys and anchors of this test's own."""
    settings.KEYS_DIR = tmp_path / "keys"
    settings.ANCHORS = [f"file:{tmp_path / 'anchors' / 'trail.jsonl'}", "mailto:carol@nextrade.example"]
    mac.forget()
    return tmp_path


@pytest.fixture
def sealer(vault: Path, db: None) -> Sealer:
    made = Sealer()
    made.start(at=NOON)
    return made


def record(action: Action = Action.CHAT_REQUEST, *, at: datetime = NOON, **more: Any) -> ComplianceEvent:
    with transaction.atomic():
        return audit.record(action, **{"actor": "user:1", "at": at, **more})

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.intents import Intent, Kind, read

UTTERANCES = [
    json.loads(line)
    for line in Path(__file__).with_name("utterances.jsonl").read_text(encoding="utf-8").splitlines()
]
PASS_MARK = Decimal("0.95")


def wanted(fields: dict[str, Any]) -> Intent:
    """The whole intent a line of the file stands for: what it leaves out must be empty."""
    typed = {**fields, "kind": Kind(fields["kind"]), "words": ""}
    for name in ("fraction", "amount_usd"):
        typed[name] = Decimal(fields[name]) if name in fields else None
    typed["symbols"] = tuple(fields.get("symbols", ()))
    return Intent(**typed)


def understood(text: str) -> list[dict[str, Any]]:
    return [{**asdict(intent), "words": ""} for intent in read(text)]


def kinds(text: str) -> list[Kind]:
    return [intent.kind for intent in read(text)]


def only(text: str) -> Intent:
    (intent,) = read(text)
    return intent


@pytest.mark.parametrize("group", ["dev", "held_out"])
def test_at_least_19_in_20_utterances_are_read_exactly_right(group: str) -> None:
    lines = [line for line in UTTERANCES if line["set"] == group]
    wrong = [
        f"{line['text']!r}: {understood(line['text'])}"
        for line in lines
        if understood(line["text"]) != [asdict(wanted(fields)) for fields in line["intents"]]
    ]
    print(f"{group}: {len(lines) - len(wrong)} of {len(lines)}", *wrong, sep="\n")
    assert Decimal(len(wrong)) <= len(lines) * (1 - PASS_MARK), "\n".join(wrong)

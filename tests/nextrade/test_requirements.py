"""docs/requirements.md leaves no row out, and no test that it names is made up."""

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
STATES = {"done", "in part", "by hand", "not"}
HOW_MANY = {
    "F": 21,
    "OV": 7,
    "LG": 9,
    "CL": 8,
    "RS": 4,
    "SL": 4,
    "LF": 4,
    "HC": 20,
    "MT": 15,
    "PM": 7,
    "DB": 6,
    "AL": 4,
    "AR": 15,
    "CH": 6,
    "MD": 6,
    "MW": 5,
    "MM": 6,
    "MQ": 4,
    "BK": 9,
    "TS": 15,
    "SC": 9,
    "PF": 2,
    "AS": 1,
    "SE": 3,
    "CA": 7,
    "RT": 4,
    "DR": 6,
    "CO": 7,
    "CK": 4,
    "SP": 2,
}


def rows() -> list[tuple[str, str, str]]:
    text = (ROOT / "docs" / "requirements.md").read_text()
    return re.findall(r"^\| ([A-Z]{1,2}\d+) \| ([^|]+) \| (.+) \|$", text, re.MULTILINE)


def test_every_row_is_there_once_with_a_state() -> None:
    wanted = [f"{prefix}{number}" for prefix, count in HOW_MANY.items() for number in range(1, count + 1)]
    assert sorted(each[0] for each in rows()) == sorted(wanted)
    assert {state for _, state, _ in rows()} <= STATES


def test_what_is_done_names_a_test_and_every_test_exists() -> None:
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    for key, state, proof in rows():
        named = set(re.findall(r"`(test_\w+)`", proof))
        assert named <= defined, key
        assert state != "done" or named, f"{key} is done by whose word?"


def test_the_head_counts_right() -> None:
    head = (ROOT / "docs" / "requirements.md").read_text().split("| id |")[0]
    for state, count in Counter(state for _, state, _ in rows()).items():
        assert f"{count} {state}" in head

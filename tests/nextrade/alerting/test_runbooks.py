"""Every alert has a runbook, whose words are the alert's, whose links hold, whose commands are ours."""

import re
import shlex
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import get_commands, load_command_class

from nextrade.ops.alerting import raised
from nextrade.ops.alerting.rule import Rule
from nextrade.ops.rules import RULES

ROOT = Path(__file__).resolve().parent.parent.parent.parent
PAGES = sorted((ROOT / "docs" / "runbooks").glob("[A-Z]*.md"))
"""Those of alerts; what people begin by themselves, such as disaster-recovery.md, is named in small letters."""
FILLERS = {
    "NAME": "name",
    "RULE": "Rule",
    "USER": "ann",
    "ID": "1",
    "N": "1",
    "JOB": "prune",
    "R": "why",
    "TEXT": "why",
}
by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


@by_name
def test_an_alert_has_its_runbook(rule: Rule) -> None:
    text = (ROOT / rule.runbook).read_text()
    assert text.startswith(f"# {rule.name}\n")
    assert f"`{rule.message}`" in text
    if rule.priority.name != "none":
        assert f"**{rule.priority.name}**" in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    assert rule.name in (ROOT / "docs" / "runbooks" / "README.md").read_text()


def test_there_is_no_runbook_of_an_alert_that_is_none() -> None:
    assert {page.stem for page in PAGES} - {"README", "Alarms"} == {rule.name for rule in RULES}


@pytest.mark.parametrize("name", raised.KNOWN)
def test_an_alarm_that_code_raises_has_a_page_and_no_rule_s_name(name: str) -> None:
    rule = raised.Occurrence(name=name, count=1, last_s=0).rule
    line = re.search(rf"^\| `{name}` \| (P\d) \|", (ROOT / rule.runbook).read_text(), re.MULTILINE)
    assert line
    assert line[1] == rule.priority.name
    assert rule.name not in {each.name for each in RULES}


@by_page
def test_its_links_hold(page: Path) -> None:
    for target, _, place in re.findall(r"\]\(([^)#]*)(#([^)]*))?\)", page.read_text()):
        file = (page.parent / target).resolve() if target else page
        assert file.is_file(), target
        headings = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not place or place in anchors, place


@by_page
@pytest.mark.django_db
def test_its_commands_are_those_of_the_product(ann: User, page: Path) -> None:
    text = page.read_text()
    in_blocks = re.findall(r"^\.venv/bin/python manage\.py (.+)$", text, re.MULTILINE)
    in_words = re.findall(r"`manage\.py ([^`]+)`", text)
    known = get_commands()
    for line in in_blocks + in_words:
        name, *args = shlex.split(line)
        assert name in known, line
        filled = [FILLERS.get(word, word) for word in args]
        command = load_command_class(str(known[name]), name)
        command.create_parser("manage.py", name).parse_args(filled)

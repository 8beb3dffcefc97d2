"""What people hold on to is written down: settings, codes, actions, and the README's own words."""

import re
from pathlib import Path

import agents.llm
import agents.middleware
import agents.services
import agents.tools  # noqa: F401 - every error class is defined
import orders.brokers.base
import orders.quotes.base
import orders.services  # noqa: F401 - every error class is defined
from compliance.audit import Action
from nextrade.errors import NexTradeError

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"


def subclasses(family: type[NexTradeError]) -> set[type[NexTradeError]]:
    return {family}.union(*(subclasses(child) for child in family.__subclasses__()))


def test_every_setting_is_documented() -> None:
    read = set(re.findall(r'env(?:\.\w+)?\(\s*"([A-Z_]+)"', (ROOT / "nextrade" / "settings.py").read_text()))
    documented = (DOCS / "settings.md").read_text()
    assert len(read) > 20
    assert {name for name in read if f"`{name}`" not in documented} == set()


def test_every_code_of_an_error_is_documented() -> None:
    documented = (DOCS / "API_DOCUMENTATION.md").read_text() + (DOCS / "orders.md").read_text().lower()
    in_calls = {
        code
        for path in ROOT.glob("*/*.py")
        if path.parent.name in ("agents", "orders", "nextrade", "compliance")
        for code in re.findall(r'code="([a-z_]+)"', path.read_text())
    }
    codes = {family.code for family in subclasses(NexTradeError)} | in_calls
    assert {code for code in codes if f"`{code}`" not in documented} == set()


def test_every_action_of_the_trail_is_documented() -> None:
    documented = (DOCS / "operations.md").read_text()
    assert {action for action in Action.values if f"`{action}`" not in documented} == set()


def test_the_readme_s_links_and_targets_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for path in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (ROOT / path).exists(), path
    for target in re.findall(r"make (\w+)", readme):
        assert f"\n{target}:" in makefile, target


def test_every_test_that_the_docs_name_exists() -> None:
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)", "".join(_read(ROOT / "tests", "*.py")), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", "".join(_read(DOCS, "*.md"))))
    assert named - defined == set()


def _read(folder: Path, pattern: str) -> list[str]:
    return [path.read_text() for path in folder.rglob(pattern)]

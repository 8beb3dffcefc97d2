"""What people hold on to is written down: settings, codes, actions, and the README's own words."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

from django.urls import Resolver404, resolve

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
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]


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
        for folder in ("agents", "orders", "nextrade", "compliance")
        for path in (ROOT / folder).rglob("*.py")
        for code in re.findall(r'code="([a-z_]+)"', path.read_text())
    }
    codes = {family.code for family in subclasses(NexTradeError)} | in_calls
    assert {code for code in codes if f"`{code}`" not in documented} == set()


def test_every_action_of_the_trail_is_documented() -> None:
    documented = (DOCS / "operations.md").read_text()
    assert {action for action in Action.values if f"`{action}`" not in documented} == set()


def test_every_link_of_the_pages_leads_to_a_file() -> None:
    links = [(page, link) for page in PAGES for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())]
    assert len(links) > 80
    assert [f"{page.name}: {link}" for page, link in links if not (page.parent / link).exists()] == []


def test_no_two_files_differ_by_case_alone() -> None:
    """Where case does not count (macOS, Windows), one of them would be lost in a clone."""
    folders = ("agents", "compliance", "deploy", "docs", "nextrade", "orders", "templates", "tests")
    paths = [str(path).lower() for folder in folders for path in (ROOT / folder).rglob("*")]
    assert [path for path, count in Counter(paths).items() if count > 1] == []


def test_every_test_that_the_docs_name_exists() -> None:
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)", "".join(_read(ROOT / "tests", "*.py")), re.MULTILINE))
    named = set(re.findall(r"`(test_\w+)`", "".join(_read(DOCS, "*.md"))))
    assert named - defined == set()


def _read(folder: Path, pattern: str) -> list[str]:
    return [path.read_text() for path in folder.rglob(pattern)]


# --- the commands that are not manage.py's, which test_operations_guide parses

OTHERS = {"gunicorn", "journalctl", "systemctl", "curl", "psql"}


def commands() -> list[tuple[str, list[str]]]:
    """Pages and words of each: lines of blocks, and words in running text that begin with a program's name."""
    found = []
    for page in PAGES:
        is_block = False
        for number, line in enumerate(page.read_text().replace("\\\n", " ").splitlines(), 1):
            if line.startswith("```"):
                is_block = not is_block
                continue
            for code in [line] if is_block else re.findall(r"`([^`]+)`", line):
                words = re.split(r" +#| +\| ", re.sub(r"[\[\]]", " ", code.replace("\\|", "|")))[0].split()
                while words and re.match(r"[A-Z][A-Z0-9_]+=", words[0]):
                    found.append((f"{page.name}:{number}", ["env", words.pop(0).partition("=")[0]]))
                if len(words) > 1 and words[0] in {"make", "pytest", "python", *OTHERS}:
                    found.append((f"{page.name}:{number}", words))
    return found


def wrong_with(words: list[str]) -> str:
    """What is wrong with a command, "" for nothing. Options of our scripts are looked for where they are defined."""
    program, *rest = words
    if program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return "" if rest[0] in targets else f"no target {rest[0]}"
    if program == "pytest":
        gone = [word for word in rest if "/" in word and not (ROOT / word.partition("::")[0]).exists()]
        return f"no file {gone[0]}" if gone else ""
    if program == "python":
        script = ROOT / (rest[1].replace(".", "/") + ".py" if rest[0] == "-m" else rest[0])
        if not script.is_file():
            return f"no script {script}"
        options = {word for word in rest if word.startswith("--")}
        missing = {option for option in options if f'"{option}"' not in script.read_text()}
        return f"no option {missing}" if missing else ""
    if program == "curl":
        path = next((word for word in rest if "/" in word and "json" not in word), "/").strip("'")
        return "" if _is_ours(re.sub(r"^(https?://)?[\w.-]+(:\d+)?/", "/", path)) else f"no address {path}"
    if program == "gunicorn":
        return "" if (ROOT / rest[rest.index("-c") + 1]).is_file() else "no configuration"
    return ""


def _is_ours(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True


def test_each_other_command_of_the_pages_can_be_given() -> None:
    found = commands()
    assert {words[0] for _, words in found} >= {"make", "pytest", "python", "curl", "gunicorn", "env"}
    assert len(found) > 80
    assert [f"{place}: {words}: {wrong}" for place, words in found if (wrong := wrong_with(words))] == []


def test_a_variable_that_a_page_sets_is_read() -> None:
    """A setting, or one of the Makefile's and the tests'; TOKEN is the reader's own."""
    documented = re.findall(r"`([A-Z][A-Z0-9_]+)`", (DOCS / "settings.md").read_text())
    of_tests = re.findall(
        r"[A-Z][A-Z0-9_]+", "".join([(ROOT / "Makefile").read_text(), *_read(ROOT / "tests", "*.py")])
    )
    named = {words[1].removesuffix("_FILE") for _, words in commands() if words[0] == "env"}
    assert named - {*documented, *of_tests, "TOKEN"} == set()


def test_what_ci_runs_is_there_and_runs_both_databases() -> None:
    file = ROOT / ".ci" / "run"
    text = file.read_text()
    assert os.access(file, os.X_OK)
    subprocess.run(["bash", "-n", str(file)], check=True)
    targets = re.findall(r"^ *make (\w+)", text, re.MULTILINE)
    assert {"install", "verify", "test"} <= set(targets)
    assert [target for target in targets if wrong_with(["make", target])] == []
    assert [path for path in re.findall(r"tests/[\w/]+\.py", text) if not (ROOT / path).is_file()] == []
    assert text.index("TEST_DATABASE_URL=postgres://") < text.index("make test")

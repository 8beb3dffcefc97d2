"""Every command that the documents name is one, with these words and options."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, get_commands, load_command_class

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
CODE = re.compile(r"`([^`\n]+)`")
FOR_EXAMPLE = {
    "N": "1",
    "USER": "ann",
    "USERNAME": "ann",
    "DAY": "2026-11-26",
    "ID": "00000000-0000-4000-8000-000000000001",
    "ORDER_ID": "00000000-0000-4000-8000-000000000001",
}


def named() -> Iterator[tuple[str, str]]:
    """Places and commands: of blocks, of running text, and of tables under `manage.py …`, whose rows go without it."""
    for path in sorted(DOCS.rglob("*.md")):
        prefix = None
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if heading := re.match(r"\| `manage\.py ?(.*?) ?…`", line):
                prefix = heading[1]
                continue
            prefix = prefix if line.startswith("|") else None
            found = re.findall(r"^(?:\S*python )?(?:\S*/)?manage\.py (\S.*)$", line)
            found += [code.partition("manage.py ")[2] for code in CODE.findall(line) if "manage.py " in code]
            if prefix is not None:
                found += _of_row(prefix, CODE.findall(line.replace(r"\|", "¦").split("|")[1].replace("¦", "|")))
            for command in found:
                yield f"{path.name}:{number}", command.replace("\\|", "|")


def _of_row(prefix: str, codes: list[str]) -> Iterator[str]:
    """`backup run`, `verify`: the second is of `backup` too."""
    family = prefix
    for code in codes:
        if not prefix and code.split()[0] in get_commands():
            family = code.split()[0]
            yield code
        else:
            yield f"{family} {code}"


def spellings(command: str) -> Iterator[list[str]]:
    """Each of `a|b`, without what is said of optional words and of words to put in."""
    given = re.split(r" #| > | \| |  ", command)[0]
    plain = re.sub(r"[\[\]]|\.\.\.|…", " ", given)
    words = [word.split("|") for word in shlex.split(plain)]
    for chosen in itertools.product(*words):
        yield [FOR_EXAMPLE.get(word, word) for word in chosen]


@pytest.mark.usefixtures("ann")
def test_each_command_of_the_documents_can_be_given() -> None:
    found = list(named())
    assert len(found) > 150
    assert [f"{place}: {command}: {wrong}" for place, command in found if (wrong := refusal(command))] == []


def refusal(command: str) -> str:
    """What the command's parser has against it; a bare name may lack arguments, for it is a mention."""
    for name, *arguments in spellings(command):
        if name not in get_commands():
            return "no such command"
        parser = load_command_class(get_commands()[name], name).create_parser("manage.py", name)
        try:
            parser.parse_args(arguments)
        except CommandError as error:
            if "are required" not in str(error) or any(word.startswith("-") for word in arguments):
                return str(error)
    return ""


def test_the_documents_name_the_product_s_commands() -> None:
    ours = {name for name, app in get_commands().items() if app in ("agents", "orders", "compliance", "nextrade.ops")}
    assert ours - {command.split()[0] for _, command in named()} == set()

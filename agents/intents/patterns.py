"""How the tables of words become patterns: one alternative a line or a word, case ignored."""

import re


def any_of(*alternatives: str) -> str:
    return f"(?:{'|'.join(alternatives)})"


def listed(patterns: str) -> str:
    """One of the patterns, which are separated by white space."""
    return any_of(*patterns.split())


def compiled(*alternatives: str) -> re.Pattern[str]:
    return re.compile(any_of(*alternatives), re.IGNORECASE)


def words(table: str) -> list[str]:
    """The entries of a table written as words with white space between them."""
    return table.split()

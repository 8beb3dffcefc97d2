"""Text that goes into a table of a spreadsheet and stays text there."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe(text: str) -> str:
    """A cell that no spreadsheet runs: what would begin a formula, after blanks and quotes too, gets an apostrophe."""
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip(" \"'").startswith(FORMULA) else text

"""Text that goes into a table of a spreadsheet and stays text there."""

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_HIDERS = " \"'\u00a0\u00ad\u200b\u200c\u200d\u2060\u3000\ufeff"
_AFTER_A_SEPARATOR = re.compile(rf"(?<=[;\t\r\n])(?=[{_HIDERS}]{{0,8}}[=+\-@＝＋－＠])")


def safe(text: str) -> str:
    """A cell that no spreadsheet runs: what would begin a formula, after blanks and quotes too, gets an apostrophe.

    So does what follows a semicolon, a tab or a line end within: where those part cells, it would begin one.
    """
    text = _AFTER_A_SEPARATOR.sub("'", text)
    return f"'{text}" if text.startswith(FORMULA) or text.lstrip(_HIDERS).startswith(FORMULA) else text

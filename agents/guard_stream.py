"""Looks at an answer while it is being written: nothing leaves before it was looked at.

    stream = OutputStream(canary=turn.canary)
    for piece in model:
        send(stream.feed(piece))  # what may leave by now, often nothing
    send(stream.close())  # the rest; after it `stream.screened` is the verdict on the whole answer

What `feed` and `close` returned, joined, is `screen_output(whole).text`. With the canary in it, nothing more leaves
and `close` returns the sentence that withholds it: a client shows `screened.text` in place of what came before.

Context: a card number or a link is only seen for what it is at its end. Choice: the last LOOKAHEAD characters and an
open bracket are held back, and text leaves only while the longer text reads the same up to there. Cost: the words
arrive a line late, and the text is read again each time it has grown by a tenth.
"""

import logging

from agents.guard import Screened, look_at_output, screen_output

LOOKAHEAD = 120
STEP = 40
LONGEST_LINK = 2_400

logger = logging.getLogger("agents.guard")


class OutputStream:
    screened: Screened | None = None

    def __init__(self, *, canary: str = "") -> None:
        self._canary = canary
        self._text = ""
        self._sent = ""
        self._next_look = LOOKAHEAD + STEP
        self._is_withheld = False

    def feed(self, piece: str) -> str:
        """Some more of the answer; what may leave now, already clean."""
        self._text += piece
        if self._is_withheld or len(self._text) < self._next_look:
            return ""
        self._next_look = len(self._text) + max(STEP, len(self._text) // 10)
        whole = look_at_output(self._text, canary=self._canary)
        if "canary" in whole.sensitive:
            self._is_withheld = True
            return ""
        head = look_at_output(self._text[: self._safe_end()]).text
        return self._release(head) if whole.text.startswith(head) else ""

    def close(self) -> str:
        """The answer is over: what is left of it."""
        self.screened = screen_output(self._text, canary=self._canary)
        if not self.screened.text.startswith(self._sent):
            logger.warning("Output stream was corrected at its end")
            return self.screened.text
        return self._release(self.screened.text)

    def _release(self, clean: str) -> str:
        if not clean.startswith(self._sent):
            return ""
        fresh, self._sent = clean[len(self._sent) :], clean
        return fresh

    def _safe_end(self) -> int:
        """Where the text may be cut: at a space, before what a bracket has opened and not closed yet."""
        end = self._text.rfind(" ", 0, len(self._text) - LOOKAHEAD) + 1
        line = max(self._text.rfind("\n", 0, end), end - LONGEST_LINK)
        opened = max(self._text.rfind(mark, max(line, 0), end) for mark in "[<")
        if opened == -1:
            return end
        closed = self._text.find(")" if self._text[opened] == "[" else ">", opened, end)
        return end if closed != -1 else self._text.rfind(" ", 0, opened) + 1

"""Django's SQLite, whose writing transactions stand in line within a process.

Context: SQLite has one writer. Whoever finds it busy sleeps, up to a tenth of a second, and looks again; of sixty
threads some never come upon it free, and give up after twenty seconds. Choice: the threads of a process wait for each
other first, so that as many look as there are processes. Cost: a lock more; the database's own stays what decides.
"""

import threading
from collections import defaultdict
from typing import Any

from django.db.backends.sqlite3 import base

_lines: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
"""By the database's file."""


class DatabaseWrapper(base.DatabaseWrapper):
    """is_first: whether this thread's transaction is the one of this process."""

    is_first = False

    @property
    def line(self) -> threading.Lock:
        return _lines[str(self.settings_dict["NAME"])]

    def _start_transaction_under_autocommit(self) -> None:
        self.is_first = self.line.acquire(timeout=self.settings_dict["OPTIONS"].get("timeout", 5))
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc]
        except BaseException:
            self._leave()
            raise

    def _commit(self) -> Any:
        committed = super()._commit()  # type: ignore[misc]
        self._leave()
        return committed

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc]
        finally:
            self._leave()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc]
        finally:
            self._leave()

    def _leave(self) -> None:
        if self.is_first:
            self.is_first = False
            self.line.release()

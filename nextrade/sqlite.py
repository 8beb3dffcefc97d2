"""A connection that opens what is there.

With nothing there, SQLite makes an empty file; closing that throws away the WAL of the one that is missing, and with it
what was written last. So whoever moved the file aside and back would have lost it.
"""

import sqlite3
from typing import Any
from urllib.parse import quote


class Existing(sqlite3.Connection):
    """For OPTIONS["factory"]. Raises OperationalError where there is no file."""

    def __init__(self, database: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(f"file:{quote(str(database))}?mode=rw", *args, **(kwargs | {"uri": True}))

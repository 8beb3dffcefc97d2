from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import connections

from nextrade import sqlite


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> str | None:
        """Before the system's checks, which connect."""
        connection = connections[options["database"]]
        if connection.vendor == "sqlite":
            try:
                sqlite.make(Path(str(connection.settings_dict["NAME"])))
            except FileNotFoundError as error:
                raise CommandError(str(error)) from error
        return super().execute(*args, **options)

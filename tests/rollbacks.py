"""An archive whose database was put back to an earlier state, and what others still hold of what came after."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.commands import Cli, drawing


def copy_database(source: Path, target: Path) -> Path:
    """A whole copy of a SQLite database, also of one in use."""
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
    return target


@dataclass(frozen=True)
class Rollback:
    """The command line over the archive, and what is left of its lost days.

    Attributes:
        newer: the database as it was last.
        mirror: the log as it was published last.
        bundle: an export of the item that was deposited after the backup.
        size: of the log as it was signed last.
        backed_up: of the log in the older database.
    """

    cli: Cli
    newer: Path
    mirror: Path
    bundle: Path
    size: int
    backed_up: int

    @classmethod
    def happen(cls, cli: Cli, folder: Path) -> Rollback:
        """Back up, work on, publish, export, and put the backup in place."""
        cli("log", "checkpoint")
        backup = copy_database(cli.data / "catena.db", folder / "backup.db")
        backed_up = int(cli.one("SELECT size FROM log_head"))
        drawing(folder / "late.jpg")
        cli("ingest", folder / "late.jpg", "--case", "T1", "--source-note", "after the backup", "--again")
        cli("users", "add", "nora", "--role", "auditor")
        cli("users", "disable", "lena")
        items = {one["original_name"]: one["id"] for one in cli.json("items", "list")["items"]}
        late = items["late.jpg"]
        cli("items", "show", items["a.jpg"])  # an access: an event that writes no row
        cli("export", "--item", late, "-o", folder / "late.zip")
        cli("log", "export", folder / "mirror")
        newer = copy_database(cli.data / "catena.db", folder / "newer.db")
        size = int(cli.one("SELECT size FROM log_head"))
        for name in ("catena.db-wal", "catena.db-shm"):
            (cli.data / name).unlink(missing_ok=True)
        copy_database(backup, cli.data / "catena.db")
        return cls(cli, newer, folder / "mirror", folder / "late.zip", size, backed_up)

    @property
    def lost(self) -> int:
        """How many events the older database lacks."""
        return self.size - self.backed_up

    def sizes(self) -> tuple[int, int]:
        """Of the log as it is in the database, and of what is kept outside."""
        kept = (self.cli.data / "head" / "checkpoint").read_text(encoding="utf-8").split("\n")[1]
        return int(self.cli.one("SELECT size FROM log_head")), int(kept)

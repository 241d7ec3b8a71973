"""Where this archive keeps its own files, and which of them are secrets, by what the file system calls them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from app.cli.passphrase import DEFAULT_FILE, FILE_VARIABLE
from app.config import Settings
from app.errors import InvalidInputError
from app.intake.collections.own_files import CODE


class Identity(NamedTuple):
    """A file whatever its name: a hard link or a mount elsewhere has the same."""

    device: int
    inode: int


def own_places(settings: Settings) -> list[Path]:
    """Folders and files of the archive; none of them is evidence, wherever it lies."""
    copies = [settings.head_copy] if settings.head_copy else []
    return [settings.data, *copies, *_database(settings), *_passphrase(settings)]


def secrets_of(settings: Settings) -> frozenset[Identity]:
    """The passphrase, the keys and the database, as they are now: a rotation makes new files.

    What this user may not look at is passed over: whoever may not see a key may not read it over a link either.
    """
    files = [*_passphrase(settings), *_database(settings)]
    for folder, _, names in os.walk(settings.keys):
        files += [Path(folder, name) for name in names]
    found = set()
    for path in files:
        try:
            told = path.stat()
        except OSError:
            continue
        found.add(Identity(told.st_dev, told.st_ino))
    return frozenset(found)


def _passphrase(settings: Settings) -> list[Path]:
    named = os.environ.get(FILE_VARIABLE)
    return [settings.data / DEFAULT_FILE, *([Path(named)] if named else [])]


def _database(settings: Settings) -> list[Path]:
    """The file of SQLite with those beside it; none where the database is a server."""
    kind, found, rest = settings.database_url.partition(":///")
    if not found or not kind.startswith("sqlite") or not rest:
        return []
    name = rest.partition("?")[0]
    return [Path(name + end) for end in ("", "-wal", "-shm")]


def own_secret() -> InvalidInputError:
    """The error for a file that is one of the archive's secrets under another name."""
    return InvalidInputError(CODE, "it is a key, the passphrase or the database of the archive")

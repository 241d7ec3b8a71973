"""Where the passphrase of the keys comes from: the environment, a file, or a prompt."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path

import click

from app.config import Settings
from app.errors import EnvironmentFailedError
from evidence_store.durable import make_directories, write_new

VARIABLE, FILE_VARIABLE = "CATENA_PASSPHRASE", "CATENA_PASSPHRASE_FILE"
DEFAULT_FILE = "passphrase"


def find_passphrase(settings: Settings, *, twice: bool = False) -> bytes:
    """The passphrase, in this order: variable, named file, file in the data folder, prompt.

    Args:
        settings: of the archive.
        twice: a prompt asks a second time.

    Raises:
        EnvironmentFailedError: `passphrase_missing`, `passphrase_unreadable`.
    """
    given = os.environ.get(VARIABLE)
    if given:
        return given.encode()
    named = os.environ.get(FILE_VARIABLE)
    path = Path(named) if named else settings.data / DEFAULT_FILE
    if named or path.exists():
        return _read(path)
    if sys.stdin.isatty():
        text = click.prompt("Passphrase of the archive's keys", hide_input=True, confirmation_prompt=twice, err=True)
        return str(text).encode()
    raise EnvironmentFailedError(
        "passphrase_missing", f"the keys are locked: set {VARIABLE} or {FILE_VARIABLE}, or run in a terminal"
    )


def passphrase_at_hand(settings: Settings) -> bool:
    """Whether the passphrase can be had without asking a person."""
    if os.environ.get(VARIABLE) or os.environ.get(FILE_VARIABLE):
        return True
    return (settings.data / DEFAULT_FILE).exists()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().rstrip(b"\r\n")
    except OSError:
        raise EnvironmentFailedError("passphrase_unreadable", f"the passphrase file {path} cannot be read") from None


def new_passphrase(settings: Settings, *, ask: bool) -> tuple[bytes, Path | None]:
    """The passphrase for new keys.

    Without one from the environment and without a prompt, a random one is made and kept in the data
    folder: convenient, and only as safe as that folder. The caller says so.

    Returns:
        The passphrase, and the file it was written to if it was made here.
    """
    if os.environ.get(VARIABLE) or os.environ.get(FILE_VARIABLE):
        return find_passphrase(settings), None
    if ask:
        text = click.prompt(
            "New passphrase for the archive's keys", hide_input=True, confirmation_prompt=True, err=True
        )
        return str(text).encode(), None
    made = secrets.token_urlsafe(32).encode()
    make_directories(settings.data, 0o700)
    path = settings.data / DEFAULT_FILE
    write_new(path, made + b"\n", 0o600)
    return made, path

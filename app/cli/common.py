"""What every command shares: `--data`, `--json`, `--as`, output, and the opened archive."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from app.cli.passphrase import find_passphrase, passphrase_at_hand
from app.config import Settings, load_settings
from app.errors import CatenaError
from evidence_store.errors import EvidenceStoreError

if TYPE_CHECKING:  # loading these takes a second, which `catena verify` and `--help` need not wait for
    from app.access.service import Principal
    from app.api.services import Services

P = ParamSpec("P")
R = TypeVar("R")

OK, FOUND_ERRORS, BAD_INPUT, ENVIRONMENT = 0, 1, 2, 3
_SERVER_ERROR = 500  # HTTP: from here on it is not the caller's fault
_ENVIRONMENTAL = frozenset({"storage_full", "storage_failed", "blob_missing"})


@dataclass
class Context:
    """The options that every command takes, and the archive they lead to.

    Attributes:
        data: the data folder, when it was given.
        as_json: print one JSON document.
        as_user: act as this user.
        makes_keys: the passphrase, where it is asked for, is asked for twice: a new key will be locked with it.
    """

    data: Path | None
    as_json: bool
    as_user: str | None
    makes_keys: bool = False

    @cached_property
    def settings(self) -> Settings:
        """Settings of the archive."""
        return load_settings(self.data)

    @cached_property
    def services(self) -> Services:
        """The opened archive."""
        from app.wiring import open_archive

        return open_archive(self.settings, partial(find_passphrase, self.settings, twice=self.makes_keys))

    @cached_property
    def services_for_audit(self) -> Services:
        """The archive, opened as it is: whatever is wrong with it, the audit must say."""
        from app.wiring import open_archive

        return open_archive(self.settings, partial(find_passphrase, self.settings), for_audit=True)

    def close(self, *, well: bool = True) -> None:
        """Sign what this command added to the log, and give the database's connections back."""
        if "services" in self.__dict__:
            self._sign_what_was_added(tell=well)
            self.services.archive.db.close()
        if "services_for_audit" in self.__dict__:
            self.services_for_audit.archive.db.close()

    def _sign_what_was_added(self, *, tell: bool) -> None:
        """Until a checkpoint covers them, events could be cut off unnoticed.

        A command that needs no key does not ask for the passphrase: then a worker or server signs.
        """
        try:
            if passphrase_at_hand(self.settings) and self.services.log_has_grown():
                self.services.checkpoint()
        except (CatenaError, EvidenceStoreError, OSError) as error:
            if tell:  # a command that failed has said its one line
                self.say(f"catena: the log's new head is not signed: {error}")

    @cached_property
    def who(self) -> Principal:
        """The user that this command acts as."""
        return self.services.access.local_operator(self.as_user)

    def show(self, document: Any, text: str | Callable[[], str]) -> None:  # noqa: ANN401 - any JSON document
        """Print the result: one JSON document, or text for a person."""
        if self.as_json:
            print_json(document)
        else:
            click.echo(printable(text() if callable(text) else text, keep="\n"))

    def say(self, text: str) -> None:
        """Print progress, on stderr."""
        click.echo(printable(text), err=True)


def print_json(document: Any) -> None:  # noqa: ANN401 - any JSON document
    """One JSON document on stdout: UTF-8 whatever the locale, bytes of file names that are no text as escapes."""
    text = json.dumps(document, ensure_ascii=False, indent=1) + "\n"
    click.echo(text.encode("utf-8", "backslashreplace"), nl=False)


def printable(text: str, keep: str = "") -> str:
    """Text that is safe to show: names from outside may hold commands to the terminal."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def exit_code_of(error: CatenaError | EvidenceStoreError | OSError) -> int:
    """2 when the input is to be put right, 3 when it is the environment."""
    if isinstance(error, CatenaError):
        return ENVIRONMENT if error.status >= _SERVER_ERROR else BAD_INPUT
    if isinstance(error, EvidenceStoreError):
        return ENVIRONMENT if error.code in _ENVIRONMENTAL else BAD_INPUT
    return BAD_INPUT if isinstance(error, FileNotFoundError) else ENVIRONMENT


def command_options(function: Callable[..., R]) -> Callable[..., R]:
    """Give a command `--data`, `--json` and `--as`, and hand it a `Context` first."""

    @click.option(
        "--data", type=click.Path(path_type=Path), default=None, help="Data folder [CATENA_DATA, ./catena-data]."
    )
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
    @click.option("--as", "as_user", default=None, metavar="USER", help="Act as this user (default: the first admin).")
    @wraps(function)
    def wrapper(*args: Any, data: Path | None, as_json: bool, as_user: str | None, **kwargs: Any) -> R:  # noqa: ANN401
        context = Context(data, as_json, as_user)
        well = False
        try:
            result = function(context, *args, **kwargs)
            well = True
        finally:
            context.close(well=well)
        return result

    return wrapper


def table(rows: list[list[str]], headings: list[str]) -> str:
    """Plain columns."""
    if not rows:
        return "(none)"
    cells = [headings, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    )


class Progress:
    """A counter line on stderr: rewritten in a terminal, sparse elsewhere."""

    def __init__(self, what: str) -> None:
        """Name what is counted."""
        self._what = what
        self._tty = sys.stderr.isatty()
        self._last = -1

    def __call__(self, done: int, total: int) -> None:
        """Show how far it got."""
        tenth = done * 10 // total if total else 10
        if self._tty:
            end = "\n" if done >= total else ""
            click.echo(f"\r{self._what}: {done} of {total} ", err=True, nl=False)
            click.echo(end, err=True, nl=False)
        elif tenth != self._last:
            click.echo(f"{self._what}: {done} of {total}", err=True)
        self._last = tenth

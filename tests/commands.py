"""The command line under test: run as a user would, judged by exit code, stdout and stderr."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from sqlite3 import connect
from typing import Any
from unittest import mock

import pytest
from PIL import Image, ImageDraw

from app.cli.__main__ import main
from evidence_store.keys import file as key_file
from tests.media_samples import photo

CASE = "T1"


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON document on stdout: anything beside it, and this fails."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    def refused(self, code: str, exit_code: int = 2) -> str:
        """Check that it was refused in one line with this code; returns the line."""
        assert self.code == exit_code, self
        lines = [line for line in self.err.splitlines() if not line.startswith(("ingest:", "hashing:", "export:"))]
        assert len(lines) == 1, self.err
        assert lines[0].startswith(f"catena: {code}: "), self.err
        return lines[0]


class Cli:
    """Runs commands in this process over one data folder."""

    def __init__(self, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.data = data
        self._capsys = capsys

    def __call__(self, *arguments: object, code: int | None = 0) -> Ran:
        """Run a command; `code` is the exit code it must have, None for any."""
        self._capsys.readouterr()
        ended = main([str(argument) for argument in arguments])
        told = self._capsys.readouterr()
        ran = Ran(ended, told.out, told.err)
        assert "Traceback" not in ran.out + ran.err, ran
        if code is not None:
            assert ended == code, ran
        if "--json" in arguments and ended != 0:
            assert ran.json
        return ran

    def json(self, *arguments: object, code: int = 0) -> dict[str, Any]:
        """Run a command with `--json` and return its document."""
        return self(*arguments, "--json", code=code).json

    def sql(self, *statements: str) -> None:
        """Edit the database behind the archive's back."""
        with closing(connect(self.data / "catena.db")) as connection, connection:
            connection.execute("PRAGMA foreign_keys=OFF")
            for statement in statements:
                assert connection.execute(statement).rowcount >= 1, f"changed nothing: {statement}"

    def one(self, query: str) -> str:
        """One value of the database."""
        with closing(connect(self.data / "catena.db")) as connection:
            return str(connection.execute(query).fetchone()[0])


def at(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """The command line over a data folder, with an environment of its own."""
    for name in ("PASSPHRASE", "PASSPHRASE_FILE", "DATABASE_URL", "TOKEN", "LEASE_SECONDS"):
        monkeypatch.delenv(f"CATENA_{name}", raising=False)
    monkeypatch.setenv("CATENA_DATA", str(data))
    monkeypatch.setenv("XDG_STATE_HOME", str(data.parent / "state"))
    return Cli(data, capsys)


def copy_of(make: Callable[[], Path], folder: Path) -> Path:
    """A copy of a finished archive that a test may spoil."""
    data = folder / "archive"
    shutil.copytree(make(), data)
    return data


@cache
def bare() -> Path:
    """An archive made by `catena init`, with nothing in it."""
    data = _folder() / "archive"
    with mock.patch.object(key_file, "SCRYPT_P", 1):
        assert main(["init", "--org", "Archive of the Tests", "--data", str(data)]) == 0
    return data


@cache
def furnished() -> Path:
    """An archive with case T1, three items (one of them twice), and a second person in the case."""
    data = copy_of(bare, _folder())
    media = _folder()
    drawing(media / "a.jpg")
    photo(media / "b.png", size=(200, 150))
    (media / "c.txt").write_text("a note", encoding="utf-8")
    shutil.copy(media / "a.jpg", media / "d.jpg")
    for arguments in (
        ["ingest", str(media), "--case", CASE, "--source-note", "from a witness", "--again", "--jobs", "1"],
        ["users", "add", "lena", "--role", "legal", "--display-name", "Lena"],
        ["cases", "add-member", CASE, "lena"],
    ):
        assert main([*arguments, "--data", str(data)]) == 0
    return data


def drawing(path: Path) -> Path:
    """A picture with enough in it to be recognised by."""
    picture = Image.radial_gradient("L").resize((320, 240)).convert("RGB")
    for step in range(40):
        left, top = step * 53 % 290, step * 71 % 215
        ImageDraw.Draw(picture).rectangle(
            (left, top, left + 9 + step % 17, top + 7 + step % 13), fill=(step * 37 % 256, step * 91 % 256, 40)
        )
    picture.save(path, quality=92)
    return path


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="catena-cli-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder

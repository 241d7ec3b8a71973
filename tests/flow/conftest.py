"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.apis import Api, opened
from tests.databases import BACKENDS


@pytest.fixture(params=BACKENDS)
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Api]:
    """An archive behind its HTTP interface, on each kind of database."""
    with opened(tmp_path, request.param) as here:
        yield here


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Api]:
    """The same on SQLite only, for what the database has no part in."""
    with opened(tmp_path, "sqlite") as here:
        yield here


@pytest.fixture
def empty_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> commands.Cli:
    """The command line where there is no archive yet."""
    return commands.at(tmp_path / "archive", monkeypatch, capsys)


@pytest.fixture
def bare_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> commands.Cli:
    """The command line over an archive with nothing in it."""
    return commands.at(commands.copy_of(commands.bare, tmp_path), monkeypatch, capsys)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> commands.Cli:
    """The command line over an archive with case T1 and a few items."""
    return commands.at(commands.copy_of(commands.furnished, tmp_path), monkeypatch, capsys)

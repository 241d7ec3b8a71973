"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import commands
from tests.apis import Api, opened
from tests.archives import close_archive
from tests.checks import assert_clean
from tests.databases import BACKENDS
from tests.disclosing import Stage
from tests.processes import Nursery, Served, nursery
from tests.tus import tidy


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


@pytest.fixture(scope="module", params=BACKENDS)
def archive_of_both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive on each kind of database, for all tests of the module; clean at the end."""
    with opened(tmp_path_factory.mktemp("uploads"), request.param) as api:
        yield api
        assert_clean(api.services)


@pytest.fixture(scope="module")
def archive_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """One archive on SQLite for all tests of the module; clean at the end."""
    with opened(tmp_path_factory.mktemp("uploads"), "sqlite") as api:
        yield api
        assert_clean(api.services)


@pytest.fixture
def both(archive_of_both: Api) -> Iterator[Api]:
    """The archive on each kind of database, without what another test left unfinished."""
    archive_of_both.be_served()
    yield archive_of_both
    tidy(archive_of_both)


@pytest.fixture
def one(archive_of_one: Api) -> Iterator[Api]:
    """The archive on SQLite, for what the database has no part in."""
    archive_of_one.be_served()
    yield archive_of_one
    tidy(archive_of_one)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Starts real `catena` processes."""
    with nursery(tmp_path_factory.mktemp("processes")) as made:
        yield made


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, processes: Nursery) -> Iterator[Served]:
    """A server in a process of its own, over an archive with case T1 and a few items."""
    data = commands.copy_of(commands.furnished, tmp_path_factory.mktemp("served"))
    process = processes.start("serve", "--port", "0", "--json", "--workers", "0", CATENA_DATA=str(data))
    yield Served(process, process.url(), data)
    process.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A case with an item that must not be shown, and people who disclose; whole in the end."""
    made = Stage(tmp_path)
    yield made
    assert_clean(made.services)
    close_archive(made.services)

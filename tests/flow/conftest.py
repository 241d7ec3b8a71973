"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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

"""What the tests of witnesses share: an archive on either kind of database, and a clock to set forward."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.api.services import Services
from tests.databases import BACKENDS
from tests.witnessed import Clock, witnessed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=BACKENDS)
def services(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Services]:
    with witnessed(tmp_path, clock, request.param) as made:
        yield made


@pytest.fixture
def lite(tmp_path: Path, clock: Clock) -> Iterator[Services]:
    with witnessed(tmp_path, clock) as made:
        yield made

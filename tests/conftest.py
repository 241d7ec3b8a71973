"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from app.analysis.sandbox import preload
from app.matching.parsers import PARSERS
from tests.quick_keys import quick_keys

# A loaded machine is slow, not wrong: limits on time are measured in benchmarks/.
settings.register_profile("catena", deadline=None)
settings.load_profile("catena")

ROOT = Path(__file__).resolve().parent.parent


def _shared_folder() -> Path | None:
    """The folder of shared test data, beside the checkout or named by CATENA_SHARED."""
    named = os.environ.get("CATENA_SHARED")
    candidate = Path(named) if named else ROOT.parent / "shared"
    return candidate if candidate.is_dir() else None


@pytest.fixture(scope="session", autouse=True)
def _quick_keys_everywhere() -> Iterator[None]:
    with quick_keys():
        yield


@pytest.fixture(scope="session", autouse=True)
def _parsers_are_loaded_once() -> None:
    """One fork server serves all tests of a process: without this, each picture would load OpenCV anew."""
    preload(*PARSERS)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Shared test data (corpus, ihl, vectors); tests skip cleanly when it is absent."""
    folder = _shared_folder()
    if folder is None:
        pytest.skip("shared test data is not here")
    return folder


@pytest.fixture(scope="session")
def corpus(shared: Path) -> Path:
    """Real media that nobody here wrote."""
    folder = shared / "corpus"
    if not folder.is_dir():
        pytest.skip("the corpus is not here")
    return folder

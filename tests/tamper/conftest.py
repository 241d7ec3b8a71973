"""A copy of the archive that an attack may spoil."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.victims import Victim


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    """A fresh copy."""
    return Victim(tmp_path / "data")

"""Foreign judges: programs and modules that nobody here wrote and that must agree with us.

Where a judge is missing, its tests skip and say so; in CI (`CI=true`) that is a failure.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest

from scripts.judges import find


def require(tool: str) -> str:
    """The path of a program on PATH, or of a file that `scripts.judges.FILES` names."""
    path = find(tool)
    if path is None:
        _missing(tool)
    return path


def require_module(name: str) -> ModuleType:
    """An importable Python module."""
    try:
        return importlib.import_module(name)
    except ImportError:
        _missing(name)


def _missing(judge: str) -> NoReturn:
    message = f"missing judge: {judge}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)

"""Mutated media through the sandbox: each ends as a record or as one coded failure, inside its limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from app.analysis.errors import SandboxFailure
from app.analysis.extract import from_bytes
from app.analysis.sandbox import run_sandboxed

CODES = {"parser_crashed", "parser_memory", "parser_timeout", "parser_cpu", "parser_error", "output_too_large"}
EVERY = 8  # of 300 files


def _inspect(path: Path) -> str:
    """Kind of the record, or "failed"; anything but a coded failure passes through and fails the test."""
    try:
        data = run_sandboxed("app.analysis.tasks:metadata_task", (path, path.name))
    except SandboxFailure as failure:
        assert failure.code in CODES
        return "failed"
    assert isinstance(data, bytes)
    return from_bytes(data).file.kind


def _draw(path: Path, kind: str) -> None:
    try:
        answer = run_sandboxed("app.analysis.tasks:preview_task", (path, kind))
    except SandboxFailure as failure:
        assert failure.code in CODES
        return
    assert isinstance(answer, tuple)
    assert answer[1][:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize("start", range(4))
def test_hostile_files_end_as_records_or_coded_failures(corpus: Path, start: int) -> None:
    files = sorted((corpus / "hostile").iterdir())[start::EVERY][::4][:10]
    for path in files:
        began = time.monotonic()
        kind = _inspect(path)
        if kind in {"photo", "video"}:
            _draw(path, kind)
        assert time.monotonic() - began < 60, path.name
